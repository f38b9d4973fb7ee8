"""Who writes a segment, so that a recovery keeps its hands off a living recorder's file where there are no locks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Lease:
    """A process, told apart from every other one: by boot, by when it began, and by whose numbers `pid` counts in."""

    boot: str
    host: str
    pid: int
    started: int  # ticks since boot; 0 where there is no /proc

    @classmethod
    @cache
    def _of(cls, pid: int) -> Lease:
        return cls(_boot(), os.uname().nodename, pid, _started(pid))

    @classmethod
    def mine(cls) -> Lease:
        return cls._of(os.getpid())

    def held_by_another(self) -> bool:
        """True only when that process certainly lives, on this host, in this boot, and is not this one."""
        mine = Lease.mine()
        if (self.boot, self.host) != (mine.boot, mine.host) or self.pid == mine.pid or not self.started:
            return False
        return _started(self.pid) == self.started


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
