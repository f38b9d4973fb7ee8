"""What a sequence parameter set says of its pictures. ITU-T H.264 §7.3.2.1, H.265 §7.3.2.2."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Damaged
from .bits import Bits
from .nal import raw

_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_STEP = {0: (1, 1), 1: (2, 2), 2: (2, 1), 3: (1, 1)}  # chroma format → samples of luma for one of chroma


@dataclass(frozen=True, slots=True)
class Picture:
    """Size after cropping, and what avcC and hvcC repeat. `chroma`: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4."""

    width: int
    height: int
    profile: int
    level: int
    chroma: int = 1
    luma_bits: int = 8
    chroma_bits: int = 8
    tier: bytes = b""  # H.265: the twelve bytes of the general profile, tier and level
    layers: int = 1  # H.265: temporal sub-layers
    nested: bool = False


def h264(unit: bytes) -> Picture:
    """Damaged if this is no H.264 sequence parameter set, or one whose picture is empty."""
    body = raw(unit)
    if len(body) < 5:
        raise Damaged("an H.264 sequence parameter set is cut short")
    profile, level, bits = body[1], body[3], Bits(body[4:])
    bits.ue()
    chroma, luma, other, separate = 1, 8, 8, False
    if profile in _WITH_CHROMA:
        chroma = _chroma(bits.ue())
        separate = chroma == 3 and bits.flag()
        luma, other = _depth(bits.ue()), _depth(bits.ue())
        bits.skip(1)
        if bits.flag():
            _scaling_h264(bits, 12 if chroma == 3 else 8)
    bits.ue()
    _order_count(bits)
    bits.ue()
    bits.skip(1)
    across, down = bits.ue() + 1, bits.ue() + 1
    frames = bits.flag()
    if not frames:
        bits.skip(1)
    bits.skip(1)
    wide, high = 16 * across, 16 * down * (1 if frames else 2)
    right, low = _STEP[0 if separate else chroma]
    wide, high = _cropped(bits, wide, high, (right, low * (1 if frames else 2)))
    return Picture(wide, high, profile, level, chroma, luma, other)


def _chroma(number: int) -> int:
    if number > 3:
        raise Damaged(f"a sequence parameter set has chroma format {number}; there are 0 to 3")
    return number


def _depth(over_eight: int) -> int:
    if over_eight > 8:
        raise Damaged(f"a sequence parameter set has samples of {over_eight + 8} bits; there are 8 to 16")
    return 8 + over_eight


def _cropped(bits: Bits, wide: int, high: int, step: tuple[int, int]) -> tuple[int, int]:
    if bits.flag():
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        wide, high = wide - step[0] * (left + right), high - step[1] * (top + bottom)
    if not (0 < wide <= 0xFFFF and 0 < high <= 0xFFFF):
        raise Damaged(f"a sequence parameter set has pictures of {wide}x{high}")
    return wide, high


def _scaling_h264(bits: Bits, lists: int) -> None:
    for index in range(lists):
        if bits.flag():
            last = following = 8
            for _ in range(16 if index < 6 else 64):
                if following:
                    following = (last + bits.se()) % 256
                last = following or last


def _order_count(bits: Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.skip(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    elif kind > 2:
        raise Damaged(f"an H.264 sequence parameter set has picture order count type {kind}")


def h265(unit: bytes) -> Picture:
    """Damaged if this is no H.265 sequence parameter set, or one whose picture is empty."""
    body = raw(unit)
    bits = Bits(body[2:])
    bits.skip(4)
    layers, nested = bits.u(3) + 1, bits.flag()
    if layers > 7:
        raise Damaged("an H.265 sequence parameter set has eight temporal sub-layers; there are seven at most")
    tier = bits.u(96).to_bytes(12, "big")
    _sub_layers(bits, layers - 1)
    bits.ue()
    chroma = _chroma(bits.ue())
    separate = chroma == 3 and bits.flag()
    wide, high = bits.ue(), bits.ue()
    wide, high = _cropped(bits, wide, high, _STEP[0 if separate else chroma])
    luma, other = _depth(bits.ue()), _depth(bits.ue())
    return Picture(wide, high, tier[0] & 31, tier[11], chroma, luma, other, tier, layers, nested)


def _sub_layers(bits: Bits, count: int) -> None:
    """Passes over the profiles and levels of the temporal sub-layers."""
    present = [(bits.flag(), bits.flag()) for _ in range(count)]
    if count:
        bits.skip(2 * (8 - count))
    for profile, level in present:
        bits.skip(88 * profile + 8 * level)
