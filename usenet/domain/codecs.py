"""Codecs as this project calls them; `-10` is the ten-bit form, which a card may lack where it has the other."""

from __future__ import annotations

from dataclasses import dataclass

CODECS = ("mpeg2", "vc1", "jpeg", "h264", "hevc", "hevc-10", "vp8", "vp9", "vp9-10", "av1", "av1-10")


def ordered(found: set[str]) -> tuple[str, ...]:
    """The known ones among `found`, oldest first."""
    return tuple(codec for codec in CODECS if codec in found)


@dataclass(frozen=True, slots=True)
class Probed:
    """What one look at one card found. None: whoever was asked doesn't tell; `by`: who was asked."""

    decode: tuple[str, ...] | None
    encode: tuple[str, ...] | None
    by: str
