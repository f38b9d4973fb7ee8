"""The far end of a camera's backlog: what came goes to a recorder, made when the first tracks are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..tracks import Sample, Track
from .backlog import Item
from .source import Retrack, heads


class Sink(Protocol):
    """Where samples go; a `Recorder` is one."""

    def write(self, sample: Sample) -> None: ...

    def gap(self, milliseconds: int, reason: str) -> None: ...

    def retrack(self, tracks: Sequence[Track]) -> None: ...


class Writer:
    """Asks `record` for a sink at the first key frame, and again at a later one where that failed.

    `frames` pictures (samples, where there are none) of `bytes` with all others were written.
    """

    def __init__(self, record: Callable[[tuple[Track, ...]], Sink]) -> None:
        self._record = record
        self._sink: Sink | None = None
        self._tracks: tuple[Track, ...] = ()
        self._shown = 0
        self.frames = self.bytes = 0

    def put(self, item: Item) -> None:
        """RecorderError: as the recorder says."""
        if isinstance(item, Sample):
            self._sample(item)
        elif isinstance(item, Retrack):
            self._settings(item.tracks)
        elif self._sink is not None:
            self._sink.gap(item.milliseconds, item.reason)

    def _settings(self, tracks: tuple[Track, ...]) -> None:
        self._tracks = tracks
        self._shown = next((track.id for track in tracks if track.kind == "video"), tracks[0].id)
        if self._sink is not None:
            self._sink.retrack(tracks)

    def _sample(self, sample: Sample) -> None:
        if self._sink is None:
            if not sample.sync or sample.track not in heads(self._tracks):
                return
            self._sink = self._record(self._tracks)
        self._sink.write(sample)
        self.bytes += len(sample.data)
        self.frames += sample.track == self._shown
