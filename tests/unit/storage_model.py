"""A machine in memory: drives on ports, mounts, guards and fstab, changed by steps as the adapters change a real one.

What a kernel refuses is refused. Every verb is a walk of single operations, so that it can be killed between any two.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, islice
from typing import Any

from usenet.domain.errors import ValidationError
from usenet.domain.host import Cpu, Drive, Filesystem, Host, Memory, Mount, Partition, System
from usenet.domain.storage import adding
from usenet.domain.storage.converge import Converged, converge, mark, unmark
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, read, text
from usenet.domain.storage.offers import offers
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Guard,
    Mark,
    MountDrive,
    Persist,
    Share,
    Step,
    Unmark,
    Unmount,
)

DATA = "/srv/usenet"
DRIVES = f"{DATA}/drives/"
HIDDEN = "/run/usenet/mounts/"
STACK = "5e1fc0de5e1fc0de"
ROOT = "/dev/nvme0n1p2"
MACHINE = Drive(
    name="nvme0n1",
    path="/dev/nvme0n1",
    size=2**39,
    partitions=(
        Partition(
            path=ROOT,
            kind="part",
            size=2**39,
            filesystem=Filesystem(source=ROOT, type="ext4", uuid="root", mounts=(Mount(target="/"),)),
        ),
    ),
)
ONE_AT_A_TIME = frozenset({"exfat-fuse", "ntfs-3g"})  # a program serves the device: a second can't


class Refused(Exception):
    """What a system call would answer."""


@dataclass(eq=False)
class Disk:
    """A drive with one filesystem, wherever it is plugged in. `marker` is the text of the file on it."""

    serial: str
    uuid: str
    type: str = "ext4"
    label: str = ""
    marker: str = ""
    full_or_dying: bool = False


@dataclass(eq=False)
class Directory:
    """A directory of the machine: of a share where `served`, else of the empty mountpoint of one."""

    path: str
    marker: str = ""
    served: bool = True


@dataclass(frozen=True)
class Mounted:
    """One line of the kernel's table. `plugged`: which plugging in it is of; it is dead after the next pull."""

    target: str
    of: Disk | Directory
    source: str
    read_only: bool
    plugged: int = 0
    empty: bool = False


@dataclass
class Machine:
    """`shared` is what the root mount is after a boot: True with systemd. `settings` is what usenet.yaml has."""

    shared: bool = True
    drivers: frozenset[str] = frozenset({"ext4", "xfs", "btrfs", "exfat-fuse"})
    ports: dict[int, Disk] = field(default_factory=dict)
    devices: dict[Disk, tuple[str, int]] = field(default_factory=dict)
    directories: dict[str, Directory] = field(default_factory=dict)
    mounts: list[Mounted] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    guarded: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    lines: tuple[str, ...] = ()
    open: set[Disk] = field(default_factory=set)
    settings: dict[str, DriveSettings] = field(default_factory=dict)
    share_now: bool = True
    bound: bool = False
    pluggings: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.share_now = self.shared

    # --- what happens to a machine ---

    def plug(self, disk: Disk, port: int) -> None:
        """The kernel gives the first name that is free; a name stays taken while something of it is mounted."""
        taken = {name for name, _ in self.devices.values()} | {one.source for one in self.mounts}
        name = next(one for one in (f"/dev/sd{letters(n)}1" for n in count()) if one not in taken)
        self.ports[port] = disk
        self.devices[disk] = (name, next(self.pluggings))

    def pull(self, disk: Disk) -> None:
        self.ports = {port: one for port, one in self.ports.items() if one is not disk}
        self.devices.pop(disk, None)
        self.open.discard(disk)

    def boot(self, order: Callable[[list[Disk]], list[Disk]]) -> None:
        """Mounts, names and all that is in memory are gone; drives are found in another order; fstab is mounted."""
        self.mounts, self.bound, self.share_now = [], False, self.shared
        self.open = set()
        disks, self.devices = order(list(self.devices)), {}
        ports, self.ports = {id(disk): port for port, disk in self.ports.items()}, {}
        for disk in disks:
            self.plug(disk, ports[id(disk)])
        for line in self.lines:
            with suppress(Refused):  # nofail
                self._at_boot(*(plain(word) for word in line.split(" ")))

    def _at_boot(self, source: str, target: str, type_: str, options: str, *_: str) -> None:
        given = set(options.split(","))
        if "rshared" in given:
            self.bound = self.share_now = True
            return
        self.made.add(target)  # systemd makes it
        if "bind" in given:
            if not self.directories[source].served:  # listed in fstab as well: systemd waits for it, in vain
                raise Refused(source)
            self.bind(source, target, read_only="ro" in given)
            return
        found = [disk for disk in self.devices if f"UUID={disk.uuid}" == source]
        if not found:
            raise Refused(source)
        self.mount(self.devices[found[0]][0], target, type_, read_only="ro" in given)

    def mounted_by_hand(self, disk: Disk, target: str) -> None:
        """A person, or a desktop, mounts it where we have no business, if the kernel lets them."""
        if any(one.of is disk and (one.read_only or disk.type == "exfat") for one in self.mounts if self.lives(one)):
            return
        self.mounts.append(Mounted(target, disk, self.devices[disk][0], False, self.devices[disk][1]))

    # --- what a kernel does, and refuses ---

    def top(self, target: str) -> Mounted | None:
        return next((one for one in reversed(self.mounts) if one.target == target), None)

    def lives(self, one: Mounted) -> bool:
        return isinstance(one.of, Directory) or self.devices.get(one.of) == (one.source, one.plugged)

    def mount(self, device: str, target: str, type_: str, *, read_only: bool) -> None:
        disk = next((disk for disk, (name, _) in self.devices.items() if name == device), None)
        if disk is None or type_ not in self.drivers or not type_.startswith(disk.type):
            raise Refused(f"{device}: no such device, or not {type_}")
        same = [one for one in self.mounts if one.of is disk and self.lives(one)]
        if same and (type_ in ONE_AT_A_TIME or any(one.read_only != read_only for one in same)):
            raise Refused(f"{device} already mounted or mount point busy")
        self._put(Mounted(target, disk, device, read_only, self.devices[disk][1]))

    def bind(self, source: str, target: str, *, read_only: bool) -> None:
        above = self.top(source)
        if above:
            shown = Mounted(target, above.of, above.source, read_only or above.read_only, above.plugged, above.empty)
        elif source in self.directories:
            directory = self.directories[source]
            shown = Mounted(target, directory, ROOT, read_only, empty=not directory.served)
        else:  # nothing is mounted there: a directory of the root disk
            shown = Mounted(target, Directory(source, served=False), ROOT, read_only, empty=True)
        self._put(shown)

    def _put(self, one: Mounted) -> None:
        assert one.target.startswith((DRIVES, HIDDEN)), one
        if one.target.startswith(DRIVES):
            if one.target not in self.made:
                raise Refused(f"{one.target}: mount point does not exist")
            assert self.share_now, f"no container sees {one.target}"
            self.used.add(one.target)
        self.mounts.append(one)

    def unmount(self, target: str, *, lazy: bool = False) -> None:
        assert target.startswith((DRIVES, HIDDEN)), target
        one = self.top(target)
        if one is None:
            return
        if one.of in self.open and not lazy and target.startswith(DRIVES):
            raise Refused(f"{target}: target is busy")
        if target.startswith(DRIVES) and isinstance(one.of, Disk):
            self.open.discard(one.of)
        self.mounts.remove(one)

    def exposed(self) -> list[str]:
        """Places of drives where a write would fill the root disk now."""
        return [
            target
            for target in self.used
            if ((one := self.top(target)) is None and target not in self.guarded)
            or (one is not None and one.empty and not one.read_only)
        ]

    # --- what the adapters see ---

    def host(self) -> Host:
        there: dict[int, list[Mounted]] = defaultdict(list)
        for one in self.mounts:
            there[one.plugged].append(one)
        drives = (_drive(disk, device, there[plugged]) for disk, (device, plugged) in self.devices.items())
        return Host(
            cpu=Cpu(model="", cores=4, threads=4, architecture="x86_64"),
            memory=Memory(total=2**33, available=2**32),
            system=System(kernel="6.12", distribution="debian"),
            drives=(MACHINE, *drives),
            sources={},
        )

    def seen(self) -> Seen:
        there = {one.target.removeprefix(DRIVES) for one in self.mounts if one.target.startswith(DRIVES)}
        return Seen(
            data=DATA,
            shared=self.share_now,
            bound=self.bound,
            offers=offers(self.host(), keep=("/home/anna/stack", "/var/lib/docker")),
            places={name: self._place(f"{DRIVES}{name}") for name in (*self.settings, *there - set(self.settings))},
            lines=self.lines,
            drivers=self.drivers,
            directories=frozenset(self.directories),
            stack=STACK,
        )

    def _place(self, target: str) -> Place:
        one = self.top(target)
        if one is None:
            return Place(guarded=target in self.guarded)
        alive = self.lives(one)
        marker = known(one.of.marker) if alive and not one.empty else None
        return Place(held=Held(source=one.source, read_only=one.read_only, alive=alive, marker=marker))

    # --- what the verbs do, one operation at a time ---

    def add(self, uuid: str, name: str, *, read_only: bool = False, adopt: bool = False) -> Iterator[None]:
        seen = self.seen()
        offer = adding.find(uuid, seen.offers)
        assert offer is not None
        (found,) = [one for one, (device, _) in self.devices.items() if device == offer.device]
        new = adding.settings(offer, "media", read_only=read_only)
        yield from self._join(name, new, found, seen, adopt=adopt)

    def add_directory(self, path: str, name: str) -> Iterator[None]:
        if not self.directories[path].served:
            raise ValidationError(f"{path} is empty")
        held = Filesystem(source="nas:/films", type="nfs4")
        seen = self.seen()
        adding.check_directory(path, seen, "/home/anna/stack", self.settings, held)
        new = DriveSettings(path=path, type="nfs4")
        yield from self._join(name, new, self.directories[path], seen, adopt=False)

    def _join(
        self, name: str, new: DriveSettings, what: Disk | Directory, seen: Seen, *, adopt: bool
    ) -> Iterator[None]:
        adding.joined(self.settings, name, new)
        adding.check_marker(read(what.marker), STACK, name, adopt=adopt)
        self.sweep()
        marked = mark(name, new, seen)
        if marked and read(marked.marker) != read(what.marker):
            yield from self.take(marked)
        self.settings = {**self.settings, name: new}
        yield
        yield from self.apply()

    def remove(self, name: str) -> Iterator[None]:
        seen = self.seen()
        held, own = seen.places[name].held, mark(name, self.settings[name], seen)
        self.sweep()
        if held and held.alive:
            yield from self.take(Unmount(target=seen.target(name)))
        self.settings = {one: drive for one, drive in self.settings.items() if one != name}
        yield
        if held and held.alive and held.marker and not held.read_only and own:
            yield from self.take(unmark(own))
        yield from self.apply()

    def apply(self) -> Iterator[None]:
        """Take the steps. What is refused stops the steps of that place, and of no other."""
        wrong: set[str] = set()
        steps = self.planned().steps
        self.sweep()
        for step in steps:
            place = getattr(step, "target", getattr(step, "path", ""))
            if place not in wrong:
                try:
                    yield from self.take(step)
                except Refused:
                    wrong.add(place)

    def sweep(self) -> None:
        """Take away what a killed run left out of sight."""
        for one in [one for one in self.mounts if one.target.startswith(HIDDEN)]:
            self.unmount(one.target, lazy=True)

    def planned(self) -> Converged:
        return converge(self.settings, self.seen())

    def take(self, step: Step) -> Iterator[None]:
        """One step as the adapters take it."""
        match step:
            case Share():
                assert step.path == DATA
                self.bound = True
                yield
                self.share_now = True
            case Guard(path=path):
                assert path.startswith(DRIVES), step
                self.made.add(path)
                yield
                self.guarded.add(path)
            case Mark() | Unmark():
                yield from self._out_of_sight(step)
            case MountDrive() | BindDirectory():
                yield from self._shown(step)
            case Unmount(target=target):
                self.unmount(target)
            case Detach(target=target):
                while self.top(target):
                    self.unmount(target, lazy=True)
            case Persist(lines=lines):
                self.lines = lines
        yield

    def _hide(self, step: Mark | Unmark | MountDrive | BindDirectory) -> Iterator[None]:
        """Mount out of sight; what a killed run left there goes first."""
        place = HIDDEN + step.name
        while self.top(place):
            self.unmount(place)
        yield
        if isinstance(step, BindDirectory) or (isinstance(step, Mark | Unmark) and not step.type):
            self.bind(step.source, place, read_only=isinstance(step, BindDirectory) and step.read_only)
        else:
            device = step.device if isinstance(step, MountDrive) else step.source
            self.mount(device, place, step.type, read_only="ro" in step.options)
        yield

    def _out_of_sight(self, step: Mark | Unmark) -> Iterator[None]:
        place = HIDDEN + step.name
        yield from self._hide(step)
        one = self.top(place)
        try:
            if one is None or one.read_only or one.empty or (isinstance(one.of, Disk) and one.of.full_or_dying):
                raise Refused(f"{place}: can't be written")
            one.of.marker = step.marker if isinstance(step, Mark) else ""
        except Refused:
            self.unmount(place)
            raise
        yield
        self.unmount(place)

    def _shown(self, step: MountDrive | BindDirectory) -> Iterator[None]:
        place = HIDDEN + step.name
        yield from self._hide(step)
        one = self.top(place)
        found = known(one.of.marker) if one and not one.empty else None
        wanted = read(step.marker)
        if one is None or (wanted and (found is None or (found.stack, found.uuid) != (wanted.stack, wanted.uuid))):
            self.unmount(place)
            raise Refused(f"{step.name}: the marker is not its own")
        if not self.top(step.target):
            drive = self.settings[step.name]
            assert step.target == DRIVES + step.name
            assert drive.read_only or found, f"{step.name} is shown for writing, and nobody knows whose it is"
            assert (drive.uuid or drive.path) == (one.of.uuid if isinstance(one.of, Disk) else one.of.path)
            self.bind(place, step.target, read_only=one.read_only)
        yield
        self.unmount(place)

    def state(self) -> Mapping[str, Any]:
        """All that must be the same whether or not a run was killed on the way."""
        return {
            "shown": {one.target: (self._known(one.of), one.read_only, self.lives(one)) for one in self.mounts},
            "guarded": set(self.guarded),
            "lines": self.lines,
            "settings": dict(self.settings),
            "markers": {disk.serial: known(disk.marker) for disk in self.devices},
        }

    def _known(self, of: Disk | Directory) -> str:
        return of.serial if isinstance(of, Disk) else of.path


def _drive(disk: Disk, device: str, mounted: list[Mounted]) -> Drive:
    mounts = tuple(Mount(target=one.target, options=("ro" if one.read_only else "rw", "subvol=/")) for one in mounted)
    held = Filesystem(source=device, type=disk.type, uuid=disk.uuid, label=disk.label, mounts=mounts)
    part = Partition(path=device, kind="part", size=2**40, filesystem=held)
    return Drive(name=device[5:-1], path=device[:-1], size=2**40, serial=disk.serial, bus="usb", partitions=(part,))


@lru_cache
def known(content: str) -> Marker | None:
    """The marker in a file."""
    return read(content)


def letters(number: int) -> str:
    """Which drive of the kernel's naming: a, b, … z, aa, ab …"""
    result, number = "", number + 1
    while number:
        number, digit = divmod(number - 1, 26)
        result = chr(ord("a") + digit) + result
    return result


def plain(word: str) -> str:
    """A word of fstab as the readers of it understand it."""
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), word)


def run(walk: Iterator[None], operations: int | None = None, after: Callable[[], object] = lambda: None) -> bool:
    """Do that many operations of a verb, or all; whether it was refused. `after` is called after each."""
    try:
        for _ in islice(walk, operations):
            after()
    except (Refused, ValidationError):
        return True
    return False


def fork(machine: Machine) -> Machine:
    """The same machine once more, to see what would have been."""
    pluggings = next(machine.pluggings)
    machine.pluggings = count(pluggings)
    return copy.deepcopy(machine)


def foreign(uuid: str) -> str:
    """The marker of another stack."""
    return text(Marker(stack="another", name="theirs", uuid=uuid))


def cycles(drives: int, wanted: int, hub: int = 8) -> tuple[Machine, int]:
    """A machine whose hubs are pulled and plugged in again in turn, each time with the drives in another order.

    The machine, and how often a drive was unmounted and mounted again: at least `wanted` times.
    """
    machine, done = Machine(), 0
    disks = [Disk(serial=f"S{n}", uuid=f"uuid-{n}", type=("ext4", "xfs", "btrfs")[n % 3]) for n in range(drives)]
    for port, disk in enumerate(disks):
        machine.plug(disk, port)
        run(machine.add(disk.uuid, f"d{port}"))
    for turn in count():
        if done >= wanted:
            return machine, done
        first = turn * hub % drives
        pulled = disks[first : first + hub]
        for disk in pulled:
            machine.pull(disk)
        run(machine.apply())
        for port, disk in enumerate(pulled[turn % hub :] + pulled[: turn % hub], first):
            machine.plug(disk, port)
        run(machine.apply())
        done += len(pulled)
    raise AssertionError  # count() does not end
