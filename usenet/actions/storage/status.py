"""What each drive of the stack is now, and how full."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import mounts
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure
from usenet.domain.storage import health
from usenet.domain.storage.health import State
from usenet.domain.storage.intent import POOL, PoolSettings, Role

# Seconds, together with all else less than two.
PATIENCE, SIZE_PATIENCE = 0.7, 0.4
_UNASKED = ("away", "not mounted", "dead")  # how full they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Bytes; `fill` as df has it: of what a user may have, the part that is used."""

    size: int
    used: int
    available: int

    @property
    def fill(self) -> float:
        return self.used / max(self.used + self.available, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveStatus:
    """One drive of the stack. `well`: nothing is to be done about it."""

    drive: str
    state: State
    why: str
    well: bool
    path: str
    device: str
    type: str
    role: Role
    usage: Usage | None
    fill: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """The drives that are shown as one. `away`: those of them that are not there, or don't answer."""

    path: str
    state: State
    drives: tuple[str, ...]
    away: tuple[str, ...]
    policy: str
    usage: Usage | None
    fill: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageStatus:
    """The data root, the drives, and the pool where there is one."""

    data: str
    usage: Usage | None
    fill: float | None
    drives: tuple[DriveStatus, ...]
    pool: PoolStatus | None


def look(home: Home) -> StorageStatus:
    """One look, which a drive that hangs does not hold up: nobody is waited for longer than PATIENCE seconds."""
    shelf = observe(home.require(), patience=PATIENCE, wake=False)
    seen = shelf.seen
    states = {name: health.state(drive, name, seen) for name, drive in shelf.drives.items()}
    pool = shelf.settings.storage.pool
    asked = [seen.target(name) for name, (state, _) in states.items() if state not in _UNASKED]
    asked += [seen.target(POOL)] if pool and _pool_state(shelf) == "mounted" else []
    known = usages([seen.data, *asked], SIZE_PATIENCE)
    return StorageStatus(
        data=seen.data,
        usage=(root := known.get(seen.data)),
        fill=_fill(root),
        drives=tuple(_drive(shelf, name, known.get(seen.target(name))) for name in shelf.drives),
        pool=_pool(shelf, pool, known.get(seen.target(POOL))) if pool else None,
    )


def usages(targets: Iterable[str], patience: float | None = None) -> dict[str, Usage]:
    """How full each is, all asked at once; without those that don't answer."""
    wanted = tuple(targets)
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(len(wanted), 32)) as pool:
        found = zip(wanted, pool.map(lambda target: _usage(target, patience), wanted), strict=True)
        return {target: usage for target, usage in found if usage}


def _usage(target: str, patience: float | None) -> Usage | None:
    try:
        size, used, available = mounts.usage(target, patience)
    except SystemFailure:
        return None
    return Usage(size=size, used=used, available=available)


def _drive(shelf: Shelf, name: str, usage: Usage | None) -> DriveStatus:
    drive = shelf.drives[name]
    state, why = health.state(drive, name, shelf.seen)
    place = shelf.seen.places.get(name)
    twins = shelf.seen.twins(drive.uuid)
    source = place.held.source if place and place.held else twins[0].device if twins else ""
    return DriveStatus(
        drive=name,
        state=state,
        why=why,
        well=health.well(state, drive),
        path=shelf.seen.target(name),
        device=drive.path or source,
        type=drive.type,
        role=drive.role,
        usage=usage,
        fill=_fill(usage),
    )


def _pool_state(shelf: Shelf) -> State:
    place = shelf.seen.places.get(POOL)
    if not (place and place.held):
        return "not mounted"
    if place.held.unsure:
        return "unknown"
    return "mounted" if place.held.alive else "dead"


def _pool(shelf: Shelf, pool: PoolSettings, usage: Usage | None) -> PoolStatus:
    here = {name for name, place in shelf.seen.places.items() if place.held and place.held.alive}
    return PoolStatus(
        path=shelf.seen.target(POOL),
        state=_pool_state(shelf),
        drives=tuple(pool.drives),
        away=tuple(name for name in pool.drives if name not in here),
        policy=pool.policy,
        usage=usage,
        fill=_fill(usage),
    )


def _fill(usage: Usage | None) -> float | None:
    return round(usage.fill, 4) if usage else None
