"""Pictures per second, by the source's own times: bursts and pauses of a network don't show in it."""

from __future__ import annotations

from ..tracks import Sample, Track

_WEIGHT = 0.05  # of the newest distance: about twenty pictures


class Rate:
    """Of the first track of pictures; 0 where there is none, and until two of them came."""

    def __init__(self) -> None:
        self._track, self._timescale = 0, 1
        self._last: int | None = None
        self._step = 0.0

    def follow(self, tracks: tuple[Track, ...]) -> None:
        """From now on these tracks are counted."""
        picture = next((track for track in tracks if track.kind == "video"), None)
        self._track, self._timescale = (picture.id, picture.timescale) if picture else (0, 1)
        self._last, self._step = None, 0.0

    def count(self, sample: Sample) -> None:
        if sample.track != self._track or sample.dts is None:
            return
        last, self._last = self._last, sample.dts
        if last is None or not 0 < sample.dts - last <= 10 * self._timescale:
            return
        step = (sample.dts - last) / self._timescale
        self._step = step if not self._step else self._step + _WEIGHT * (step - self._step)

    @property
    def fps(self) -> float:
        return 1 / self._step if self._step else 0.0
