"""The pool of a stack: usenet.yaml first, then the steps that make it so, as with the drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usenet.actions.storage import balance, membership
from usenet.actions.storage.room import full
from usenet.actions.storage.settling import Say, planned, seen_of, settle, take
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, settings
from usenet.adapters.home import Home
from usenet.adapters.storage import mergerfs
from usenet.domain.errors import ValidationError
from usenet.domain.service import parse_bytes
from usenet.domain.storage import pool as pools
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.intent import BranchSettings, PoolSettings
from usenet.domain.storage.steps import Detach, MountPool, SetPool, Step, Unmount


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
    return _change(shelf, wanted, {"storage.pool": told}, "create", dry_run, say)


def add(home: Home, names: Sequence[str], *, dry_run: bool = False, say: Say) -> Pooled:
    """Let drives join the pool; running containers see their files at once."""
    shelf, pool = existing(home)
    pools.check_members(tuple(names), shelf.drives, shelf.seen)
    new = {name: BranchSettings() for name in names if name not in pool.drives}
    wanted = pool.model_copy(update={"drives": {**pool.drives, **new}})
    return _change(shelf, wanted, {membership.path(name): {} for name in new}, "add", dry_run, say)


def remove(home: Home, name: str, *, dry_run: bool = False, say: Say) -> Pooled:
    """Take a drive out of the pool; its files stay on it. SystemFailure while one is open by way of the pool."""
    shelf, pool = existing(home)
    if name not in pool.drives:
        if planned(shelf).steps:  # of a run that was killed
            return _change(shelf, pool, {}, "remove", dry_run, say)
        raise ValidationError(f"{name} is not in the pool", hint=f"there is: {', '.join(pool.drives)}")
    if dry_run:
        return Pooled(steps=membership.leaving(shelf, name))
    with files.lock(home.path, "storage pool remove"):
        return Pooled(steps=membership.leave(home, name, say=say))


def policy(home: Home, policy: str, min_free: str, *, dry_run: bool = False, say: Say) -> Pooled:
    """Change where new files are put; what is empty stays as it is."""
    shelf, pool = existing(home)
    wanted = _settings({"drives": pool.drives}, policy or pool.policy, min_free or str(pool.min_free))
    told = {"storage.pool.policy": policy, "storage.pool.min_free": min_free}
    return _change(shelf, wanted, {key: value for key, value in told.items() if value}, "policy", dry_run, say)


def destroy(home: Home, *, dry_run: bool = False, say: Say) -> Pooled:
    """Take the pool away; every file stays on its drive. SystemFailure names who has one open, and nothing was done."""
    shelf = observe(home.require())
    ending = pools.pool_steps(None, shelf.drives, shelf.seen, seen_of(shelf)).steps
    if not ending:
        existing(home)
    if dry_run:
        return Pooled(steps=ending)
    mergerfs.require()
    with files.lock(home.path, "storage pool destroy"), balance.ended(shelf):
        for step in (one for one in ending if isinstance(one, Unmount | Detach)):
            say(step)
            take(step, shelf)
        settings.unset(home, "storage.pool")
        rest = settle(observe(home), say=say, must=True)
    return Pooled(steps=ending, findings=rest.findings)


def _change(
    shelf: Shelf, wanted: PoolSettings, told: Mapping[str, settings.Value], verb: str, dry_run: bool, say: Say
) -> Pooled:
    """Write `told` into usenet.yaml, which is then `wanted`, and take the steps."""
    if dry_run:
        done = pools.pool_steps(wanted, shelf.drives, shelf.seen, seen_of(shelf))
    else:
        mergerfs.require()
        with files.lock(shelf.home.path, f"storage pool {verb}"):
            settings.together(shelf.home, told)
            done = settle(observe(shelf.home), say=say, must=True)
    asked = [one for one in done.steps if isinstance(one, MountPool | SetPool)]
    return Pooled(
        steps=done.steps, findings=(*done.findings, *(full(asked[-1].branches, wanted.min_free) if asked else ()))
    )


def existing(home: Home) -> tuple[Shelf, PoolSettings]:
    """One look, and the pool of usenet.yaml. ValidationError where there is none."""
    shelf = observe(home.require(), wake=False)
    if not (pool := shelf.settings.storage.pool):
        raise ValidationError("there is no pool", hint="make one with: usenet storage pool create")
    return shelf, pool


def _settings(told: dict[str, object], policy: str, min_free: str) -> PoolSettings:
    pools.check_policy(policy)
    size = int(min_free) if min_free.isdecimal() else parse_bytes(min_free)
    if not isinstance(size, int):
        raise ValidationError(f"expected bytes, or such as 4G, found {min_free!r}", where="--min-free")
    return PoolSettings.model_validate({**told, "policy": policy, "min_free": size})
