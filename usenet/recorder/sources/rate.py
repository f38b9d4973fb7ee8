"""How a stream goes on: pictures per second, and how far it has come, by the source's own times.

Bursts and pauses of a network don't show in it.
"""

from __future__ import annotations

from ..tracks import Sample, Track
from .source import heads

_WEIGHT = 0.05  # of the newest distance: about twenty pictures
_DRIFT = 1.01  # a source's clock is not slower than ours by more than this


class Rate:
    """Of the first track of pictures, or of sound where there are none.

    `reached`: when the newest sample was taken, in seconds of our clock; None before there was one. libav hands out
    its last picture only when it gives up on a silent camera, seconds after it was taken.
    """

    def __init__(self) -> None:
        self._track, self._timescale, self._pictures = 0, 1, False
        self._last: int | None = None
        self._step = 0.0
        self.reached: float | None = None

    def follow(self, tracks: tuple[Track, ...]) -> None:
        """From now on these tracks are counted."""
        first = min(heads(tracks))
        track = next(each for each in tracks if each.id == first)
        self._track, self._timescale, self._pictures = track.id, track.timescale, track.kind == "video"
        self._last, self._step = None, 0.0

    def count(self, sample: Sample, now: float) -> None:
        """`now`: our clock when it came."""
        if sample.track != self._track:
            return
        last, self._last = self._last, sample.dts if sample.dts is not None else self._last
        moved = 0.0 if last is None or sample.dts is None else (sample.dts - last) / self._timescale
        if self.reached is None or not 0 < moved <= 10:
            self.reached = now
            return
        self.reached = min(now, self.reached + moved * _DRIFT)
        self._step = moved if not self._step else self._step + _WEIGHT * (moved - self._step)

    @property
    def fps(self) -> float:
        """Of pictures; 0 where there are none, and until two of them came."""
        return 1 / self._step if self._step and self._pictures else 0.0
