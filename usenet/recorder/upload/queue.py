"""All segments of a directory to one storage: the oldest first, patient with a storage that fails, never in the way.

It only reads segments, and writes nothing but its own journals. Recording neither waits for it nor knows of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import RecorderError, Unreachable
from ..io import IO
from ..io import Files as RealFiles
from .journal import Stamp, peek
from .layout import Tree, journal_of, key_of, storage_name
from .pace import Patience
from .storage import Refused, Storage, Wrong
from .transfer import Clearing, Outcome, Transfer

log = logging.getLogger("usenet.recorder.upload")

PART = 8 << 20


@dataclass(frozen=True, slots=True)
class Times:
    """`clock` is for waiting, `wall` for ages; both in seconds."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    patience: Callable[[], Patience] = Patience
    look_every: float = 5.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """What one storage got since this process began. `lag_s`: age of the oldest finished segment that waits."""

    storage: str
    bytes_sent: int = 0
    parts_sent: int = 0
    segments: int = 0
    waiting: int = 0
    lag_s: float = 0.0
    errors: int = 0
    last_error: str = ""
    paused_s: float = 0.0


@dataclass
class _Job:
    """A segment that is not uploaded yet, or gone before it was, and when it may be tried again."""

    work: Transfer | Clearing
    patience: Patience
    not_before: float = float("-inf")


@dataclass
class _Found:
    jobs: dict[Path, _Job] = field(default_factory=dict)
    done: set[Path] = field(default_factory=set)
    finished: frozenset[Path] = frozenset()
    looked: float | None = None
    failed_last: Path | None = None


class Uploader:
    """Use it from one thread; `metrics` from any. Parts have `part_size` bytes or what the storage demands."""

    def __init__(
        self,
        root: Path,
        storage: Storage,
        *,
        prefix: str = "",
        part_size: int = PART,
        io: IO | None = None,
        times: Times | None = None,
    ) -> None:
        storage_name(storage.name)
        self._root, self._storage, self._prefix, self._part_size = root, storage, prefix, part_size
        self._io, self._times = io or RealFiles(), times or Times()
        self._clock = self._times.clock
        self._tree, self._found = Tree(root, storage.name), _Found()
        self._patience, self._not_before = self._times.patience(), float("-inf")
        self.metrics = Metrics(storage.name)

    def step(self) -> float:
        """Send one thing at most. Seconds after which the next step is worth while; 0 when there is more to do."""
        now = self._clock()
        if now < self._not_before:
            return self._not_before - now
        if self._found.looked is None or now >= self._found.looked + self._times.look_every:
            self._look(now)
        for path, job in sorted(self._found.jobs.items(), key=lambda item: self._order(item[0])):
            if now >= job.not_before and self._try(path, job):
                self._measure()
                return max(0.0, self._not_before - self._clock())
        self._measure()
        return max(0.0, min([self._times.look_every, *(job.not_before - now for job in self._waiting(now))]))

    def _waiting(self, now: float) -> list[_Job]:
        return [job for job in self._found.jobs.values() if job.not_before > now]

    def _order(self, path: Path) -> tuple[bool, str, Path]:
        """The oldest first; but after the storage failed with one segment, any other is tried before that one."""
        return path == self._found.failed_last, path.name, path

    def _try(self, path: Path, job: _Job) -> bool:
        """One step of one segment; False if it has nothing to do now, so that the next may be asked."""
        sent = (job.work.sent_bytes, job.work.sent_parts)
        try:
            outcome = job.work.step()
        except FileNotFoundError:
            del self._found.jobs[path]  # removed, or renamed, meanwhile: the next look will tell
            return False
        except (RecorderError, OSError) as error:
            self._failed(path, job, error)
            return True
        if outcome is not Outcome.WAIT:  # else nothing was asked
            self._patience.worked()
            job.patience.worked()
            self._found.failed_last = None
        self._count(job, sent)
        if outcome in (Outcome.DONE, Outcome.CLEARED):
            del self._found.jobs[path]
        if outcome is Outcome.DONE:
            self._found.done.add(path)
            self.metrics = replace(self.metrics, segments=self.metrics.segments + 1)
        return outcome is not Outcome.WAIT

    def _failed(self, path: Path, job: _Job, error: RecorderError | OSError) -> None:
        """Leave this segment alone for a while, and all of the storage if that seems to be to blame."""
        now, wait = self._clock(), job.patience.failed()
        if isinstance(error, Unreachable | Refused) and not isinstance(error, Wrong):
            self._not_before, self._found.failed_last = now + self._patience.failed(), path
        job.not_before = max(now + wait, self._not_before)
        self.metrics = replace(self.metrics, errors=self.metrics.errors + 1, last_error=str(error))
        log.warning(
            "%s: not uploaded to %s, again in %.0f s: %s", path.name, self._storage.name, job.not_before - now, error
        )

    def _count(self, job: _Job, before: tuple[int, int]) -> None:
        self.metrics = replace(
            self.metrics,
            bytes_sent=self.metrics.bytes_sent + job.work.sent_bytes - before[0],
            parts_sent=self.metrics.parts_sent + job.work.sent_parts - before[1],
        )

    def _look(self, now: float) -> None:
        """See what is there now, and what is gone before its upload was complete."""
        seen, found = self._tree.look(), self._found
        there = seen.finished | seen.live
        gone = seen.journals - there
        found.looked, found.finished = now, seen.finished
        found.done &= there
        found.jobs = {path: job for path, job in found.jobs.items() if path in there | gone}
        for path in there - found.done - found.jobs.keys():
            if path in seen.finished and verified(path, self._storage.name, self._io):
                found.done.add(path)
            else:
                key = key_of(path, self._root, self._prefix)
                self._add(path, Transfer(self._io, self._storage, path, key, self._part_size))
        for path in gone - found.jobs.keys():
            self._add(path, Clearing(self._io, self._storage, path))

    def _add(self, path: Path, work: Transfer | Clearing) -> None:
        self._found.jobs[path] = _Job(work, self._times.patience())

    def _measure(self) -> None:
        waiting = self._found.finished & self._found.jobs.keys()
        self.metrics = replace(
            self.metrics,
            waiting=len(waiting),
            lag_s=self._age(min(waiting, key=lambda path: path.name)) if waiting else 0.0,
            paused_s=max(0.0, self._not_before - self._clock()),
        )

    def _age(self, path: Path) -> float:
        try:
            return max(0.0, self._times.wall() - path.stat().st_mtime)
        except OSError:
            return 0.0


def verified(path: Path, storage: str, io: IO) -> bool:
    """Whether the journal says so of the very file that is there now."""
    try:
        return peek(journal_of(path, storage), io).verified == Stamp.of(path)
    except OSError:
        return False
