"""After a crash: what is left of a segment becomes a finished file, and a report says what was kept and what not."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import commit as commits
from . import finalise, head, index, sealed, traces
from .commit import Commit
from .errors import Busy, Damaged, Poisoned, RecorderError, TooNew
from .head import FLIP, MDAT, Head
from .io import IO, Files
from .policy import Recovery
from .scan import Gap, Survey, hop, read_head, survey

log = logging.getLogger("usenet.recorder.recovery")

_SMALL = 32 << 20  # a part without one whole chunk that is no longer than this held nothing that was promised


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one segment. finished: `final` is there. nothing: there was no sample. kept: left as it is.

    `loss_upper_bound_s`: what is missing in its middle, and what its end may have lost by the promise of its policy.
    """

    path: Path
    final: Path | None
    state: Literal["finished", "nothing", "kept"]
    reason: str = ""
    chunks_kept: int = 0
    chunks_dropped: int = 0
    chunks_verified: int = 0
    hopped: int = 0
    index_used: bool = False
    bytes_kept: int = 0
    seconds_kept: float = 0.0
    gaps: tuple[Gap, ...] = ()
    loss_upper_bound_s: float = 0.0
    ms: float = 0.0


def recover(path: Path | str, *, policy: Recovery = "skip", deep: bool = False, io: IO | None = None) -> Report:
    """Finish X.mp4 from X.mp4.part (either name is taken). What is finished already stays as it is.

    Busy while somebody writes it; Damaged is not raised but told, as state "kept". Can be called again at any time.
    """
    io, name, begun = io or Files(), str(path).removesuffix(".part"), time.monotonic()
    if not name.endswith(".mp4"):
        raise RecorderError(f"{path} is no recording: those are called X.mp4 or X.mp4.part", code=2)
    try:
        report = _recover(io, name, policy, deep)
    except Damaged as error:
        report = Report(Path(name), None, "kept", error.message)
    except OSError as error:
        raise Poisoned(f"{name}.part can't be finished: {error}", hint="the .part plays as it is") from error
    return replace(report, ms=(time.monotonic() - begun) * 1000)


def _recover(io: IO, name: str, policy: Recovery, deep: bool) -> Report:
    if not io.exists(f"{name}.part"):
        return _without_part(io, name)
    part = io.open(f"{name}.part", "write")
    try:
        said = _commit(io, name)
        if not io.lock(part) or (said is not None and said.lease.held_by_another()):
            raise Busy(f"{name}.part is being written", hint="stop its recorder first, or wait until it is finished")
        if not io.exists(f"{name}.part"):  # somebody finished it before it was ours
            return _without_part(io, name)
        io.forget(part)  # after a failed sync the cache holds what is not on the drive, and that is not always told
        deep = deep or (said is not None and said.state == "poisoned")
        at = sealed.moov_at(io, part, read_head(io, part))
        if at is not None and not (deep and _reopened(io, part, name, policy, at)):
            io.sync(part)
            return Report(Path(name), finalise.settle(io, name), "finished", "it was finished but for its name")
        report = _live(io, part, name, read_head(io, part), policy, deep)
        return replace(report, loss_upper_bound_s=report.loss_upper_bound_s + _tail(said))
    finally:
        io.close(part)


def _tail(said: Commit | None) -> float:
    """Seconds that the end may have lost, by what was promised; 0.0 where it was about to be finished."""
    if said is None or said.state == "sealing":
        return 0.0
    return float(said.flush.get("sync_ms", 0) + said.flush.get("chunk_ms", 0)) / 1000


def _without_part(io: IO, name: str) -> Report:
    final = io.exists(name)
    if final:
        io.syncdir(str(Path(name).parent))
    if traces.ours(io, name):
        finalise.tidy(io, name)
    if final:
        return Report(Path(name), Path(name), "finished", "there is nothing to finish")
    return Report(Path(name), None, "nothing", "there is no such segment")


def _commit(io: IO, name: str) -> Commit | None:
    with contextlib.suppress(OSError):  # not there, or not readable: it is needed for nothing
        handle = io.open(f"{name}.commit", "read")
        try:
            return commits.read(io, handle)
        finally:
            io.close(handle)
    return None


def _journal(io: IO, name: str) -> bytes:
    with contextlib.suppress(OSError):  # not there, or not readable: the part says the same
        handle = io.open(f"{name}.index", "read")
        try:
            return io.pread(handle, io.size(handle), 0)
        finally:
            io.close(handle)
    return b""


def _reopened(io: IO, part: int, name: str, policy: Recovery, at: int) -> bool:
    """Whether the moov at `at` is another than the chunks make; the part is live again then, to be finished anew."""
    journal = _journal(io, name)
    try:
        told = sealed.live(io, part)
    except Damaged:
        again = _from_index(journal)
        if again is None:
            raise
        told = again
    found = survey(io, part, told, journal, policy=policy, deep=True)
    if sealed.true(io, part, told, found, at):
        return False
    io.pwrite(part, told.init[:MDAT], FLIP)
    io.sync(part)
    return True


def _live(io: IO, part: int, name: str, start: bytes, policy: Recovery, deep: bool) -> Report:
    journal = _journal(io, name)
    try:
        told = head.parse(start)
    except TooNew:
        raise
    except Damaged as error:
        again = _from_index(journal)
        if again is None:
            return _headless(io, part, name, error.message)
        told = again
        io.pwrite(part, told.write(), 0)
        io.sync(part)
    found = survey(io, part, told, journal, policy=policy, deep=deep)
    if not found.kept:
        return _empty(io, part, name, told, found)
    final = finalise.finish(io, part, name, told, found)
    return _report(name, final, found)


def _from_index(journal: bytes) -> Head | None:
    try:
        said = index.read_header(journal)
        return head.from_index(said.head, said.reserve, said.nonce)
    except Damaged:
        return None


def _headless(io: IO, part: int, name: str, reason: str) -> Report:
    """A head is durable before the first chunk is written, so a torn one without an index held nothing yet."""
    blank = io.size(part) <= _SMALL and not any(io.pread(part, _SMALL, 0)[FLIP:].strip(b"\0"))
    if blank and traces.ours(io, name):
        return _remove(io, name, "the power failed while it was made")
    return Report(Path(name), None, "kept", f"{reason}, and there is no index to make it from")


def _empty(io: IO, part: int, name: str, told: Head, found: Survey) -> Report:
    size = io.size(part)
    # Whole, but of another segment than the head says.
    foreign = next(hop(io, part, told.data_start, size, None, 0), None)
    if not found.durable and size - told.data_start <= _SMALL and foreign is None:
        return _remove(io, name, "no chunk of it was whole, and none was durable")
    return Report(Path(name), None, "kept", "no chunk of it is whole", chunks_dropped=found.dropped)


def _remove(io: IO, name: str, reason: str) -> Report:
    io.unlink(f"{name}.part")
    finalise.tidy(io, name)
    return Report(Path(name), None, "nothing", reason)


def _report(name: str, final: Path, found: Survey) -> Report:
    return Report(
        path=Path(name),
        final=final,
        state="finished",
        chunks_kept=found.kept,
        chunks_dropped=found.dropped,
        chunks_verified=found.verified,
        hopped=found.hopped,
        index_used=found.index_used,
        bytes_kept=found.bytes_kept,
        seconds_kept=found.seconds,
        gaps=tuple(found.gaps),
        loss_upper_bound_s=sum(gap.ms for gap in found.gaps if gap.lost) / 1000,
    )


def recover_all(
    directory: Path | str,
    *,
    policy: Recovery = "skip",
    budget_s: float | None = None,
    deep: bool = False,
    io: IO | None = None,
) -> list[Report]:
    """Every unfinished segment of a directory, the newest first, until the time is used up; call again for the rest.

    A segment that can't be recovered is told as "kept" and keeps no other one waiting; one in use is left out.
    """
    io, begun, reports = io or Files(), time.monotonic(), list[Report]()
    try:
        there = io.listdir(str(directory))
    except OSError as error:
        raise RecorderError(f"{directory} can't be looked at: {error.strerror}", hint="is its drive there?") from error
    names = {stem for name in there for stem in _stem(name)}
    for name in sorted(names, reverse=True):
        if budget_s is not None and reports and time.monotonic() - begun > budget_s:
            break
        try:
            reports.append(recover(Path(directory) / name, policy=policy, deep=deep, io=io))
        except Busy:
            log.info("%s is being written, it is left alone", name)
        except RecorderError as error:
            reports.append(Report(Path(directory) / name, None, "kept", error.message))
    return reports


def _stem(name: str) -> list[str]:
    stem, _, end = name.rpartition(".")
    return [stem] if stem.endswith(".mp4") and end in {"part", "index", "commit"} else []
