"""Every filesystem of a machine, and whether the stack may use it: never the machine's own, never a guess."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from usenet.domain import mounts
from usenet.domain.host import Drive, Filesystem, Host, Partition

# What we know how to mount, and what each can't do that the services would like to have.
USABLE = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "exfat", "vfat", "ntfs", "hfsplus"})
_LAYERS = {
    "crypto_LUKS": "is locked: open it first with cryptsetup open {device} NAME",
    "BitLocker": "is locked by BitLocker: open it first with cryptsetup open --type bitlk {device} NAME",
    "LVM2_member": "belongs to LVM: its logical volumes can be used, not the member",
    "linux_raid_member": "belongs to a RAID: the array can be used, not the member",
    "zfs_member": "belongs to a ZFS pool: name the directory of a dataset",
    "swap": "is swap",
    "iso9660": "is a disc image",
    "udf": "is a disc image",
    "squashfs": "is a package, not storage",
    "unknown": "has a signature that nobody here knows",
}
# Mounted there, a filesystem is the machine's. /home, /srv, /mnt, /media and the like may be shared.
_SYSTEM = ("/", "/boot", "/usr", "/var", "/etc", "/nix", "/opt", "/root", "/tmp")  # noqa: S108 - a mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One filesystem, or a drive without one. `why` says why it can't be used; empty: it can."""

    device: str
    drive: Drive
    filesystem: Filesystem | None
    size: int
    why: str = ""

    @property
    def uuid(self) -> str:
        return self.filesystem.uuid if self.filesystem else ""

    @property
    def label(self) -> str:
        return self.filesystem.label if self.filesystem else ""

    @property
    def type(self) -> str:
        return self.filesystem.type if self.filesystem else ""


def offers(host: Host, *, keep: tuple[str, ...] = ()) -> tuple[Offer, ...]:
    """Every filesystem on the drives of a machine, in the order of the drives; of a btrfs over many, the first.

    `keep`: paths whose filesystem is not to be used: the engine's directory, the stack directory.
    """
    kept = {held[0].source for path in keep if (held := mounts.holding(host, path))}
    found = [replace(one, why=one.why or _why(one, kept)) for drive in host.drives for one in _on(drive)]
    return tuple(_without_repeats(found))


def _on(drive: Drive) -> Iterator[Offer]:
    if drive.filesystem or not drive.partitions:
        yield Offer(device=drive.path, drive=drive, filesystem=drive.filesystem, size=drive.size)
    for partition in drive.partitions:
        yield from _below(drive, partition)


def _below(drive: Drive, partition: Partition) -> Iterator[Offer]:
    """The filesystem of a partition, or those of what is open above it; a member is shown only while nothing is."""
    if partition.children:
        for child in partition.children:
            yield from _below(drive, child)
    elif partition.size > 2**20 or partition.filesystem:  # an extended partition, or one for a boot loader
        yield Offer(device=partition.path, drive=drive, filesystem=partition.filesystem, size=partition.size)


def _why(one: Offer, kept: set[str]) -> str:
    filesystem = one.filesystem
    if filesystem is None:
        return "has no filesystem: make one with the tools of this machine, nothing here formats"
    if filesystem.type in _LAYERS:
        return _LAYERS[filesystem.type].format(device=one.device)
    if system := _of_the_machine(filesystem):
        return f"holds {system} of this machine"
    if filesystem.source in kept:
        return "holds the stack directory or the engine's"
    if filesystem.type not in USABLE:
        return f"is {filesystem.type}, which nobody here can mount"
    return "" if filesystem.uuid else "has no UUID to know it by"


def _of_the_machine(filesystem: Filesystem) -> str:
    targets = (mount.target for mount in filesystem.mounts)
    return next((one for one in targets if one in _SYSTEM or one.startswith("/boot/")), "")


def _without_repeats(found: list[Offer]) -> Iterator[Offer]:
    """One filesystem over several devices comes once; two filesystems with one UUID are a copy, and neither is used."""
    count = Counter(one.uuid for one in found if one.uuid and one.type != "btrfs")
    seen: set[str] = set()
    for one in found:
        if one.type == "btrfs" and one.uuid:
            if one.uuid in seen:
                continue
            seen.add(one.uuid)
        if count[one.uuid] > 1 and not one.why:
            twins = ", ".join(other.device for other in found if other.uuid == one.uuid and other.device != one.device)
            yield replace(one, why=f"has the same UUID as {twins}: one is a copy, and which is meant nobody can tell")
        else:
            yield one
