"""One look at the drives of a machine and at what the stack makes of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from usenet.actions import hardware
from usenet.adapters import mounts, settings
from usenet.adapters.home import Home
from usenet.adapters.storage import fstab, guards, look, smart
from usenet.domain import mounts as holders
from usenet.domain.errors import UsenetError
from usenet.domain.host import Drive, Host
from usenet.domain.settings import Settings, data_root
from usenet.domain.storage import health, offers
from usenet.domain.storage.health import Smart, Word
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Held, Seen

GLANCE = 3.0  # seconds for a drive to say how it is, while everything else is looked at
_UNASKED = Smart(verdict="unknown", why="it was not asked")  # none of its own, as a loop device, or it just came


def names(home: Home) -> tuple[str, ...]:
    """The drives of the stack, for completion; none where usenet.yaml can't be read."""
    try:
        return tuple(settings.load(home).storage.drives) if home.exists else ()
    except UsenetError:
        return ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """One look at the drives: the machine, what of it can be used, and what the stack makes of it."""

    home: Home
    settings: Settings
    host: Host
    seen: Seen

    @property
    def drives(self) -> dict[str, DriveSettings]:
        return dict(self.settings.storage.drives)


def observe(
    home: Home, *, patience: float | None = None, wake: bool = True, dead: Collection[str] = frozenset()
) -> Shelf:
    """Look at every drive of the machine and at those of the stack. Works without a usenet.yaml, engine and root.

    Without `wake` none that sleeps is woken, and one that doesn't answer soon is unsure, not dead; `dead` are known to
    be. With `patience` besides, nothing but drives is looked at, and nobody is waited for longer than so many seconds.
    """
    wanted = settings.load(home) if home.exists else Settings()
    table, parts = mounts.look(), look.parts()
    data = Path(data_root(wanted.data, str(home.path)))
    drives = wanted.storage.drives
    names = {name: bool(one.uuid) for name, one in drives.items()}
    with ThreadPoolExecutor(2) as pool:
        places = pool.submit(look.places, data, names, table, parts, patience=patience, wake=wake, dead=dead)
        answering = pool.submit(look.directories, [one.path for one in drives.values() if one.path], patience)
        host = hardware.drives_alone(patience) if patience else hardware.look()
    keep = (str(home.path), str(data), host.engine.root if host.engine else "/var/lib/docker")
    stack, (there, silent) = look.stack_id(home), answering.result()
    seen = Seen(
        data=str(data),
        shared=look.shared(data, table),
        bound=look.bound(data, table),
        offers=offers.offers(host, keep=keep),
        places=places.result(),
        lines=fstab.lines(stack) if stack else (),
        drivers=look.drivers(),
        directories=frozenset(one.path for one in drives.values() if one.path in there and _is_there(one, host)),
        silent=silent,
        targets=frozenset(row.mount.target for row in table) | {"/"},
        boot=fstab.mountpoints() | {"/"},
        blind=os.geteuid() != 0 and any(one.what.startswith("signatures on") for one in host.unseen),
        stack=stack,
        parts=parts,
        lasting=guards.lasting(data / "drives"),
        uid=wanted.user.uid,
        gid=wanted.user.gid,
        umask=wanted.user.umask,
    )
    return Shelf(home, wanted, host, seen)


def _is_there(drive: DriveSettings, host: Host) -> bool:
    """Whether a directory is on a filesystem of its type: the mountpoint of a share that is away is not it."""
    held = holders.holding(host, drive.path)
    types = {held[0].type} if held else set()
    return not drive.type or bool(types & {drive.type, ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `storage list`. `name` is empty for what is not in the stack; bytes, None where unknown."""

    name: str
    device: str
    type: str
    label: str
    uuid: str
    model: str
    serial: str
    bus: str
    size: int
    used: int | None
    smart: Word
    state: str


def listed(home: Home, *, all_: bool) -> tuple[list[Row], int]:
    """The lines of `storage list`, and how many more `all_` would show. Each drive is asked, and none woken."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(smart.ask, smart.disks(), GLANCE)
        shelf = observe(home, wake=False)
    every = rows(shelf, asked.result())
    shown = [row for row in every if all_ or row.name or row.state == "can be added"]
    return shown, len(every) - len(shown)


def rows(shelf: Shelf, told: Mapping[str, Smart]) -> list[Row]:
    """Drives of the stack, present or not, and what else the machine has. `told`: what physical drives say."""
    by_uuid = {drive.uuid: name for name, drive in shelf.drives.items() if drive.uuid}
    found = [_row(shelf, one, by_uuid.get(one.uuid, "") if one.uuid else "", told) for one in shelf.seen.offers]
    here = {row.name for row in found}
    return [*(_absent(shelf, name, told) for name in shelf.drives if name not in here), *found]


def _held(shelf: Shelf, name: str) -> Held | None:
    place = shelf.seen.places.get(name)
    return place.held if place else None


def _state(shelf: Shelf, name: str) -> str:
    """The state of a drive of the stack in the words of `storage status`, and why where that is no news."""
    found, why = health.state(shelf.drives[name], name, shelf.seen)
    if found == "not mounted":
        why = "usenet storage check --fix"
    return f"{found}: {why}" if why and not health.well(found, shelf.drives[name]) else found


def _word(below: Iterable[Drive], told: Mapping[str, Smart]) -> Word:
    return health.word({one.path: told.get(one.path, _UNASKED) for one in below})


def _below(shelf: Shelf, offer: Offer) -> list[Drive]:
    """The physical drives of a filesystem: each member of an array, each device of a btrfs."""
    drives = shelf.host.drives
    return [
        one for one in drives if one == offer.drive or any(f.source in offer.devices for f in holders.filesystems(one))
    ]


def _row(shelf: Shelf, offer: Offer, name: str, told: Mapping[str, Smart]) -> Row:
    held = _held(shelf, name)
    mine = name and (held or not offer.why)
    state = _state(shelf, name) if mine else offer.why or "can be added"
    return Row(
        name=name,
        device=offer.device,
        type=offer.type,
        label=offer.label,
        uuid=offer.uuid,
        model=offer.drive.model,
        serial=offer.drive.serial,
        bus=offer.drive.bus,
        size=offer.size,
        used=offer.filesystem.used if offer.filesystem else None,
        smart=_word(_below(shelf, offer), told),
        state=state,
    )


def _absent(shelf: Shelf, name: str, told: Mapping[str, Smart]) -> Row:
    drive = shelf.drives[name]
    return Row(
        name=name, device=drive.path, type=drive.type, label="", uuid=drive.uuid, model="", serial=drive.serial, bus="",
        size=0, used=None, smart=_word(health.beneath(drive, shelf.host), told), state=_state(shelf, name),
    )  # fmt: skip
