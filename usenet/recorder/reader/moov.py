"""The moov box: the movie's and the tracks' heads, and where their sample tables lie. ISO/IEC 14496-12 §8.2 to §8.6."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..boxes.box import Box
from . import stbl
from .edits import Edit
from .edits import read as read_edits
from .fragments import Defaults
from .samples import Samples
from .source import At, Source, name

START: Final = bytes.fromhex("1f6d3b0a7c2e4d58a1937265636f7264")  # extended type of the box with the start in UTC ns
EPOCH: Final = 2_082_844_800  # seconds from 1904, MP4's, to 1970
KINDS: Final = {b"vide": "video", b"soun": "audio", b"sbtl": "text", b"text": "text", b"subt": "text", b"meta": "meta"}


@dataclass(frozen=True, slots=True)
class Trak:
    """A track as moov has it."""

    id: int
    box: Box
    handler: bytes
    name: str
    timescale: int
    duration: int
    language: str
    width: int
    height: int
    entries: tuple[bytes, ...]
    edits: tuple[Edit, ...]
    samples: Samples


@dataclass(frozen=True, slots=True)
class Moov:
    box: Box
    timescale: int
    duration: int
    created_ns: int
    start_ns: int
    traks: tuple[Trak, ...]
    defaults: dict[int, Defaults] | None


def read(source: Source, moov: Box) -> Moov:
    """Everything in it, tables included."""
    inside = list(_known(source, moov, {b"mvhd", b"trak", b"mvex", b"uuid"}))
    by = {each.kind: each for each in reversed(inside)}
    if b"mvhd" not in by:
        raise At(moov.start, "box moov has no mvhd")
    timescale, duration, created = _clock(source, by[b"mvhd"])
    traks = tuple(_trak(source, each) for each in inside if each.kind == b"trak")
    numbers = [each.id for each in traks]
    if len(set(numbers)) != len(numbers) or 0 in numbers:
        raise At(moov.start, f"box moov has tracks of the same number, or of number 0: {numbers[:9]}")
    begun = [source.read(each.body + 16, 8) for each in inside if _says(source, each, START, 24)]
    defaults = _mvex(source, by[b"mvex"]) if b"mvex" in by else None
    return Moov(moov, timescale, duration, created, int.from_bytes(b"".join(begun[:1]), "big"), traks, defaults)


def _says(source: Source, found: Box, extended: bytes, least: int) -> bool:
    """Whether it is our uuid box of this extended type."""
    return found.kind == b"uuid" and found.end - found.body >= least and source.read(found.body, 16) == extended


def _known(source: Source, parent: Box, kinds: set[bytes]) -> Iterator[Box]:
    return (each for each in source.boxes(parent.body, parent.end) if each.kind in kinds)


def _single(source: Source, parent: Box, kinds: set[bytes]) -> dict[bytes, Box]:
    """The children of these kinds, each of which may be there once."""
    found: dict[bytes, Box] = {}
    for each in _known(source, parent, kinds):
        if each.kind in found:
            raise At(each.start, f"box {name(parent.kind)} has a second {name(each.kind)}")
        found[each.kind] = each
    return found


def _need(parent: Box, found: dict[bytes, Box], kind: bytes) -> Box:
    if kind not in found:
        raise At(parent.start, f"box {name(parent.kind)} has no {name(kind)}")
    return found[kind]


def _clock(source: Source, found: Box) -> tuple[int, int, int]:
    """Timescale, duration and creation time (ns since 1970, 0 for unknown) of mvhd or mdhd."""
    body = source.body(found, 20)
    if body[0] == 1 and len(body) < 32:
        raise At(found.start, f"box {name(found.kind)} is too short for its version")
    created, timescale, duration = struct.unpack_from(*((">4xQ8xIQ", body) if body[0] == 1 else (">4xI4xII", body)))
    if not timescale:
        raise At(found.start, f"box {name(found.kind)} has no ticks in a second")
    return timescale, duration, max(0, created - EPOCH) * 10**9


def _trak(source: Source, trak: Box) -> Trak:
    inside = _single(source, trak, {b"tkhd", b"edts", b"mdia"})
    number, width, height = _tkhd(source, _need(trak, inside, b"tkhd"))
    mdia = _need(trak, inside, b"mdia")
    media = _single(source, mdia, {b"mdhd", b"hdlr", b"minf"})
    mdhd = _need(mdia, media, b"mdhd")
    timescale, duration, _ = _clock(source, mdhd)
    hdlr = source.body(_need(mdia, media, b"hdlr"), 20)
    table = _need(mdia, media, b"minf")
    found = _need(table, _single(source, table, {b"stbl"}), b"stbl")
    tables = _single(source, found, {b"stsd", b"stts", b"ctts", b"stss", b"stsz", b"stz2", b"stsc", b"stco", b"co64"})
    entries = _entries(source, _need(found, tables, b"stsd"))
    return Trak(
        *(number, trak, hdlr[8:12], _handler_name(hdlr[20:]), timescale, duration),
        *(_language(source, mdhd), width, height, entries, _elst(source, inside.get(b"edts"))),
        stbl.read(source, found, tables, len(entries)),
    )


def _tkhd(source: Source, found: Box) -> tuple[int, int, int]:
    """Number, width and height; whole pixels."""
    body = source.body(found, 84)
    long = body[0] == 1
    if long and len(body) < 96:
        raise At(found.start, "box tkhd is too short for its version")
    (number,) = struct.unpack_from(">I", body, 20 if long else 12)
    width, height = struct.unpack_from(">II", body, 88 if long else 76)
    return number, width >> 16, height >> 16


def _language(source: Source, mdhd: Box) -> str:
    body = source.body(mdhd)
    at = 32 if body[0] == 1 else 20
    code = int.from_bytes(body[at : at + 2], "big")
    letters = "".join(chr(0x60 + (code >> shift & 31)) for shift in (10, 5, 0))
    return letters if letters.isalpha() and letters.islower() else "und"


def _handler_name(tail: bytes) -> str:
    """MP4 ends it with a zero; QuickTime begins it with its length."""
    text = tail[1:] if tail and tail[0] == len(tail) - 1 else tail
    return text.split(b"\0")[0].decode("utf-8", "replace")


def _entries(source: Source, stsd: Box) -> tuple[bytes, ...]:
    body = source.body(stsd, 8)
    (count,) = struct.unpack_from(">4xI", body)
    found = tuple(source.read(each.start, each.end - each.start) for each in source.boxes(stsd.body + 8, stsd.end))
    if count != len(found) or not found:
        raise At(stsd.start, f"box stsd says {count} sample entries, {len(found)} are there")
    return found


def _elst(source: Source, edts: Box | None) -> tuple[Edit, ...]:
    found = _single(source, edts, {b"elst"}) if edts else {}
    return tuple(read_edits(source, found[b"elst"])) if found else ()


def _mvex(source: Source, mvex: Box) -> dict[int, Defaults]:
    found = {}
    for each in _known(source, mvex, {b"trex"}):
        number, *values = struct.unpack_from(">4x5I", source.body(each, 24))
        found[number] = Defaults(*values)
    return found
