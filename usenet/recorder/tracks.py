"""What is recorded: tracks, their samples, and what the file says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["video", "audio", "text", "meta"]


@dataclass(frozen=True, slots=True)
class Track:
    """One track of a segment. `entry` is its whole sample entry box (ISO/IEC 14496-12 §8.5.2), codec settings included.

    `duration` is that of a sample whose successor never came, in ticks of `timescale` per second.
    """

    id: int
    kind: Kind
    timescale: int
    entry: bytes
    language: str = "und"
    width: int = 0
    height: int = 0
    name: str = ""
    duration: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One coded picture, audio frame, cue or metadata sample, as it lies in an MP4 file (length-prefixed NAL units).

    Times are ticks of the track's timescale and may be None, negative, wrapped or wrong: `timeline` mends them.
    `wall_ns` is the source's own clock (RTCP, NTP) in nanoseconds UTC since 1970, where it has one.
    """

    track: int
    data: bytes
    dts: int | None
    pts: int | None
    sync: bool = True
    duration: int | None = None
    wall_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Movie:
    """What a file tells of itself. `created_ns`: nanoseconds UTC since 1970; `location`: ISO 6709, "+48.13+011.57/"."""

    created_ns: int = 0
    title: str = ""
    location: str = ""
    tags: tuple[tuple[str, str], ...] = ()
