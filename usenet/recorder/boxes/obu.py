"""AV1's units and VP9's frame header: what a sample entry repeats of them, and where decoding can begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import Damaged
from .bits import Bits

SEQUENCE, DELIMITER, FRAME_HEADER, FRAME = 1, 2, 3, 6  # AV1 §6.2.2


class Unit(NamedTuple):
    """One OBU: `whole` with header and size, `body` without."""

    kind: int
    whole: bytes
    body: bytes


def units(data: bytes) -> Iterator[Unit]:
    """The OBUs of a packet in the low-overhead format (§5.2). Damaged when one does not fit."""
    at = 0
    while at < len(data):
        first = data[at]
        if first & 0x80:
            raise Damaged(f"byte {at} of an AV1 packet begins no OBU")
        body = at + (2 if first & 4 else 1)
        size = len(data) - body
        if first & 2:
            size, body = _leb128(data, body)
        if size < 0 or body + size > len(data):
            raise Damaged(f"an OBU at byte {at} says {size} bytes, {max(len(data) - body, 0)} are there")
        yield Unit(first >> 3 & 15, data[at : body + size], data[body : body + size])
        at = body + size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + 8]):
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    raise Damaged(f"the size of an OBU at byte {at} has no end")


@dataclass(frozen=True, slots=True)
class Sequence:
    """What av1C repeats of a sequence header (§5.5)."""

    width: int
    height: int
    profile: int
    level: int
    tier: int
    bits: int
    grey: bool
    half_across: bool
    half_down: bool
    position: int
    still: bool


def sequence(body: bytes) -> Sequence:
    """A sequence header's content. Damaged if it is none."""
    bits = Bits(body)
    profile = bits.u(3)
    if profile > 2:
        raise Damaged(f"an AV1 sequence header has profile {profile}; there are 0 to 2")
    bits.skip(1)
    still = bits.flag()
    level, tier = (bits.u(5), 0) if still else _operating_points(bits)
    across, down = bits.u(4) + 1, bits.u(4) + 1
    width, height = bits.u(across) + 1, bits.u(down) + 1
    if width > 0xFFFF or height > 0xFFFF:
        raise Damaged(f"an AV1 sequence header has pictures of {width}x{height}; an MP4 file holds 65535 at most")
    _tools(bits, still)
    return Sequence(width, height, profile, level, tier, *_colour(bits, profile), still)


def _operating_points(bits: Bits) -> tuple[int, int]:
    """Level and tier of the first operating point; passes over timing and the others."""
    delay, model = 0, False
    if bits.flag():
        bits.skip(64)
        if bits.flag():
            bits.ue()
        model = bits.flag()
        if model:
            delay = bits.u(5) + 1
            bits.skip(42)
    shown = bits.flag()
    points = []
    for _ in range(bits.u(5) + 1):
        bits.skip(12)
        level = bits.u(5)
        points.append((level, bits.u(1) if level > 7 else 0))
        if model and bits.flag():
            bits.skip(2 * delay + 1)
        if shown and bits.flag():
            bits.skip(4)
    return points[0]


def _tools(bits: Bits, still: bool) -> None:
    """Passes over the coding tools, none of which av1C repeats."""
    if not still and bits.flag():
        bits.skip(7)
    bits.skip(3)
    if not still:
        bits.skip(4)
        ordered = bits.flag()
        bits.skip(2 * ordered)
        screen = 2 if bits.flag() else bits.u(1)
        if screen and not bits.flag():
            bits.skip(1)
        bits.skip(3 * ordered)
    bits.skip(3)


def _colour(bits: Bits, profile: int) -> tuple[int, bool, bool, bool, int]:
    """Bits of a sample, grey, chroma halved across and down, where chroma lies."""
    deep = bits.flag()
    depth = (12 if bits.flag() else 10) if profile == 2 and deep else 10 if deep else 8
    grey = profile != 1 and bits.flag()
    described = (bits.u(8), bits.u(8), bits.u(8)) if bits.flag() else (2, 2, 2)
    if grey:
        return depth, True, True, True, 0
    if described == (1, 13, 0):  # sRGB
        return depth, False, False, False, 0
    bits.skip(1)
    if profile == 2 and depth == 12:
        across = bits.flag()
        down = across and bits.flag()
    else:
        across, down = profile != 1, profile == 0
    return depth, False, across, down, bits.u(2) if across and down else 0


def is_key(data: bytes) -> bool:
    """Whether this AV1 sample begins with a key frame that is shown, its sequence header before it."""
    still = None
    for unit in units(data):
        if unit.kind == SEQUENCE:
            still = sequence(unit.body).still
        elif unit.kind in (FRAME, FRAME_HEADER):
            head = Bits(unit.body[:1])
            return still is not None and (still or head.u(4) & 0b1111 == 0b0001)
    return False


@dataclass(frozen=True, slots=True)
class Vp9:
    """What vpcC repeats of a VP9 key frame's header. `chroma`: 1 4:2:0, 2 4:2:2, 3 4:4:4; 4:4:0 has no number."""

    width: int
    height: int
    profile: int
    bits: int
    chroma: int = 1
    colour: tuple[int, int, int] = (2, 2, 2)  # primaries, transfer, matrix, by ISO/IEC 23091-2; 2: not said
    full: bool = False


# VP9's colour space → primaries, transfer, matrix
_SPACES = [(2, 2, 2), (6, 6, 6), (1, 1, 1), (6, 6, 6), (7, 7, 7), (9, 14, 9), (2, 2, 2), (1, 13, 0)]
_VP9_HEAD = 10  # bytes that hold a key frame's header up to its size


def vp9(data: bytes) -> Vp9 | None:
    """The header of a VP9 key frame, None for any other frame. Damaged if this is no VP9 frame."""
    return _vp9(Bits(data[:_VP9_HEAD]))


def vp9_settings(data: bytes) -> bytes:
    """The header of a VP9 key frame up to its size, equal for equal settings; b"" for any other frame."""
    head = data[:_VP9_HEAD]
    bits = Bits(head)
    if _vp9(bits) is None:
        return b""
    return (int.from_bytes(head, "big") >> bits.left << bits.left).to_bytes(len(head), "big")


def _vp9(bits: Bits) -> Vp9 | None:
    if bits.u(2) != 2:
        raise Damaged("this is no VP9 frame: its first two bits are not 10")
    profile = bits.u(1) + 2 * bits.u(1)
    if profile == 3:
        bits.skip(1)
    if bits.flag() or bits.flag():  # a frame shown again; a frame between
        return None
    bits.skip(2)
    if bits.u(24) != 0x498342:
        raise Damaged("a VP9 key frame lacks its sync code")
    depth = (12 if bits.flag() else 10) if profile >= 2 else 8
    space, odd = bits.u(3), bool(profile & 1)
    full = space == 7 or bits.flag()
    chroma = 3 if space == 7 else 1
    if odd:
        chroma = chroma if space == 7 else (3, 1, 2, 1)[bits.u(2)]
        bits.skip(1)
    return Vp9(bits.u(16) + 1, bits.u(16) + 1, profile, depth, chroma, _SPACES[space], full)
