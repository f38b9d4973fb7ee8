"""The head of a segment: where its parts lie, what it says of the file, and the bytes that make it a finished one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from .boxes.box import find
from .errors import Damaged, TooNew
from .movie import FTYP, track_ids
from .tracks import Track

VERSION: Final = 1
FLIP: Final = len(FTYP)  # the box that begins here says what the file is
GUARD: Final = 32  # header of the free box, and what is at the beginning of it
MDAT: Final = 16  # header of an mdat with a 64-bit size
PAGE: Final = 4096
MOST: Final = 256 << 20  # no head is longer: a moov that needs more room lies at the end

_guard = struct.Struct(">I4s4sIQHH4x")
_CRC: Final = 12  # where in it: the CRC of everything before the guard, and of the guard with this field zero

Life = Literal["live", "sealed-head", "sealed-tail"]
_LIVES: dict[bytes, Life] = {b"moov": "live", b"free": "sealed-head", b"mdat": "sealed-tail"}


class Head(NamedTuple):
    """`init` is the initial moov; `reserve` the length of the free box behind it, where the final moov will lie."""

    init: bytes
    reserve: int
    nonce: int

    @property
    def data_start(self) -> int:
        return FLIP + len(self.init) + self.reserve

    @property
    def moov_off(self) -> int:
        return FLIP + len(self.init) + GUARD

    @property
    def room(self) -> int:
        """The longest final moov that the reserve can hold."""
        return self.reserve - GUARD - MDAT

    def write(self) -> bytes:
        """All that is written at the beginning; the rest of the reserve is only allocated."""
        told = FTYP + self.init
        guard = bytearray(_guard.pack(self.reserve, b"free", b"RHD1", 0, self.nonce, VERSION, 0))
        guard[_CRC : _CRC + 4] = zlib.crc32(guard, zlib.crc32(told)).to_bytes(4, "big")
        return told + bytes(guard)

    @property
    def flip(self) -> bytes:
        """What is written at FLIP when the final moov lies in the reserve."""
        return struct.pack(">I4s", len(self.init) + GUARD, b"free")


def tail_flip(moov_off: int) -> bytes:
    """What is written at FLIP when the final moov lies at the end: everything between is media data."""
    return mdat_header(moov_off - FLIP)


def mdat_header(size: int) -> bytes:
    """`size` counts this header."""
    return struct.pack(">I4sQ", 1, b"mdat", size)


def reserve(tracks: Sequence[Track], seconds: float, chunk_ms: int) -> int:
    """Room for the final moov of a recording this long; whole pages, the initial moov counted elsewhere."""
    need = 8192.0
    for track in tracks:
        rate = min(track.timescale / track.duration if track.duration > 1 else 60, 240)
        need += (12 if track.kind == "video" else 4) * rate * seconds + 32 * seconds * 1000 / max(chunk_ms, 1000 / rate)
    return -(-int(min(need, MOST)) // PAGE) * PAGE


def life(start: bytes) -> Life:
    """What a file's first bytes say of it. Damaged if they say nothing that we write."""
    try:
        return _LIVES[bytes(start[FLIP + 4 : FLIP + 8])]
    except KeyError:
        raise Damaged("the file does not begin as a segment of ours") from None


def parse(start: bytes) -> Head:
    """The head of a live segment from its first bytes. Damaged if they are not as they were written."""
    if start[:FLIP] != FTYP or len(start) < FLIP + 8:
        raise Damaged("the file does not begin as a segment of ours")
    length = int.from_bytes(start[FLIP : FLIP + 4], "big")
    end = FLIP + length
    if start[FLIP + 4 : FLIP + 8] != b"moov" or length < 8 or end + GUARD > len(start):
        raise Damaged("the head of the segment is cut off")
    size, free, mark, crc, nonce, version, _ = _guard.unpack_from(start, end)
    guard = start[end : end + _CRC] + bytes(4) + start[end + _CRC + 4 : end + GUARD]
    if (free, mark) != (b"free", b"RHD1") or crc != zlib.crc32(guard, zlib.crc32(start[:end])) or size < GUARD + MDAT:
        raise Damaged("the head of the segment is not as it was written")
    if version > VERSION:
        raise TooNew(f"the segment is of version {version}, this program knows {VERSION}")
    return Head(bytes(start[FLIP:end]), size, nonce)


def from_index(told: bytes, reserve_: int, nonce: int) -> Head:
    """The head that an index repeats. Damaged if it holds no moov."""
    if told[:FLIP] != FTYP or find(told, "moov") is None:
        raise Damaged("the index repeats no head of ours")
    track_ids(told)
    return Head(bytes(told[FLIP:]), reserve_, nonce)
