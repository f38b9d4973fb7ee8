"""When a sample was taken, told from when it arrived, for sources that don't say it themselves."""

from __future__ import annotations

from collections.abc import Iterable

from ..tracks import Sample

WINDOW = 30.0  # seconds of the source's time
_NS = 10**9


class Arrival:
    """The packet that was delayed least tells the others' delay: libav hands out a second at once, HLS a whole file.

    The source's clock and ours drift apart, so only the last two windows count.
    """

    def __init__(self, rates: dict[int, int]) -> None:
        self._rates = rates
        self._old: float | None = None
        self._new: float | None = None
        self._since = self._last = 0.0

    def see(self, sample: Sample, now_ns: int) -> None:
        """`now_ns`: our clock when it arrived."""
        if sample.dts is None:
            return
        time = sample.dts / self._rates[sample.track]
        offset = now_ns / _NS - time
        if self._new is None or not -1.0 < time - self._last < 10.0:
            self._old, self._new, self._since = None, offset, time
        elif time - self._since > WINDOW:
            self._old, self._new, self._since = self._new, offset, time
        self._new, self._last = min(self._new, offset), time

    def taken_ns(self, sample: Sample) -> int | None:
        """When it was taken, by our clock. None before anything is known."""
        if sample.dts is None or self._new is None:
            return None
        offset = self._new if self._old is None else min(self._old, self._new)
        return round((sample.dts / self._rates[sample.track] + offset) * _NS)

    def first_ns(self, samples: Iterable[Sample]) -> int | None:
        """When the first of these with a time was taken."""
        return next((told for each in samples if (told := self.taken_ns(each)) is not None), None)
