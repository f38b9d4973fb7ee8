"""The pool: several drives shown as one by mergerfs, and the steps from what is mounted to what is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from usenet.domain.errors import ValidationError
from usenet.domain.storage.adding import absent
from usenet.domain.storage.converge import Converged, Finding
from usenet.domain.storage.events import Sight
from usenet.domain.storage.intent import POOL, PoolSettings
from usenet.domain.storage.lines import Drives, escaped, is_pool
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import POOL_TYPE, Detach, Guard, MountPool, Persist, SetPool, Step, Unmount

_POLICIES = ("mfs", "pfrd", "lus", "lfs", "ff", "rand")
# mergerfs reads these in the path of a branch as something else.
_UNFIT = re.compile(r"[:=*?\[\]{},\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What is mounted at the pool's place. `alive`: it answers; of one that does not, nothing else is known.

    `branches`: as mergerfs writes them, PATH=MODE.
    """

    type: str
    alive: bool = True
    branches: tuple[str, ...] = ()
    policy: str = ""
    min_free: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSeen:
    """What is there of the pool. `installed`: this machine has mergerfs."""

    installed: bool = True
    guarded: bool = False
    mounted: Mounted | None = None


def pool_steps(pool: PoolSettings | None, drives: Drives, seen: Seen, there: PoolSeen) -> Converged:
    """The steps from what is there to `pool`; None: to no pool. Call it when the drives are where they should be."""
    if there.mounted and there.mounted.type != POOL_TYPE:
        what = f"{there.mounted.type} is mounted at {seen.target(POOL)}"
        return Converged((), (Finding(drive=POOL, what=what, cure=f"take it away: umount {seen.target(POOL)}"),))
    if pool is None:
        return Converged(tuple(_ended(seen, there)), ())
    if unfit := _unfit(seen):
        what, cure = unfit
        return Converged(tuple(_ended(seen, there)), (Finding(drive=POOL, what=what, cure=cure),))
    branches, findings = _branches(pool, drives, seen)
    lines = (*_others(seen), _line(pool, branches, seen)) if branches else _others(seen)
    if not there.installed:
        lines = seen.lines
        findings = (*findings, Finding(drive=POOL, what="mergerfs is not installed", cure="install mergerfs"))
    return Converged(tuple(_towards(pool, branches, lines, seen, there)), findings)


def _towards(
    pool: PoolSettings, branches: tuple[str, ...], lines: tuple[str, ...], seen: Seen, there: PoolSeen
) -> Iterator[Step]:
    target, mounted = seen.target(POOL), there.mounted
    if mounted and not (mounted.alive and branches):
        # An empty list of branches crashes mergerfs.
        yield Detach(target=target, because="none of its drives is there" if mounted.alive else "it does not answer")
        mounted = None
    if mounted is None and not (there.guarded and not there.mounted):
        yield Guard(path=target)
    wanted = (branches, pool.policy, pool.min_free)
    if mounted and (mounted.branches, mounted.policy, mounted.min_free) != wanted:
        yield SetPool(target=target, branches=branches, policy=pool.policy, min_free=pool.min_free, lines=lines)
    elif not mounted and branches and there.installed:
        yield MountPool(target=target, branches=branches, options=_options(pool), lines=lines)
    elif lines != seen.lines:
        yield Persist(lines=lines)


def _ended(seen: Seen, there: PoolSeen) -> Iterator[Step]:
    if there.mounted:
        target = seen.target(POOL)
        yield Unmount(target=target) if there.mounted.alive else Detach(target=target, because="it does not answer")
    if _others(seen) != seen.lines:
        yield Persist(lines=_others(seen))


def _branches(pool: PoolSettings, drives: Drives, seen: Seen) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The drives of the pool that are there, and a word on each other: a dead one takes every new file and fails it."""
    here: list[str] = []
    findings: list[Finding] = []
    for name, branch in pool.drives.items():
        held = seen.places[name].held if name in seen.places else None
        if held and held.alive:
            mode = "RO" if held.read_only or drives[name].read_only else "RW" if branch.new_files else "NC"
            here.append(f"{seen.target(name)}={mode}")
        else:
            findings.append(Finding(drive=POOL, what=f"{name} is not in it now", cure="it joins when it is back"))
    return tuple(here), tuple(findings)


def _options(pool: PoolSettings) -> tuple[str, ...]:
    return (
        "cache.files=off",
        f"category.create={pool.policy}",
        "moveonenospc=true",
        f"minfreespace={pool.min_free}",
        "fsname=usenet-pool",
        "allow_other",
        "nosuid",
        "nodev",
        "noatime",
    )


def _line(pool: PoolSettings, branches: tuple[str, ...], seen: Seen) -> str:
    """At boot the pool waits for each of its drives and is left out if one is away, rather than list an empty place."""
    needed = (f"x-systemd.requires-mounts-for={escaped(_path(one))}" for one in branches)
    options = ",".join((*_options(pool), "nofail", *needed))
    return f"{escaped(':'.join(branches))} {escaped(seen.target(POOL))} {POOL_TYPE} {options} 0 0"


def _others(seen: Seen) -> tuple[str, ...]:
    return tuple(line for line in seen.lines if not is_pool(line))


def sight(pool: PoolSettings, drives: Drives, seen: Seen, there: PoolSeen, device: str) -> Sight:
    """The pool as the watch sees a drive: `device` is what it is made with, which is of use while a branch is there."""
    branches, _ = _branches(pool, drives, seen)
    return Sight(
        mounted=there.mounted is not None,
        alive=there.mounted is not None and there.mounted.alive,
        device=device if branches and there.installed else "",
    )


def _path(branch: str) -> str:
    return branch.rpartition("=")[0]


def draining(mounted: Mounted | None, name: str, seen: Seen) -> SetPool | None:
    """The step after which nothing new is put on one drive; None where it is not listed. fstab stays as it is."""
    if mounted is None or not listed(mounted, name, seen):
        return None
    path = seen.target(name)
    branches = tuple(f"{path}=NC" if _path(one) == path else one for one in mounted.branches)
    return SetPool(
        target=seen.target(POOL),
        branches=branches,
        policy=mounted.policy,
        min_free=mounted.min_free,
        lines=seen.lines,
    )


def listed(mounted: Mounted | None, name: str, seen: Seen) -> bool:
    """Whether a drive is a branch of the pool that is mounted."""
    return bool(mounted and mounted.alive and any(_path(one) == seen.target(name) for one in mounted.branches))


def no_room(sizes: Sequence[tuple[int, int]], min_free: int) -> tuple[Finding, ...]:
    """That a pool takes no new file, where that is so. `sizes`: of each drive that may take some, and what is free."""
    if any(free > min_free for _, free in sizes):
        return ()
    why = "it is full"
    if not sizes:
        why = "none of its drives takes new files"
    elif all(size <= min_free for size, _ in sizes):
        why = f"no drive of it is larger than what is to stay free ({min_free / 2**30:.3g} GiB)"
    what = f"{why}: every new file fails with 'No space left on device'"
    return (Finding(drive=POOL, what=what, cure="usenet storage pool add, or policy --min-free"),)


def check_members(names: tuple[str, ...], drives: Drives, seen: Seen) -> None:
    """ValidationError where one of `names` can't be in a pool."""
    for name in names:
        if name not in drives:
            raise absent(name, drives)
    if unfit := _unfit(seen):
        what, cure = unfit
        raise ValidationError(what, hint=cure)


def _unfit(seen: Seen) -> tuple[str, str] | None:
    """Why the data root can't hold a pool, and what helps; None where it can."""
    found = _UNFIT.search(seen.data)
    if not found:
        return None
    what = f"the data root {seen.data} can't hold a pool: mergerfs reads {found[0]!r} in a path as something else"
    return what, "give the data another place: usenet config set data DIR"


def check_policy(policy: str) -> None:
    """ValidationError for a policy that is none, or that would make hardlinks impossible."""
    if policy.startswith(("ep", "msp")):
        raise ValidationError(
            f"{policy} keeps a file on the drives that have its directory, and a hardlink from another directory fails",
            hint="take mfs (most room), pfrd (by chance, more where there is more room) or another of: "
            + ", ".join(_POLICIES),
        )
    if policy not in _POLICIES:
        raise ValidationError(f"there is no policy {policy!r}", hint=f"there is: {', '.join(_POLICIES)}")
