"""How long to wait before a source is asked again."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Twice as long after each failure, up to `most` seconds, give or take `jitter` of it.

    The jitter keeps thirty cameras from asking a switch that has just come back in the same instant.
    """

    def __init__(
        self,
        first: float = 0.5,
        most: float = 30.0,
        jitter: float = 0.25,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first, self._most, self._jitter, self._chance = first, most, jitter, chance
        self._next = first

    def wait(self) -> float:
        """Seconds to wait now."""
        wait, self._next = self._next, min(self._most, self._next * 2)
        return self._about(wait)

    def longest(self) -> float:
        """Seconds to wait where asking soon is of no use."""
        self._next = self._most
        return self._about(self._most)

    def reset(self) -> None:
        """The source was well for a while."""
        self._next = self._first

    def _about(self, wait: float) -> float:
        return wait * (1 + self._jitter * (2 * self._chance() - 1))
