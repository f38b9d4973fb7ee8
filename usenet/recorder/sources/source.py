"""What every source gives: tracks once it is open, then samples, and other tracks when its settings change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ..tracks import Sample, Track


@dataclass(frozen=True, slots=True)
class Retrack:
    """From the next sample on, which is a key frame where there are pictures, the tracks are these."""

    tracks: tuple[Track, ...]


class Source(Protocol):
    """One connection. All calls from one thread; a source that was closed is not opened again.

    `live`: what is not read in time is lost, so nobody may make it wait. A file is not live.
    `behind_s`: how many seconds before `open` returned the first sample was taken.
    """

    live: bool
    behind_s: float

    def open(self) -> tuple[Track, ...]:
        """Connect and say what there is. Unreachable: trying again may help; another RecorderError: it will not."""

    def samples(self) -> Iterator[Sample | Retrack]:
        """Until the source ends. Unreachable when it fails or says nothing for too long."""

    def close(self) -> None:
        """Never fails, also where nothing is open."""


def heads(tracks: tuple[Track, ...]) -> frozenset[int]:
    """The tracks with whose sync samples a recording may begin: those of pictures, or all where there are none."""
    pictures = frozenset(track.id for track in tracks if track.kind == "video")
    return pictures or frozenset(track.id for track in tracks)
