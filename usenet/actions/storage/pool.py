"""The pool of a stack: usenet.yaml first, then the steps that make it so, as with the drives.

`settle` is the end of every change to the drives: one that is dead or away leaves the pool, one that is back joins it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts, settings
from usenet.adapters.home import Home
from usenet.adapters.storage import balancing, fstab, guards, mergerfs, mounting
from usenet.domain.errors import SystemFailure, UsenetError, ValidationError
from usenet.domain.service import parse_bytes
from usenet.domain.storage import pool as pools
from usenet.domain.storage.converge import Converged, Finding, is_pool
from usenet.domain.storage.intent import POOL, BranchSettings, DriveSettings, PoolSettings
from usenet.domain.storage.pool import PoolSeen
from usenet.domain.storage.steps import Detach, Guard, MountPool, Persist, SetPool, Step, Unmount

Say = Callable[[Step], None]
DRAINED = 3.0  # seconds in which mergerfs lets go of a file that was closed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """What a verb did or would do, and what stays wrong."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()


def create(home: Home, names: Sequence[str], *, policy: str, min_free: str, dry_run: bool = False, say: Say) -> Pooled:
    """Make a pool of these drives, or of all for media. ValidationError: they can't be in one; there is one already."""
    shelf = observe(home.require())
    media = (n for n, drive in shelf.drives.items() if drive.role == "media" and not drive.read_only)
    members = tuple(dict.fromkeys(names or media))
    if not members:
        raise ValidationError("there is no drive for a pool", hint="add one first: usenet storage add DRIVE")
    wanted = _settings({"drives": {name: BranchSettings() for name in members}}, policy, min_free)
    pools.check_members(members, shelf.drives, shelf.seen)
    if closed := mergerfs.closed(Path(shelf.seen.data), shelf.seen.uid, shelf.seen.gid):
        raise ValidationError(
            f"user {shelf.seen.uid} may not go through {closed}, and mergerfs opens files as the user who asks",
            hint=f"let others through, without reading: sudo chmod o+x {closed}",
        )
    if shelf.settings.storage.pool not in (None, wanted):
        raise ValidationError("there is a pool already", hint="change it: usenet storage pool add, remove or policy")
    told = {"policy": policy, "min_free": min_free, "drives": {name: {} for name in members}}
    return _change(shelf, wanted, lambda: settings.set(home, "storage.pool", told), "create", dry_run, say)


def add(home: Home, names: Sequence[str], *, dry_run: bool = False, say: Say) -> Pooled:
    """Let drives join the pool; running containers see their files at once."""
    shelf, pool = existing(home)
    pools.check_members(tuple(names), shelf.drives, shelf.seen)
    new = {name: BranchSettings() for name in names if name not in pool.drives}
    wanted = pool.model_copy(update={"drives": {**pool.drives, **new}})

    def write() -> None:
        for name in new:
            settings.set(home, f"storage.pool.drives.{name}", {})

    return _change(shelf, wanted, write, "add", dry_run, say)


def remove(home: Home, name: str, *, dry_run: bool = False, say: Say) -> Pooled:
    """Take a drive out of the pool; its files stay on it. SystemFailure while one is open by way of the pool."""
    shelf, pool = existing(home)
    if name not in pool.drives:
        if pools.pool_steps(pool, shelf.drives, shelf.seen, seen_of(shelf)).steps:  # of a run that was killed
            return _change(shelf, pool, lambda: None, "remove", dry_run, say)
        raise ValidationError(f"{name} is not in the pool", hint=f"there is: {', '.join(pool.drives)}")
    if dry_run:
        return Pooled(steps=leaving(shelf, name))
    with files.lock(home.path, "storage pool remove"):
        return Pooled(steps=_leave(home, name, say))


def policy(home: Home, policy: str, min_free: str, *, dry_run: bool = False, say: Say) -> Pooled:
    """Change where new files are put; what is empty stays as it is."""
    shelf, pool = existing(home)
    wanted = _settings({"drives": pool.drives}, policy or pool.policy, min_free or str(pool.min_free))

    def write() -> None:
        for key, value in (("policy", policy), ("min_free", min_free)):
            if value:
                settings.set(home, f"storage.pool.{key}", value)

    return _change(shelf, wanted, write, "policy", dry_run, say)


def destroy(home: Home, *, dry_run: bool = False, say: Say) -> Pooled:
    """Take the pool away; every file stays on its drive. SystemFailure names who has one open, and nothing was done."""
    shelf = observe(home.require())
    planned = pools.pool_steps(None, shelf.drives, shelf.seen, seen_of(shelf))
    if not planned.steps:
        existing(home)
    if dry_run:
        return Pooled(steps=planned.steps)
    mergerfs.require()
    balancing.require_none(home)
    with files.lock(home.path, "storage pool destroy"):
        for step in (one for one in planned.steps if isinstance(one, Unmount | Detach)):
            say(step)
            take(step, shelf)
        settings.unset(home, "storage.pool")
        rest = settle(observe(home), say=say, must=True)
    return Pooled(steps=planned.steps, findings=rest.findings)


def settle(shelf: Shelf, *, say: Say, must: bool = False) -> Converged:
    """Take the steps from the pool that is mounted to that of usenet.yaml, after those of the drives; under the lock.

    What fails is a finding, or raised if it `must` be.
    """
    named = bool(shelf.settings.storage.pool) or any(map(is_pool, shelf.seen.lines))
    if not named and POOL not in shelf.seen.places:
        return Converged((), ())
    shelf = observe(shelf.home)  # the drives have moved since
    planned = pools.pool_steps(shelf.settings.storage.pool, shelf.drives, shelf.seen, seen_of(shelf))
    try:
        for step in planned.steps:
            say(step)
            take(step, shelf)
    except UsenetError as failure:
        if must:
            raise
        return Converged(planned.steps, (*planned.findings, Finding(drive=POOL, what=f"{failure}", cure=failure.hint)))
    return planned


def take(step: Step, shelf: Shelf) -> None:
    """Take one step of a pool."""
    match step:
        case Guard(path=path):
            guards.guard(Path(path))
        case Unmount(target=target):
            mounting.unmount(Path(target))
        case Detach(target=target):
            mounting.detach(Path(target))
        case Persist(lines=lines):
            fstab.write(shelf.seen.stack, lines)
        case MountPool():
            mergerfs.mount(step, shelf.seen.stack)
        case SetPool():
            mergerfs.change(step, shelf.seen.stack)


def join(home: Home, name: str, drive: DriveSettings) -> None:
    """Let a new drive be in the pool, if there is one and the drive is of its kind: media, needed, written to."""
    pool = settings.load(home).storage.pool
    if pool and name not in pool.drives and drive.role == "media" and drive.needed and not drive.read_only:
        settings.set(home, f"storage.pool.drives.{name}", {})


@contextmanager
def without(home: Home, name: str, *, say: Say) -> Iterator[None]:
    """Around what unmounts a drive, under the lock: it is out of the pool before, and in it again if that fails."""
    pool = settings.load(home).storage.pool
    branch = pool.drives.get(name) if pool else None
    if branch is None:
        yield
        return
    _leave(home, name, say)
    try:
        yield
    except BaseException:
        settings.set(home, f"storage.pool.drives.{name}", branch.model_dump(exclude_defaults=True))
        settle(observe(home), say=say)
        raise


def leaving(shelf: Shelf, name: str) -> tuple[Step, ...]:
    """The steps by which a drive leaves the pool; none where it is not in it. ValidationError for the last one."""
    pool = shelf.settings.storage.pool
    if not pool or name not in pool.drives:
        return ()
    rest = {other: branch for other, branch in pool.drives.items() if other != name}
    if not rest:
        raise ValidationError(f"{name} is the last drive of the pool", hint="take it away: usenet storage pool destroy")
    there = seen_of(shelf)
    first = pools.draining(there.mounted, name, shelf.seen)
    after = pools.pool_steps(pool.model_copy(update={"drives": rest}), shelf.drives, shelf.seen, there)
    return (*([first] if first else []), *after.steps)


def _leave(home: Home, name: str, say: Say) -> tuple[Step, ...]:
    shelf = observe(home)
    steps = leaving(shelf, name)
    mergerfs.require()
    balancing.require_none(home)
    if first := pools.draining(seen_of(shelf).mounted, name, shelf.seen):
        _drain(shelf, name, first, say)
    settings.unset(home, f"storage.pool.drives.{name}")
    settle(observe(home), say=say, must=True)
    return steps


def _drain(shelf: Shelf, name: str, first: Step, say: Say) -> None:
    """Put nothing new on the drive, and wait a moment for open files; SystemFailure and all as before if some stay."""
    try:
        say(first)
        take(first, shelf)
        branch, pool = Path(shelf.seen.target(name)), Path(shelf.seen.target(POOL))
        end = time.monotonic() + DRAINED
        while who := mergerfs.holding(branch, pool):
            if time.monotonic() > end:
                raise SystemFailure(
                    f"files on {name} are open by way of the pool: {', '.join(map(str, who))}",
                    hint="stop what uses them, then try again; the pool is as it was",
                )
            time.sleep(0.1)
    except BaseException:
        settle(observe(shelf.home), say=say)
        raise


def _change(
    shelf: Shelf, wanted: PoolSettings, write: Callable[[], object], verb: str, dry_run: bool, say: Say
) -> Pooled:
    if dry_run:
        planned = pools.pool_steps(wanted, shelf.drives, shelf.seen, seen_of(shelf))
    else:
        mergerfs.require()
        with files.lock(shelf.home.path, f"storage pool {verb}"):
            write()
            planned = settle(observe(shelf.home), say=say, must=True)
    return Pooled(steps=planned.steps, findings=planned.findings)


def existing(home: Home) -> tuple[Shelf, PoolSettings]:
    """One look, and the pool of usenet.yaml. ValidationError where there is none."""
    shelf = observe(home.require())
    if not (pool := shelf.settings.storage.pool):
        raise ValidationError("there is no pool", hint="make one with: usenet storage pool create")
    return shelf, pool


def seen_of(shelf: Shelf) -> PoolSeen:
    """What is there of the pool."""
    return mergerfs.look(Path(shelf.seen.target(POOL)), mounts.look())


def _settings(told: dict[str, object], policy: str, min_free: str) -> PoolSettings:
    pools.check_policy(policy)
    size = int(min_free) if min_free.isdecimal() else parse_bytes(min_free)
    if not isinstance(size, int):
        raise ValidationError(f"expected bytes, or such as 4G, found {min_free!r}", where="--min-free")
    return PoolSettings.model_validate({**told, "policy": policy, "min_free": size})
