"""The end of every change to the drives: one that is dead or away leaves the pool, one that is back joins it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import mounts
from usenet.adapters.storage import fstab, guards, mergerfs, mounting
from usenet.domain.errors import UsenetError
from usenet.domain.storage import pool as pools
from usenet.domain.storage.converge import Converged, Finding
from usenet.domain.storage.intent import POOL, PoolSettings
from usenet.domain.storage.lines import Drives, is_pool
from usenet.domain.storage.pool import PoolSeen
from usenet.domain.storage.seen import Held, Place
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Guard,
    MountDrive,
    MountPool,
    Persist,
    SetPool,
    Step,
    Unmount,
)

Say = Callable[[Step], None]


def seen_of(shelf: Shelf) -> PoolSeen:
    """What is there of the pool."""
    return mergerfs.look(Path(shelf.seen.target(POOL)), mounts.look())


def concerns(shelf: Shelf) -> bool:
    """Whether there is a pool, wanted or left over."""
    named = bool(shelf.settings.storage.pool) or any(map(is_pool, shelf.seen.lines))
    return named or POOL in shelf.seen.places


def planned(shelf: Shelf, there: PoolSeen | None = None) -> Converged:
    """The steps from the pool that is mounted to that of usenet.yaml, for the drives as they are now."""
    if not concerns(shelf):
        return Converged((), ())
    return pools.pool_steps(shelf.settings.storage.pool, shelf.drives, shelf.seen, there or seen_of(shelf))


def foreseen(shelf: Shelf, pool: PoolSettings | None, drives: Drives, steps: Iterable[Step]) -> Converged:
    """The steps to `pool`, once these steps have mounted what they mount."""
    if pool is None:
        return Converged((), ())
    new = (one for one in steps if isinstance(one, MountDrive | BindDirectory))
    shown = {one.name: Place(held=Held(source="", read_only=drives[one.name].read_only)) for one in new}
    seen = replace(shelf.seen, places={**shelf.seen.places, **shown})
    return pools.pool_steps(pool, drives, seen, seen_of(shelf))


def settle(shelf: Shelf, *, say: Say, must: bool = False, mount: bool = True, wake: bool = True) -> Converged:
    """Take these steps, after those of the drives; under the lock. `mount` False: one that is not mounted stays so.

    What fails is a finding, or raised if it `must` be. Without `wake` no drive is woken.
    """
    if not concerns(shelf):
        return Converged((), ())
    shelf = observe(shelf.home, wake=wake)  # the drives have moved since
    towards = planned(shelf)
    steps = tuple(step for step in towards.steps if mount or not isinstance(step, MountPool))
    taken: list[Step] = []
    try:
        for step in steps:
            say(step)
            take(step, shelf)
            taken.append(step)
    except UsenetError as failure:
        if must:
            raise
        return Converged(tuple(taken), (*towards.findings, Finding(drive=POOL, what=f"{failure}", cure=failure.hint)))
    return Converged(steps, towards.findings)


def take(step: Step, shelf: Shelf) -> None:
    """Take one step of a pool."""
    match step:
        case Guard(path=path):
            guards.guard(Path(path), shelf.seen.uid, shelf.seen.gid)
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
