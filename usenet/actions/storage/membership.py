"""How a drive becomes part of the pool, and how it ceases to be while others use the pool."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from usenet.actions.storage import balance
from usenet.actions.storage.settling import Say, seen_of, settle, take
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import settings
from usenet.adapters.home import Home
from usenet.adapters.storage import mergerfs
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.storage import pool as pools
from usenet.domain.storage.intent import POOL, DriveSettings
from usenet.domain.storage.steps import Step

DRAINED = 3.0  # seconds in which mergerfs lets go of a file that was closed


def path(name: str) -> str:
    """Where usenet.yaml says that a drive is in the pool."""
    return f"storage.pool.drives.{name}"


def joining(home: Home, name: str, drive: DriveSettings) -> Mapping[str, Mapping[str, object]]:
    """What usenet.yaml is to say besides, so that a new drive is in the pool: nothing where there is none, or where
    the drive is not of its kind: media, needed, written to. One that was of it before is out for a reason.
    """
    storage = settings.load(home).storage
    before = storage.drives.get(name)
    joins = _fits(drive) and not (before and _fits(before))
    return {path(name): {}} if storage.pool and name not in storage.pool.drives and joins else {}


def _fits(drive: DriveSettings) -> bool:
    return drive.role == "media" and drive.needed and not drive.read_only


def forgetting(home: Home, name: str) -> Mapping[str, None]:
    """What of the pool usenet.yaml is to say no more when a drive leaves the stack."""
    pool = settings.load(home).storage.pool
    return {path(name): None} if pool and name in pool.drives else {}


def leaving(shelf: Shelf, name: str) -> tuple[Step, ...]:
    """The steps by which a drive leaves the pool; none where it is not in it. ValidationError for the last one."""
    first, after = _leaving(shelf, name)
    return (*([first] if first else []), *after)


def _leaving(shelf: Shelf, name: str) -> tuple[Step | None, tuple[Step, ...]]:
    pool = shelf.settings.storage.pool
    if not pool or name not in pool.drives:
        return None, ()
    rest = {other: branch for other, branch in pool.drives.items() if other != name}
    if not rest:
        raise ValidationError(f"{name} is the last drive of the pool", hint="take it away: usenet storage pool destroy")
    there = seen_of(shelf)
    after = pools.pool_steps(pool.model_copy(update={"drives": rest}), shelf.drives, shelf.seen, there)
    return pools.draining(there.mounted, name, shelf.seen), after.steps


@contextmanager
def without(home: Home, name: str, *, say: Say) -> Iterator[None]:
    """Around what unmounts a drive and forgets it, under the lock: the mounted pool is without it.

    usenet.yaml is not changed here. If what is inside fails, or we are killed, the drive is in the pool again by the
    next run of anything that mounts drives.
    """
    shelf = observe(home)
    first, after = _leaving(shelf, name)
    with balance.ended(shelf):
        if not forgetting(home, name):
            yield
            return
        mergerfs.require()
        try:
            drain(shelf, name, first, say)
            for step in after:
                say(step)
                take(step, shelf)
            yield
        except BaseException:
            settle(observe(home), say=say)
            raise


def leave(home: Home, name: str, *, say: Say) -> tuple[Step, ...]:
    """Take a drive out of the pool for good, under the lock; the steps."""
    shelf = observe(home)
    first, after = _leaving(shelf, name)
    mergerfs.require()
    with balance.ended(shelf):
        try:
            drain(shelf, name, first, say)
        except BaseException:
            settle(observe(home), say=say)
            raise
        settings.unset(home, path(name))
        settle(observe(home), say=say, must=True)
    return (*([first] if first else []), *after)


def drain(shelf: Shelf, name: str, first: Step | None, say: Say) -> None:
    """Put nothing new on the drive, and wait a moment for open files; SystemFailure if some stay."""
    if not first:
        return
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
