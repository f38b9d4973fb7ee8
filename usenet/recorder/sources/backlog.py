"""What waits between a camera and a drive: bounded, and never in the camera's way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..tracks import Sample
from .source import Retrack


@dataclass(frozen=True, slots=True)
class Gap:
    """So many milliseconds are missing here, and why; `dropped` samples were read and not kept."""

    milliseconds: int
    reason: str
    dropped: int = 0


Item = Sample | Gap | Retrack


class Backlog:
    """One thread puts in, one takes out. No more than `limit` bytes of samples wait.

    What doesn't fit is dropped, up to the next key frame for which there is room: half the limit, so that a drive
    that is a little too slow costs one gap and not a hundred. The gap stands before that key frame.
    They are taken out every `gather` seconds, all at once: to wake a thread for each is what costs most.
    """

    def __init__(self, limit: int, *, gather: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._gather, self._clock = limit, gather, clock
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._bytes = 0
        self._dropping_since: float | None = None
        self._gap_dropped = 0
        self._ended = False
        self.dropped = 0

    def __len__(self) -> int:
        return self._bytes

    @property
    def dropping(self) -> bool:
        return self._dropping_since is not None

    def offer(self, sample: Sample, *, leads: bool) -> bool:
        """False: it was dropped. `leads`: pictures can begin with this sample. Never waits."""
        with self._changed:
            if self._dropping_since is not None:
                if not leads or self._bytes > self._limit // 2:
                    return self._drop()
                self._resume(self._dropping_since)
            elif self._bytes and self._bytes + len(sample.data) > self._limit:
                self._dropping_since = self._clock()
                return self._drop()
            self._append(sample)
            return True

    def put(self, item: Item) -> None:
        """At once, whatever waits already; for what is not a sample."""
        with self._changed:
            self._append(item)

    def wait_and_put(self, sample: Sample) -> None:
        """For sources that can wait: until there is room, or nobody takes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._bytes or self._bytes < self._limit)
            self._append(sample)

    def end(self) -> None:
        """Nothing comes any more: `items` ends behind what waits."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def items(self) -> Iterator[Item]:
        """What was put in, as it comes, until the end. A sample's room is free when the next one is asked for."""
        while batch := self._batch():
            for item in batch:
                yield item
                self._release(item)

    def _batch(self) -> deque[Item]:
        """All that waits; empty at the end."""
        if not self._ended and self._gather:
            time.sleep(self._gather)
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            batch, self._items = self._items, deque()
            return batch

    def _append(self, item: Item) -> None:
        if isinstance(item, Sample):
            self._bytes += len(item.data)
        self._items.append(item)
        if len(self._items) == 1:
            self._changed.notify_all()

    def _release(self, item: Item) -> None:
        if isinstance(item, Sample):
            with self._changed:
                self._bytes -= len(item.data)
                self._changed.notify_all()

    def _drop(self) -> bool:
        self.dropped += 1
        self._gap_dropped += 1
        return False

    def _resume(self, since: float) -> None:
        lost, self._gap_dropped, self._dropping_since = self._gap_dropped, 0, None
        self._append(Gap(round((self._clock() - since) * 1000), "the drive was too slow", lost))
