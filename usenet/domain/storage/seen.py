"""What is there now of the stack's drives: mounts, guards, lines of fstab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer

# Drives are mounted below it for a moment only; what lies there was left by a run that was killed.
OUT_OF_SIGHT = "/run/usenet/"


def within(path: str, root: str) -> bool:
    """Whether `path` is `root` or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is mounted at a drive's place. `alive`: it can be read, as far as anybody knows; `unsure`: why nobody knows
    that, or its marker. `part`: it is a directory of its filesystem.
    """

    source: str
    read_only: bool = False
    alive: bool = True
    unsure: str = ""
    part: bool = False
    marker: Marker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One directory below <data>/drives."""

    guarded: bool = False
    held: Held | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Everything that decisions need.

    `shared`: what is mounted below `data` appears in containers; `bound`: because `data` is bound to itself. `drivers`:
    what can be mounted here; `directories`: wanted paths that exist; `stack`: the identity that markers bear;
    `parts`: mountpoints at which not all of a filesystem is seen, but a directory or a subvolume of it; `lasting`:
    guards outlive a start of the machine; `silent`: wanted paths that gave no answer yet; `targets`: all mountpoints,
    and `boot`: those that a start of the machine makes; `blind`: some devices could not be read.
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
    parts: frozenset[str] = frozenset()
    lasting: bool = True
    silent: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset({"/"})
    boot: frozenset[str] = frozenset({"/"})
    blind: bool = False
    uid: int = 1000
    gid: int = 1000
    umask: str = "002"

    @cached_property
    def _by_uuid(self) -> Mapping[str, tuple[Offer, ...]]:
        found: dict[str, tuple[Offer, ...]] = {}
        for one in self.offers:
            found[one.uuid] = (*found.get(one.uuid, ()), one)
        return found

    def twins(self, uuid: str) -> tuple[Offer, ...]:
        """Every filesystem with this UUID: none, one, or one and its copies."""
        return self._by_uuid.get(uuid, ()) if uuid else ()

    def offer(self, uuid: str) -> Offer | None:
        """The one filesystem with this UUID; None where there is none, or more than one."""
        found = self.twins(uuid)
        return found[0] if len(found) == 1 else None

    def elsewhere(self, offer: Offer) -> str:
        """Where else on this machine a whole filesystem is mounted; empty where nowhere."""
        mounts = offer.filesystem.mounts if offer.filesystem else ()
        ours = (f"{self.data}/drives/", OUT_OF_SIGHT)
        targets = (one.target for one in mounts if not one.target.startswith(ours))
        return min((one for one in targets if one not in self.parts), key=len, default="")

    def unread(self, held: Held) -> bool:
        """Whether nobody could read whose filesystem is mounted there: a plain user may not."""
        return any(held.source in one.devices and not one.uuid for one in self.offers)

    def stays(self, path: str) -> bool:
        """Whether a directory is there after a start of the machine. systemd makes one that is not, where its drive or
        share will be mounted later: what is bound from it would be a directory of another disk.
        """
        above = max((one for one in self.boot | self.targets if within(path, one)), key=len, default="/")
        return above in self.boot and (path in self.directories | self.silent or above not in self.targets)

    def target(self, name: str) -> str:
        """Where a drive is, for its whole life."""
        return f"{self.data}/drives/{name}"
