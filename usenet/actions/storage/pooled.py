"""The pool of a stack as it is now."""

from __future__ import annotations

from dataclasses import dataclass

from usenet.actions.storage.pool import existing
from usenet.actions.storage.room import full
from usenet.actions.storage.settling import seen_of
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import mounts
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure
from usenet.domain.storage import pool as pools
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.intent import POOL, PoolSettings
from usenet.domain.storage.pool import Mounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One drive of the pool as it is now; bytes, None where nobody answers. `state`: empty where all is well."""

    name: str
    mode: str
    size: int | None
    used: int | None
    free: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The pool as it is now."""

    path: str
    mounted: bool
    policy: str
    min_free: int
    drives: tuple[Branch, ...]
    findings: tuple[Finding, ...]


def show(home: Home) -> View:
    """Look at the pool. ValidationError where there is none."""
    shelf, pool = existing(home)
    there = seen_of(shelf)
    planned = pools.pool_steps(pool, shelf.drives, shelf.seen, there)
    rows = tuple(_branch(shelf, name, pool, there.mounted) for name in pool.drives)
    findings = list(planned.findings)
    if planned.steps:
        findings.append(Finding(drive=POOL, what="it is not as usenet.yaml says", cure="run: usenet services up"))
    if there.mounted and there.mounted.alive:
        findings += full(there.mounted.branches, pool.min_free)
    return View(
        path=shelf.seen.target(POOL),
        mounted=bool(there.mounted and there.mounted.alive),
        policy=pool.policy,
        min_free=pool.min_free,
        drives=rows,
        findings=tuple(findings),
    )


def _branch(shelf: Shelf, name: str, pool: PoolSettings, mounted: Mounted | None) -> Branch:
    target = shelf.seen.target(name)
    if not pools.listed(mounted, name, shelf.seen):
        return Branch(name=name, mode="", size=None, used=None, free=None, state="not in it now")
    assert mounted is not None  # noqa: S101 - listed
    mode = next(one.rpartition("=")[2] for one in mounted.branches if one.rpartition("=")[0] == target)
    try:
        size, used, free = mounts.usage(target)
    except SystemFailure as silent:
        return Branch(name=name, mode=mode, size=None, used=None, free=None, state=silent.message)
    state = "full" if free <= pool.min_free else ""
    return Branch(name=name, mode=mode, size=size, used=used, free=free, state=state)
