"""mergerfs: what a mounted pool consists of, and changes to it while it runs."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from usenet.adapters import shell
from usenet.adapters.mounts import Mounted as Row
from usenet.adapters.storage import fstab, guards, holders
from usenet.adapters.storage.holders import Holder
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.pool import Mounted, PoolSeen
from usenet.domain.storage.steps import POOL_TYPE, MountPool, SetPool, commands

PATIENCE = 3.0
AT_ONCE, OVERDUE = 0.05, 4.0
FUSE = "/dev/fuse"
_NAMES = ("user.mergerfs.branches", "user.mergerfs.category.create", "user.mergerfs.minfreespace")


def look(target: Path, table: Iterable[Row]) -> PoolSeen:
    """What is at the pool's place; without waiting for a mergerfs that hangs."""
    rows = [row for row in table if row.mount.target == str(target) and row.source != guards.SOURCE]
    installed = bool(shell.found("mergerfs"))
    if not rows:
        return PoolSeen(installed=installed, guarded=guards.guarded(target))
    mounted = _asked(target) if rows[-1].type == POOL_TYPE else Mounted(type=rows[-1].type)
    return PoolSeen(installed=installed, mounted=mounted)


def _asked(target: Path) -> Mounted:
    control = f"{target}/.mergerfs"
    told: list[str] = []

    def ask() -> None:
        told.extend(os.getxattr(control, name).decode(errors="surrogateescape") for name in _NAMES)

    failure = _soon(ask)
    if failure or len(told) != len(_NAMES):
        return Mounted(type=POOL_TYPE, alive=False)
    branches, policy, free = told
    return Mounted(type=POOL_TYPE, branches=tuple(branches.split(":")), policy=policy, min_free=int(free))


class Pulse:
    """Whether the mergerfs at `target` lives, asked each time anew; `target` empty: there is none to ask."""

    def __init__(self, target: str = "") -> None:
        self.target = target
        self._asked = 0.0
        self._failed: list[bool] = []

    def silent(self) -> bool:
        """Whether it crashed, or has not answered for some seconds; waits for a moment only."""
        if not self.target:
            return False
        if not self._asked:
            self._asked = time.monotonic()
            thread = threading.Thread(target=self._ask, daemon=True)
            thread.start()
            thread.join(AT_ONCE)
        if not self._failed:
            return time.monotonic() - self._asked > OVERDUE
        self._asked = 0.0
        return self._failed.pop()

    def _ask(self) -> None:
        try:
            os.getxattr(f"{self.target}/.mergerfs", _NAMES[0])
            self._failed.append(False)
        except OSError:
            self._failed.append(True)


def _soon(do: Callable[[], None]) -> OSError | None:
    """Why it failed; a thread that hangs in the filesystem is left behind, and ends with us."""
    failures: list[OSError] = []

    def run() -> None:
        try:
            do()
        except OSError as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        return TimeoutError(f"no answer within {PATIENCE:g} s")
    return failures[0] if failures else None


def mount(step: MountPool, stack: str) -> None:
    """Persist and mount the pool. SystemFailure: not root, no mergerfs, mount's own words."""
    require()
    fstab.write(stack, step.lines)
    for command in commands(step):
        shell.checked(command, timeout=30)


def change(step: SetPool, stack: str) -> None:
    """Persist the branches and the policy and tell the mounted pool. SystemFailure where it does not take them."""
    require()
    fstab.write(stack, step.lines)
    control = f"{step.target}/.mergerfs"

    def tell() -> None:
        for name, value in step.attributes.items():
            os.setxattr(control, name, value.encode(errors="surrogateescape"))

    if failure := _soon(tell):
        raise SystemFailure(
            f"the pool {step.target} does not take the change: {failure.strerror or failure}",
            hint="run the same again: a pool that does not answer is mounted anew",
        )


def require() -> None:
    """SystemFailure where this user, or this machine, can have no pool."""
    if os.geteuid() != 0:
        raise SystemFailure("only root can change the pool", hint="run it with sudo")
    if not shell.found("mergerfs"):
        raise SystemFailure("mergerfs is not installed", hint="install it: apt install mergerfs")


def closed(path: Path, uid: int, gid: int) -> Path | None:
    """The first directory above `path` that this user can't go through; None where there is none."""
    for above in reversed(path.parents):
        with suppress(FileNotFoundError):
            seen = above.stat()
            own = stat.S_IXUSR if seen.st_uid == uid else stat.S_IXGRP if seen.st_gid == gid else stat.S_IXOTH
            if uid != 0 and not seen.st_mode & own:
                return above
    return None


def holding(branch: Path, pool: Path) -> tuple[Holder, ...]:
    """Who has files open on a drive by way of the pool; who has any open in the pool, if that can't be told apart."""
    ours = [one for one in holders.of(branch) if one.command == "mergerfs"]
    return (holders.of(pool) or tuple(ours)) if ours else ()
