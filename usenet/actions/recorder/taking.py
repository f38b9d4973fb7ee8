"""A source for one recording: so many seconds of a file, and no second question after a refusal that stays one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from usenet.recorder.errors import RecorderError
from usenet.recorder.sources.source import Retrack, Source
from usenet.recorder.tracks import Sample, Track


class Taking:
    """A `Source` as it is. What has an end is taken for `seconds` of its own time: it is read faster than it plays.

    `refused` hears each failure to open it; True: nobody is to try again, the source is over.
    """

    def __init__(self, source: Source, seconds: float | None, refused: Callable[[RecorderError], bool]) -> None:
        self._source, self._seconds, self._refused = source, seconds, refused
        self.live, self.behind_s = source.live, source.behind_s
        self._rates: dict[int, int] = {}

    def open(self) -> tuple[Track, ...]:
        try:
            tracks = self._source.open()
        except RecorderError as error:
            if self._refused(error):
                self.live = False
            raise
        self.live, self.behind_s = self._source.live, self._source.behind_s
        self._rates = {track.id: track.timescale for track in tracks}
        return tracks

    def samples(self) -> Iterator[Sample | Retrack]:
        samples = self._source.samples()
        return samples if self.live or self._seconds is None else self._first(samples, self._seconds)

    def close(self) -> None:
        self._source.close()

    def _first(self, samples: Iterator[Sample | Retrack], seconds: float) -> Iterator[Sample | Retrack]:
        begun: float | None = None
        for item in samples:
            if isinstance(item, Retrack):
                self._rates = {track.id: track.timescale for track in item.tracks}
            elif item.dts is not None:
                at = item.dts / self._rates[item.track]
                begun = at if begun is None else begun
                if at - begun >= seconds:
                    return
            yield item
