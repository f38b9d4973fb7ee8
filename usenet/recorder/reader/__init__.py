"""MP4 files read: progressive, fragmented or both, into columns of samples; never the whole file, never the media.

    movie = read(path)
    for sample in movie.tracks[0]:
        print(sample.pts, sample.sync)

Whatever a file holds, the answer is a movie or `Damaged`, whose sentence names the box and the byte.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..boxes.box import Box
from ..errors import Damaged
from ..io import IO, Files
from . import moov as _moov
from .edits import Edit, Edits, edits
from .fragments import Defaults, Fragments, Growing
from .samples import Place, Row, Samples
from .source import At, Source, name

__all__ = ["At", "Edit", "Edits", "Mp4", "Mp4Sample", "Mp4Track", "Place", "Row", "Samples", "Source", "read", "scan"]


class Mp4Sample(NamedTuple):
    """One sample. `dts` and `cts` are the media's own times; `pts` is when a player shows it, edit list applied.

    All in ticks of the track. `shown` is False when the edit list hides it: decoded perhaps, never presented.
    """

    number: int
    offset: int
    size: int
    dts: int
    cts: int
    pts: int
    duration: int
    sync: bool
    entry: int
    shown: bool


@dataclass(frozen=True, slots=True)
class Mp4Track:
    """A track: its head, its sample entries as they lie in the file, and its samples as columns.

    `kind` is video, audio, text, meta, or the handler's four letters. `duration` is what the file says, in ticks.
    """

    id: int
    kind: str
    handler: bytes
    name: str
    language: str
    timescale: int
    duration: int
    width: int
    height: int
    entries: tuple[bytes, ...]
    edits: Edits
    samples: Samples
    box: Box  # where its trak lies

    def __len__(self) -> int:
        return self.samples.count

    def __iter__(self) -> Iterator[Mp4Sample]:
        return self.rows()

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[Mp4Sample]:
        """The samples `first` to `last` - 1 in decoding order."""
        place = self.edits.place
        for number, offset, size, dts, cts, duration, sync, entry in self.samples.rows(first, last):
            pts, shown = place(cts, duration)
            yield Mp4Sample(number, offset, size, dts, cts, pts, duration, sync, entry, shown)


@dataclass(frozen=True, slots=True)
class Mp4:
    """A file, read. `end` is the first byte behind its last whole box; `torn` says why that is not the end, or ""."""

    size: int
    brands: tuple[bytes, ...]
    timescale: int
    duration: int
    created_ns: int
    start_ns: int  # UTC at presentation time 0, where the file tells it to the nanosecond; else 0
    tracks: tuple[Mp4Track, ...]
    moov: Box
    fragments: int  # how many there are
    end: int
    torn: str = ""
    media_start: array[int] = field(default_factory=lambda: array("Q"))
    media_end: array[int] = field(default_factory=lambda: array("Q"))

    def track(self, number: int) -> Mp4Track:
        """The track of this number. KeyError if there is none."""
        for each in self.tracks:
            if each.id == number:
                return each
        raise KeyError(number)

    def in_media(self, offset: int, length: int) -> bool:
        """Whether these bytes lie inside one mdat."""
        at = bisect_right(self.media_start, offset) - 1
        return at >= 0 and offset + length <= self.media_end[at]


def read(path: Path | str, *, io: IO | None = None, torn: bool = False) -> Mp4:
    """The file at `path`. With `torn`, a last box that is cut off ends it, as in a segment that is being written.

    Damaged when it is no MP4 file or not a sound one; OSError when it can't be read.
    """
    io = io or Files()
    handle = io.open(os.fspath(path), "read")
    try:
        return scan(Source(lambda offset, length: io.pread(handle, length, offset), io.size(handle)), torn=torn)
    finally:
        io.close(handle)


def scan(source: Source, *, torn: bool = False) -> Mp4:
    """The same for bytes from anywhere."""
    found = _Found()
    try:
        _walk(source, found)
    except Damaged as error:
        if not torn or found.head is None:
            raise
        found.torn = error.message
    head = found.head
    if head is None:
        raise At(0, "there is no moov box: this is no MP4 file, or its end is lost")
    tracks = tuple(_track(head, trak) for trak in head.traks)
    return Mp4(
        *(source.size, found.brands, head.timescale, head.duration, head.created_ns, head.start_ns, tracks, head.box),
        *(found.fragments.count if found.fragments else 0, found.end, found.torn),
        *(found.media_start, found.media_end),
    )


@dataclass(slots=True)
class _Found:
    brands: tuple[bytes, ...] = ()
    head: _moov.Moov | None = None
    fragments: Fragments | None = None
    media_start: array[int] = field(default_factory=lambda: array("Q"))
    media_end: array[int] = field(default_factory=lambda: array("Q"))
    end: int = 0
    torn: str = ""


def _walk(source: Source, found: _Found) -> None:
    """Through the boxes of the file; fragments are taken when the mdat behind them is seen to be whole."""
    waiting: Box | None = None
    for each in source.boxes(0, source.size):
        if each.kind == b"moov":
            if found.head is not None:
                raise At(each.start, "there is a second moov box")
            found.head = _moov.read(source, each)
            found.fragments = _fragments(source, found.head)
        elif each.kind == b"moof":
            waiting = each
            continue
        elif each.kind == b"mdat":
            found.media_start.append(each.body)
            found.media_end.append(each.end)
        elif each.kind == b"ftyp":
            body = source.body(each, 8)
            found.brands = (body[:4], *struct.unpack(f"{(len(body) - 8) // 4 * '4s'}", body[8 : len(body) // 4 * 4]))
        if waiting is not None:
            _fragment(found, waiting)
            waiting = None
        found.end = each.end
    if waiting is not None:
        _fragment(found, waiting)
        found.end = waiting.end


def _fragment(found: _Found, moof: Box) -> None:
    if found.fragments is None:
        raise At(moof.start, "box moof stands before moov, or moov has no mvex")
    found.fragments.add(moof)


def _fragments(source: Source, head: _moov.Moov) -> Fragments | None:
    if head.defaults is None:
        return None
    growing = {}
    for each in head.traks:
        defaults = head.defaults.get(each.id, Defaults(1, 0, 0, 0))
        growing[each.id] = Growing(each.samples, defaults, len(each.entries), each.samples.end)
    return Fragments(source, growing)


def _track(head: _moov.Moov, trak: _moov.Trak) -> Mp4Track:
    kind = _moov.KINDS.get(trak.handler) or name(trak.handler)
    return Mp4Track(
        *(trak.id, kind, trak.handler, trak.name, trak.language, trak.timescale, trak.duration),
        *(trak.width, trak.height, trak.entries, edits(trak.edits, trak.timescale, head.timescale)),
        *(trak.samples, trak.box),
    )
