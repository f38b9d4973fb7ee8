"""Where media lies: each drive for media that is in no pool, and the pool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from usenet.domain.storage import kinds
from usenet.domain.storage.intent import POOL, DriveSettings
from usenet.domain.storage.seen import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What root folders lie on: a drive for media, or the pool that shows several as one.

    `uuid`: what its marker says; None for the pool, whose marker is that of any of its drives.
    """

    uuid: str | None
    types: frozenset[str]
    read_only: bool = False


def spots(drives: Mapping[str, DriveSettings], pool: Collection[str] = ()) -> dict[str, Spot]:
    """The places for media by name. What is in the `pool` has no root folder of its own: a file would be seen twice."""
    found = {
        name: Spot(uuid=drive.uuid, types=frozenset({drive.type}), read_only=drive.read_only)
        for name, drive in drives.items()
        if drive.role == "media" and name not in pool
    }
    members = [drives[name] for name in pool if name in drives]
    if any(one.role == "media" for one in members):
        found[POOL] = Spot(uuid=None, types=frozenset(one.type for one in members))
    return found


def ready(name: str, spot: Spot, seen: Seen) -> str:
    """Why a place can't be written to now; empty where it is there, answers, and is the one that is meant."""
    place = seen.places.get(name)
    held = place.held if place else None
    what = "the pool" if spot.uuid is None else "the drive"
    if held is None:
        return f"{what} is away"
    if not held.alive:
        return f"{what} does not answer"
    if held.unsure:
        return f"{what}: {held.unsure}"
    marker = held.marker
    ours = marker is not None and marker.stack == seen.stack and spot.uuid in (None, marker.uuid)
    return "" if ours or spot.read_only else f"{what} has no marker of this stack: usenet storage check"


def mode(spot: Spot, seen: Seen) -> int:
    """The mode of a new directory: what is made in it has its group, where the filesystem knows groups."""
    rights = 0o777 & ~int(seen.umask, 8)
    return rights if any(_ownerless(one, seen) for one in spot.types) else rights | 0o2000


def _ownerless(type_: str, seen: Seen) -> bool:
    given = kinds.options(type_, "", uid=seen.uid, gid=seen.gid, umask=seen.umask, read_only=False)
    return any(one.startswith("uid=") for one in given)


def read_only(name: str, spot: Spot, seen: Seen) -> bool:
    """Whether nothing can be written there, by intent or as it is mounted."""
    place = seen.places.get(name)
    return spot.read_only or bool(place and place.held and place.held.read_only)
