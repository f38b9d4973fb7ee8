"""Cut and join recordings without coding them anew: `export`.

A gap is a last picture (and packet) that stands until the next source begins: libav, GStreamer and mkvmerge all keep
its time. An exact cut is one edit that hides what comes before: libav shows neither a picture more nor less; mkvmerge
shows the hidden ones too, with the sound in time; GStreamer 1.22 ends up to that much too early where a key frame lies
there, as with the cuts that ffmpeg makes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import Busy, Damaged, Full, RecorderError
from ..head import MDAT, mdat_header
from ..io import IO, Files
from ..movie import FTYP
from ..offsets import moved
from ..reader import Source
from .footage import Footage, opened, when
from .join import Join, fill
from .lay import lay
from .moov import Whole, moov

__all__ = ["Exported", "export"]

_BLOCK: Final = 1 << 20
_SOME: Final = "ffmpeg and GStreamer play that, mkvmerge and some televisions know only the first"
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Exported:
    """A new file. `start_ns`, `end_ns`: what it really shows, UTC, 0 if the sources don't tell. `gaps`: (start_ns, ns).

    `notes` are sentences for people: where the borders are if not where they were asked for, what is missing.
    """

    path: Path
    bytes: int
    seconds: float
    start_ns: int
    end_ns: int
    sources: tuple[Path, ...]
    samples: tuple[tuple[str, int], ...]  # (kind, how many) of each track
    gaps: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]


def export(
    sources: Sequence[Path],
    out: Path,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    exact: bool = False,
    close_gaps: bool = False,
    io: IO | None = None,
) -> Exported:
    """What was recorded from `start_ns` to `end_ns` (UTC), from finished segments and from X.mp4.part, as one file.

    Borders are the key frames around it; with `exact` the pictures themselves, where an edit list hides what only the
    decoder needs. Time between segments stays, as a picture that stands, unless `close_gaps`. Nothing is overwritten:
    `out` is not there until it is whole and durable. RecorderError says why it can't be done, Full: there is no room.
    """
    io = io or Files()
    if not sources:
        raise RecorderError("there is nothing to export", code=2)
    if io.exists(os.fspath(out)):
        raise RecorderError(f"{out} is there already", hint="move it away or choose another name", code=2)
    with contextlib.ExitStack() as stack:
        footage = [stack.enter_context(opened(Path(each), io)) for each in sources]
        try:
            found = fill(lay(footage, start_ns, end_ns, exact=exact, close=close_gaps))
            if not found.outs:
                raise RecorderError("no track has anything to show there", hint="usenet recorder list")
            size = _write(io, Path(out), found)
        except (OverflowError, struct.error) as error:
            raise Damaged(f"a source has times or sizes that no file can hold: {error}") from error
        return _told(Path(out), size, found, start_ns, end_ns)


def _told(out: Path, size: int, found: Join, start_ns: int | None, end_ns: int | None) -> Exported:
    first, last = found.cuts[0], found.cuts[-1]
    known = bool(first.footage.zero_ns and last.footage.zero_ns)
    begin, end = (first.footage.utc(first.begin), last.footage.utc(last.end)) if known else (0, 0)
    notes = []
    for asked, real, word in ((start_ns, begin, "starts"), (end_ns, end, "ends")):
        if asked is not None and abs(real - asked) >= 10**6:
            notes.append(f"it {word} at {when(real)}, {_apart(real - asked)} what was asked for")
    gaps = tuple((begin + round(at * 10**9), round(length * 10**9)) for at, length in found.gaps)
    notes += [f"{length / 10**9:.1f} s are missing from {when(at)} on" for at, length in gaps]
    notes += [f"the settings of {each.head.kind} change in it: {_SOME}" for each in found.outs if len(each.entries) > 1]
    samples = tuple((each.head.kind, each.columns.count) for each in found.outs)
    taken = tuple(cut.footage.path for cut in found.cuts)
    return Exported(out, size, float(found.end), begin, end, taken, samples, gaps, tuple(notes))


def _apart(ns: int) -> str:
    return f"{abs(ns) / 10**9:.3f} s {'behind' if ns > 0 else 'before'}"


def _write(io: IO, out: Path, found: Join) -> int:
    """Under another name until it is durable. Leaves nothing behind when it fails. Returns its size."""
    rough = f"{out}.exporting"
    handle = _claim(io, rough)
    try:
        size = _fill(io, handle, found)
        io.sync(handle)
        io.rename(rough, os.fspath(out))
        io.syncdir(str(out.parent))
    except BaseException as error:
        with contextlib.suppress(OSError):
            io.unlink(rough)
        if isinstance(error, FileExistsError):
            raise RecorderError(
                f"{out} is there already", hint="move it away or choose another name", code=2
            ) from error
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise Full(f"{out}: no room left on the drive", hint="export to another drive") from error
        raise
    finally:
        io.close(handle)
    return size


def _claim(io: IO, rough: str) -> int:
    """A file of our own; what an export that was cut off left there is taken over."""
    try:
        handle = io.open(rough, "new")
    except FileExistsError:
        handle = io.open(rough, "write")
    if not io.lock(handle):
        io.close(handle)
        raise Busy(f"{rough} is being written by another export")
    io.truncate(handle, 0)
    return handle


def _fill(io: IO, handle: int, found: Join) -> int:
    payload = _place(found)
    told = _moov(found)
    front = len(FTYP) + len(told) + MDAT
    io.pwrite(handle, FTYP + moved(told, front) + mdat_header(MDAT + payload), 0)
    at = front
    for number, cut in enumerate(found.cuts):
        for block in _blocks(cut.footage, found, number):
            io.pwrite(handle, block, at)
            at += len(block)
    return at


def _moov(found: Join) -> bytes:
    first = found.cuts[0]
    begin = first.footage.utc(first.begin) if first.footage.zero_ns else 0
    gaps = [{"at_ms": round(at * 1000), "ms": round(length * 1000)} for at, length in found.gaps]
    told = json.dumps(gaps).encode() if gaps else b""
    source = Source(first.footage.fetch, first.footage.movie.size)
    return moov(source, first.footage.movie.moov, found.outs, Whole(found.scale, begin, told))


def _place(found: Join) -> int:
    """Gives each piece its place behind the head; how many bytes there are."""
    at = 0
    for number in range(len(found.cuts)):
        for place, part in found.pieces(number):
            part.out.columns.place(at, place, part.span.entries)
            at += place.length
    return at


def _blocks(footage: Footage, found: Join, number: int) -> Iterator[bytes]:
    """The pieces of one source, in blocks of about a megabyte."""
    waiting, length = list[bytes](), 0
    for place, _ in found.pieces(number):
        for at in range(0, place.length, _BLOCK):
            wanted = min(_BLOCK, place.length - at)
            data = footage.fetch(place.offset + at, wanted)
            if len(data) != wanted:
                raise Damaged(
                    f"{footage.path} became shorter while it was read, at byte {place.offset + at + len(data)}"
                )
            waiting.append(data)
            length += wanted
        if length >= _BLOCK:
            yield b"".join(waiting)
            waiting, length = [], 0
    yield b"".join(waiting)
