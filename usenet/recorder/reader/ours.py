"""What only a segment of ours has: its head and its fragments, which a finished file still carries inside its mdat."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from .. import head as heads
from ..boxes.box import header
from ..errors import Damaged
from ..head import FLIP, GUARD, Head, Life
from ..movie import FTYP
from .source import Source

_FAR: Final = 1 << 20
_MVHD: Final = 120  # bytes of the first box of an initial moov of ours


class Ours(NamedTuple):
    """The head as it was before the flip, and where the last fragment ends at the latest."""

    head: Head
    life: Life
    end: int


def find(source: Source) -> Ours:
    """The head of a segment of ours, live or finished. Damaged when the file is none, or its head is not whole."""
    start = source.read(0, min(_FAR, source.size))
    life = heads.life(start)
    if life == "live":
        return Ours(heads.parse(start), life, source.size)
    if life == "sealed-head":
        length = int.from_bytes(start[FLIP : FLIP + 4], "big") - GUARD
        return Ours(heads.parse(_before(start, length, start[FLIP + 8 : FLIP + 16])), life, source.size)
    end = FLIP + int.from_bytes(start[FLIP + 8 : FLIP + 16], "big")
    return Ours(heads.parse(_before(start, _length(start), struct.pack(">I4s", _MVHD, b"mvhd"))), life, end)


def _before(start: bytes, length: int, mvhd: bytes) -> bytes:
    """The first bytes with what the flip wrote over put back; the CRC of the head then says whether it is right."""
    if not 0 < length < 1 << 32:
        raise Damaged("the head of the segment says no length that it can have")
    return FTYP + struct.pack(">I4s", length, b"moov") + mvhd + start[FLIP + 16 :]


def _length(start: bytes) -> int:
    """Of the initial moov, whose own length a flip at the tail wrote over: the sum of its boxes, up to the guard."""
    at = FLIP + 8 + _MVHD
    while start[at + 4 : at + 12] != b"freeRHD1":
        at = header(start, at, len(start)).end
    return at - FLIP
