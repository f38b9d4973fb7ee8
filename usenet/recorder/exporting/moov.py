"""The moov of an exported file: heads of the first source, tables and edit lists of the export."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..boxes.box import Box, box, full
from ..movie import GAPS
from ..reader import Mp4Track, Source
from ..reader.moov import EPOCH, START
from .columns import Columns

_ALL: Final = 0xFFFFFFFF  # in place of the next track's number: look for one


@dataclass(slots=True)
class Out:
    """A track of the export. `head`: the track whose words it takes, and where they are read."""

    id: int
    head: Mp4Track
    source: Source
    entries: list[bytes] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    first: int = 0  # when its first sample is shown, in ticks from the start of the export
    shown: int = 0  # when it ends


class Whole(NamedTuple):
    """Of the whole movie: ticks a second, UTC at its start (0: not known), and the gaps as JSON, if there are any."""

    scale: int
    start_ns: int
    gaps: bytes


def moov(source: Source, first: Box, tracks: Sequence[Out], whole: Whole) -> bytes:
    """`source`, `first`: the moov of the first file, whose tags are kept. Offsets count from the first sample."""
    made = [_trak(each, whole.scale) for each in tracks]
    kept, mvhd = [], b""
    for found in source.boxes(first.body, first.end):
        if found.kind == b"mvhd":
            duration, following = max(length for _, length in made), min(max(each.id for each in tracks) + 1, _ALL)
            mvhd = _mvhd(source.body(found), whole, duration, following)
        elif found.kind in {b"udta", b"meta"}:
            kept.append(source.read(found.start, found.end - found.start))
    told = [box(b"uuid", START, struct.pack(">Q", whole.start_ns))] if whole.start_ns else []
    told += [box(b"uuid", GAPS, whole.gaps)] if whole.gaps else []
    return box(b"moov", mvhd, *(trak for trak, _ in made), *kept, *told)


def _mvhd(body: bytes, whole: Whole, duration: int, following: int) -> bytes:
    created = whole.start_ns // 10**9 + EPOCH if whole.start_ns else 0
    rest = body[32:] if body[0] == 1 else body[20:]
    times = struct.pack(">QQIQ", created, created, whole.scale, duration)
    return full(b"mvhd", 1, 0, times, rest[:-4], struct.pack(">I", following))


def _trak(out: Out, scale: int) -> tuple[bytes, int]:
    """The trak, and when it ends in the movie's ticks."""
    pause, length = (
        round(ticks * scale / out.head.timescale) for ticks in (max(0, out.first), out.shown - max(0, out.first))
    )
    parts = []
    for each in out.source.boxes(out.head.box.body, out.head.box.end):
        if each.kind == b"tkhd":
            parts.append(_tkhd(out.source.body(each), out.id, pause + length))
            parts.append(_edits(out, pause, length))
        elif each.kind == b"mdia":
            parts.append(box(b"mdia", *_mdia(out, each)))
        elif each.kind == b"udta":
            parts.append(out.source.read(each.start, each.end - each.start))
    return box(b"trak", *parts), pause + length


def _tkhd(body: bytes, number: int, duration: int) -> bytes:
    created, rest = (body[4:20], body[36:]) if body[0] == 1 else (bytes(16), body[24:])
    return box(b"tkhd", b"\1" + body[1:4], created, struct.pack(">IIQ", number, 0, duration), rest)


def _edits(out: Out, pause: int, length: int) -> bytes:
    """A pause before a track that begins late; then the media, without what only the decoder needs."""
    begin = max(0, out.first) - out.columns.origin
    if not pause and not begin and out.shown == out.columns.end:
        return b""
    rows = [struct.pack(">QqHH", pause, -1, 1, 0)] if pause else []
    rows.append(struct.pack(">QqHH", length, begin, 1, 0))
    return box(b"edts", full(b"elst", 1, 0, struct.pack(">I", len(rows)), *rows))


def _mdia(out: Out, mdia: Box) -> Iterator[bytes]:
    for each in out.source.boxes(mdia.body, mdia.end):
        if each.kind == b"mdhd":
            body = out.source.body(each)
            created, rest = (body[4:20], body[32:]) if body[0] == 1 else (bytes(16), body[20:])
            times = struct.pack(">IQ", out.head.timescale, out.columns.end - out.columns.start)
            yield box(b"mdhd", b"\1\0\0\0", created, times, rest)
        elif each.kind == b"minf":
            yield box(b"minf", *_minf(out, each))
        else:
            yield out.source.read(each.start, each.end - each.start)


def _minf(out: Out, minf: Box) -> Iterator[bytes]:
    for each in out.source.boxes(minf.body, minf.end):
        if each.kind == b"stbl":
            stsd = full(b"stsd", 0, 0, struct.pack(">I", len(out.entries)), *out.entries)
            yield box(b"stbl", stsd, *out.columns.tables())
        else:
            yield out.source.read(each.start, each.end - each.start)
