"""Waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait(seen: Callable[[], object], what: Callable[[], str] = lambda: "it never came to that") -> None:
    """Until it is seen. The test fails with `what` after a time that the slowest machine does not need."""
    until = time.monotonic() + 90
    while not seen():
        assert time.monotonic() < until, what()
        time.sleep(0.02)
