"""What is recorded: tracks, their samples, and what the file says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .errors import RecorderError

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


def check(tracks: Sequence[Track]) -> None:
    """RecorderError, in a sentence, when these can't be the tracks of a file."""
    if not tracks:
        raise RecorderError("a recorder needs at least one track", code=3)
    if len({track.id for track in tracks}) < len(tracks):
        raise RecorderError("two tracks have the same number", code=3)
    for track in tracks:
        fits = (
            ("number", 0 < track.id < 1 << 16),
            ("kind", track.kind in get_args(Kind)),
            ("timescale", 0 < track.timescale < 1 << 32),
            ("duration", 0 <= track.duration < 1 << 32),
            ("size", 0 <= track.width < 1 << 16 and 0 <= track.height < 1 << 16),
        )
        for what, fit in fits:
            if not fit:
                raise RecorderError(f"track {track.id}: its {what} does not fit into a file", code=3)
