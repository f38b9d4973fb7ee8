"""No more bytes a second than allowed, and no more tries than make sense."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from io import BytesIO

SLICE = 16 << 10


class Pace:
    """A token bucket for bytes, shared by all threads that send: `take` waits until they may go.

    In any stretch of time no more than `rate` a second and one `burst` go. A rate of 0 is no limit.
    """

    def __init__(
        self,
        rate: float = 0,
        *,
        burst: float = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._burst = rate, burst or max(rate / 4, SLICE)
        self._clock, self._sleep = clock, sleep
        self._tokens, self._at = self._burst, clock()
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Wait until `count` bytes may be sent."""
        if self._rate <= 0:
            return
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - count
            self._at = now
            wait = -self._tokens / self._rate
        if wait > 0:
            self._sleep(wait)


class Paced(BytesIO):
    """Bytes to send that are read no faster than a pace allows."""

    def __init__(self, data: bytes, pace: Pace) -> None:
        super().__init__(data)
        self._pace, self._length = pace, len(data)

    def __len__(self) -> int:
        return self._length

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(min(size, SLICE) if size is not None and size > 0 else size)
        self._pace.take(len(data))
        return data


class Patience:
    """How long to leave something alone after it failed: twice as long each time, with chance in it, up to `most`.

    Chance keeps many recorders from asking a storage that comes back all at the same moment.
    """

    def __init__(self, first: float = 1.0, most: float = 300.0, chance: Callable[[], float] = random.random) -> None:
        self._first, self._most, self._chance = first, most, chance
        self.failures = 0

    def failed(self) -> float:
        """Seconds to wait now: between half and all of first, 2·first, 4·first … most."""
        self.failures += 1
        whole = min(self._most, self._first * 2.0 ** min(self.failures - 1, 60))
        return whole * (0.5 + self._chance() / 2)

    def worked(self) -> None:
        self.failures = 0
