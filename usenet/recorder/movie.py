"""The moov of a live file, empty but for what the tracks are, and the moov of a finished one, made from it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Final

from . import told
from .boxes.box import Buffer, box, boxes, find, full
from .errors import Damaged
from .tables import Table
from .tracks import Movie, Track

FTYP: Final = box(b"ftyp", b"iso6", struct.pack(">I", 512), b"iso6isommp41avc1")
EPOCH: Final = 2_082_844_800  # seconds from 1904, where MP4 counts from, to 1970
GAPS: Final = bytes.fromhex("9a3f6c1a1f5b4e0f8d0c7265636f7264")  # extended type of the box that lists gaps

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_HANDLERS = {"video": b"vide", "audio": b"soun", "text": b"text", "meta": b"meta"}
_TEXT = {b"tx3g": b"sbtl", b"wvtt": b"text"}
_u32 = struct.Struct(">I")


def init_moov(movie: Movie, tracks: Sequence[Track]) -> bytes:
    """An empty moov with mvex, as a fragmented file begins with it. Times of creation are whole seconds, UTC."""
    created = movie.created_ns // 1_000_000_000 + EPOCH if movie.created_ns else 0
    scale = _timescale(tracks)
    head = struct.pack(">QQIQIHH8x", created, created, scale, 0, 0x10000, 0x100, 0)
    mvhd = full(b"mvhd", 1, 0, head, _MATRIX, bytes(24), _u32.pack(max(track.id for track in tracks) + 1))
    trex = [full(b"trex", 0, 0, struct.pack(">5I", track.id, 1, 0, 0, 0)) for track in tracks]
    traks = [_trak(track, created) for track in tracks]
    return box(b"moov", mvhd, *traks, box(b"mvex", *trex), *told.write(movie))


def _timescale(tracks: Sequence[Track]) -> int:
    """One in which every track's times are whole, where 32 bits allow it."""
    common = math.lcm(*(track.timescale for track in tracks))
    return common if common < 1 << 31 else max(track.timescale for track in tracks)


def _trak(track: Track, created: int) -> bytes:
    volume = 0x100 if track.kind == "audio" else 0
    tkhd = struct.pack(
        ">QQIIQ8xHHHH", created, created, track.id, 0, 0, 0, 1 if track.kind == "audio" else 0, volume, 0
    )
    shape = struct.pack(">II", track.width << 16, track.height << 16)
    language = _language(track.language)
    mdhd = struct.pack(">QQIQHH", created, created, track.timescale, 0, language, 0)
    handler = _TEXT.get(track.entry[4:8], _HANDLERS[track.kind])
    hdlr = full(b"hdlr", 0, 0, bytes(4), handler, bytes(12), (track.name or track.kind).encode() + b"\0")
    dinf = box(b"dinf", full(b"dref", 0, 0, _u32.pack(1), full(b"url ", 0, 1)))
    empty = [full(b"stts", 0, 0, bytes(4)), full(b"stsc", 0, 0, bytes(4)), full(b"stsz", 0, 0, bytes(8))]
    empty.append(full(b"stco", 0, 0, bytes(4)))
    stbl = box(b"stbl", full(b"stsd", 0, 0, _u32.pack(1), track.entry), *empty)
    minf = box(b"minf", _media_header(track), dinf, stbl)
    return box(b"trak", full(b"tkhd", 1, 3, tkhd, _MATRIX, shape), box(b"mdia", full(b"mdhd", 1, 0, mdhd), hdlr, minf))


def _media_header(track: Track) -> bytes:
    if track.kind == "video":
        return full(b"vmhd", 0, 1, bytes(8))
    if track.kind == "audio":
        return full(b"smhd", 0, 0, bytes(4))
    return full(b"nmhd", 0, 0)


def _language(code: str) -> int:
    """ISO 639-2 in three times five bits."""
    letters = code if len(code) == 3 and code.isascii() and code.islower() and code.isalpha() else "und"
    return sum((ord(letter) - 0x60) << shift for letter, shift in zip(letters, (10, 5, 0), strict=True))


def track_ids(init: Buffer) -> list[tuple[int, int]]:
    """(track, timescale) of each trak of a moov that `init_moov` made, in its order. Damaged if it is none."""
    moov = find(init, "moov")
    if moov is None:
        raise Damaged("there is no moov")
    try:
        return [_ids(init, each.body, each.end) for each in boxes(init, moov.body, moov.end) if each.kind == b"trak"]
    except struct.error as error:
        raise Damaged(f"the moov is cut off: {error}") from None


def _ids(init: Buffer, start: int, end: int) -> tuple[int, int]:
    tkhd, mdhd = find(init, "tkhd", start, end), find(init, "mdia/mdhd", start, end)
    if tkhd is None or mdhd is None:
        raise Damaged("a track of the moov has no header")
    return _u32.unpack_from(init, tkhd.body + 20)[0], _u32.unpack_from(init, mdhd.body + 20)[0]


def final_moov(init: Buffer, tables: Sequence[Table], *, shift: int = 0, gaps: Sequence[tuple[int, int]] = ()) -> bytes:
    """The moov of a finished file: `init`, a moov of ours, with real tables, lengths and edit lists.

    Everything else is kept byte for byte: sample entries, languages, names, tags. A track that begins late has an empty
    edit before it. `gaps` are (milliseconds from the start, milliseconds long), told in a box of their own.
    """
    moov = find(init, "moov")
    mvhd = None if moov is None else find(init, "mvhd", moov.body, moov.end)
    if moov is None or mvhd is None:
        raise Damaged("there is no moov to finish")
    (scale,) = _u32.unpack_from(init, mvhd.body + 20)
    rows = {table.track: table for table in tables}
    out, longest = [b""], 0
    for each in boxes(init, moov.body, moov.end):
        if each.kind == b"trak":
            track, ticks = _ids(init, each.body, each.end)
            if rows[track].samples:
                trak, length = _finished(init, each.body, each.end, rows[track], scale / ticks, shift)
                longest = max(longest, length)
                out.append(trak)
        elif each.kind not in {b"mvhd", b"mvex"}:
            out.append(bytes(init[each.start : each.end]))
    out[0] = _patched(init, mvhd.start, mvhd.end, 24 + 8, longest)
    if gaps:
        out.append(box(b"uuid", GAPS, json.dumps([{"at_ms": at, "ms": ms} for at, ms in gaps]).encode()))
    return box(b"moov", *out)


def _finished(init: Buffer, start: int, end: int, table: Table, rate: float, shift: int) -> tuple[bytes, int]:
    """One trak, and its length in the movie's timescale.

    Where pictures are decoded before others that are shown earlier, the edit list says from when to when they are
    shown: without it GStreamer cuts off the last ones.
    """
    before, length = round((table.first + table.lead) * rate), round(table.presented * rate)
    parts = []
    for each in boxes(init, start, end):
        if each.kind == b"tkhd":
            parts.append(_patched(init, each.start, each.end, 36, before + length))
            if before:
                empty = struct.pack(">QqHH", before, -1, 1, 0) + struct.pack(">QqHH", length, table.lead, 1, 0)
                parts.append(box(b"edts", full(b"elst", 1, 0, _u32.pack(2), empty)))
        elif each.kind == b"mdia":
            parts.append(_media(init, each.body, each.end, table, shift))
        else:
            parts.append(bytes(init[each.start : each.end]))
    return box(b"trak", *parts), before + length


def _media(init: Buffer, start: int, end: int, table: Table, shift: int) -> bytes:
    parts = []
    for each in boxes(init, start, end):
        if each.kind == b"mdhd":
            parts.append(_patched(init, each.start, each.end, 32, table.duration))
        elif each.kind == b"minf":
            parts.append(_tables(init, each.body, each.end, table, shift))
        else:
            parts.append(bytes(init[each.start : each.end]))
    return box(b"mdia", *parts)


def _tables(init: Buffer, start: int, end: int, table: Table, shift: int) -> bytes:
    parts = []
    for each in boxes(init, start, end):
        if each.kind == b"stbl":
            stsd = find(init, "stsd", each.body, each.end)
            if stsd is None:
                raise Damaged("a track of the moov does not say what its samples are")
            parts.append(box(b"stbl", *table.stbl(bytes(init[stsd.start : stsd.end]), shift)))
        else:
            parts.append(bytes(init[each.start : each.end]))
    return box(b"minf", *parts)


def _patched(init: Buffer, start: int, end: int, at: int, value: int) -> bytes:
    out = bytearray(init[start:end])
    struct.pack_into(">Q", out, at, value)
    return bytes(out)
