"""A file that nobody else has open, and that nobody opens unnoticed."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters.storage import holders


class Busy(Exception):
    """The file is left where it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A file that nobody else has open, as long as `check` says nothing."""

    descriptor: int
    leased: bool

    def check(self) -> None:
        if self.leased and fcntl.fcntl(self.descriptor, fcntl.F_GETLEASE) == fcntl.F_WRLCK:
            return
        if self.leased or holders.has_open(os.fstat(self.descriptor)):
            raise Busy("it was opened meanwhile")


@contextmanager
def held(path: Path) -> Iterator[Alone]:
    """A file that nobody else has open; who opens it then waits until we have let go. Busy where somebody has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # The signal that says somebody waits; this one is ignored by default, the usual one would end us.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            leased = True
        except OSError as failure:
            if failure.errno == errno.EAGAIN or holders.has_open(os.fstat(descriptor)):
                raise Busy("it is open") from failure
            leased = False  # a filesystem without leases
        yield Alone(descriptor, leased)
    finally:
        os.close(descriptor)
