"""Files whose n-th call fails, or all from the n-th on, as those of a full or dying drive do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from usenet.recorder.io import Files

ROOM = frozenset({"open new", "pwrite", "allocate", "sync", "rename", "syncdir"})
"""Calls that a full drive may refuse."""
ALL = ROOM | {"open write", "open read", "pread", "truncate", "punch", "unlink", "listdir", "size"}


class Faulty:
    """As Files, but calls of these kinds end in `error` from the `first` one on: only that one, or all until `mend`."""

    def __init__(self, error: int, first: int, kinds: frozenset[str], *, once: bool) -> None:
        self._real = Files()
        self._error, self._first, self._kinds, self._once = error, first, kinds, once
        self._lock = threading.Lock()
        self.count = 0
        self.hit = ""

    def mend(self) -> None:
        self._kinds = frozenset()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)

        def call(*arguments: Any) -> Any:
            self._refuse(f"{name} {arguments[1]}" if name == "open" else name, str(arguments[0]))
            return real(*arguments)

        return call

    def _refuse(self, kind: str, where: str) -> None:
        if kind not in self._kinds:
            return
        with self._lock:
            self.count += 1
            due = self.count == self._first if self._once else self.count >= self._first
        if due:
            self.hit = self.hit or kind
            raise OSError(self._error, os.strerror(self._error), where)


def steps(kinds: frozenset[str], story: Callable[[Faulty], object]) -> int:
    """How many calls of these kinds a story makes when none fails."""
    counting = Faulty(0, 1 << 60, kinds, once=True)
    story(counting)
    return counting.count
