"""The start of a live stream: it begins at a key frame, with times, and with the earliest sample first.

Why: libav gives RTSP's first key frame without any times, the next pictures without a decoding time where there are
B-frames, and sound beside it a little too late or too early. All that is known a few packets later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from ..tracks import Sample, Track
from .source import Retrack, heads

HOLD = Fraction(1, 2)  # seconds of the source's time: a track that has shown nothing by then is not waited for
MOST = 400  # samples


def begin(samples: Iterator[Sample | Retrack], tracks: Sequence[Track]) -> Iterator[Sample | Retrack]:
    """The same samples from the first key frame on; sound that ends before it is left out. Nothing else is."""
    held = _Held(tuple(tracks))
    for item in samples:
        if isinstance(item, Retrack):
            yield from held.ordered()
            yield item
            held = _Held(item.tracks)
        elif held.take(item):
            break
    yield from held.ordered()
    yield from samples


class _Held:
    """What waits until the order is known."""

    def __init__(self, tracks: tuple[Track, ...]) -> None:
        self._tracks = tracks
        self._rates = {track.id: track.timescale for track in tracks}
        self._heads = heads(tracks)
        self._pictures = {track.id for track in tracks if track.kind == "video"}
        self._early: deque[Sample] = deque(maxlen=MOST // 4)
        self._samples: list[Sample] = []

    def take(self, sample: Sample) -> bool:
        """True when enough is here: each track has told a time, or it has been waited for."""
        if not self._samples and not (sample.sync and sample.track in self._heads):
            if sample.track not in self._pictures:
                self._early.append(sample)
            return False
        self._samples.append(sample)
        return len(self._samples) >= MOST or self._all_told() or self._span() >= HOLD

    def ordered(self) -> Iterator[Sample]:
        """Merged by time; within a track the order of decoding stays."""
        if not self._samples:
            return
        lead = self._samples[0].track
        queues = {id_: _timed([s for s in (*self._early, *self._samples) if s.track == id_]) for id_ in self._rates}
        start = self._seconds(queues[lead][0])
        if self._pictures and start is not None:
            for id_ in queues.keys() - self._pictures:
                queues[id_] = [each for each in queues[id_] if self._ends_after(each, start)]
        waiting = [deque(queue) for queue in queues.values() if queue]
        while waiting:
            first = min(waiting, key=lambda queue: self._seconds(queue[0]) or Fraction(0))
            yield first.popleft()
            waiting = [queue for queue in waiting if queue]

    def _all_told(self) -> bool:
        awaited = {track.id for track in self._tracks if track.kind in ("video", "audio")}
        return awaited <= {each.track for each in self._samples if each.dts is not None}

    def _span(self) -> Fraction:
        lead = self._samples[0].track
        known = [each.dts for each in self._samples if each.track == lead and each.dts is not None]
        return Fraction(known[-1] - known[0], self._rates[lead]) if known else Fraction(0)

    def _seconds(self, sample: Sample) -> Fraction | None:
        return None if sample.dts is None else Fraction(sample.dts, self._rates[sample.track])

    def _ends_after(self, sample: Sample, start: Fraction) -> bool:
        begins = self._seconds(sample)
        return begins is None or begins + Fraction(sample.duration or 0, self._rates[sample.track]) > start


def _timed(queue: list[Sample]) -> list[Sample]:
    """Times for those at the start that have none, counted back from the first that has."""
    known = next((n for n, each in enumerate(queue) if each.dts is not None), None)
    if not known:
        return queue
    anchor = queue[known]
    step = anchor.duration or _step(queue[known:])
    shown = min((each.pts for each in queue if each.pts is not None), default=None)
    timed = []
    for n, each in enumerate(queue[:known]):
        dts = (anchor.dts or 0) - (known - n) * step
        pts = each.pts if each.pts is not None else dts if shown is None else max(dts, shown - step)
        timed.append(replace(each, dts=dts, pts=pts))
    return timed + queue[known:]


def _step(queue: list[Sample]) -> int:
    times = [each.dts for each in queue if each.dts is not None][:2]
    return max(1, times[1] - times[0]) if len(times) == 2 else 1
