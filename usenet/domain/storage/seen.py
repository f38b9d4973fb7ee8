"""What is there now of the stack's drives: mounts, guards, lines of fstab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is mounted at a drive's place. `alive`: it can be read now."""

    source: str
    read_only: bool = False
    alive: bool = True
    marker: Marker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One directory below <data>/drives."""

    guarded: bool = False
    held: Held | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that decisions need.

    `shared`: what is mounted below `data` appears in containers; `bound`: because `data` is bound to itself. `drivers`:
    what can be mounted here; `directories`: wanted paths that exist; `stack`: the identity that markers bear.
    """

    data: str
    shared: bool
    bound: bool = False
    offers: tuple[Offer, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    drivers: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()
    stack: str = ""
    uid: int = 1000
    gid: int = 1000
    umask: str = "002"

    def offer(self, uuid: str) -> Offer | None:
        """The one filesystem with this UUID; None where there is none, or more than one."""
        found = [one for one in self.offers if uuid and one.uuid == uuid]
        return found[0] if len(found) == 1 else None

    def elsewhere(self, offer: Offer) -> str:
        """Where else on this machine a filesystem is mounted; empty where nowhere."""
        mounted = (mount.target for mount in offer.filesystem.mounts) if offer.filesystem else ()
        return min((one for one in mounted if not one.startswith(f"{self.data}/drives/")), key=len, default="")

    def target(self, name: str) -> str:
        """Where a drive is, for its whole life."""
        return f"{self.data}/drives/{name}"
