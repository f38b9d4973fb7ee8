"""A machine in memory as its kernel has it: drives on ports, their names, mounts, guards, fstab.

What a kernel refuses is refused, and what our adapters would see of it is seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count

from usenet.domain.host import Cpu, Drive, Filesystem, Host, Memory, Mount, Partition, System
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, read
from usenet.domain.storage.offers import offers
from usenet.domain.storage.seen import Held, Place, Seen

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
    """A drive with one filesystem, wherever it is plugged in. `marker` is the text of the file on it.

    `unclean`: it was left in the middle of writing.
    """

    serial: str
    uuid: str
    type: str = "ext4"
    label: str = ""
    marker: str = ""
    full_or_dying: bool = False
    unclean: bool = False


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
class Kernel:
    """`shared` is what the root mount is after a boot: True with systemd. `settings` is what usenet.yaml has.

    Of what is `open` a file is open, as containers see it. In mountpoints that are `littered` a file lies beneath.
    """

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
    open: set[Disk | Directory] = field(default_factory=set)
    littered: set[str] = field(default_factory=set)
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
        if not lazy:
            if one.of in self.open and target.startswith(DRIVES):
                raise Refused(f"{target}: target is busy")
            if not self.lives(one):
                raise Refused(f"{target}: nothing can be written out to a drive that is gone")
        if target.startswith(DRIVES):
            self.open.discard(one.of)
        self.mounts.remove(one)

    def guard(self, target: str) -> None:
        if target in self.littered:
            raise Refused(f"{target} is not empty")
        self.guarded.add(target)

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
