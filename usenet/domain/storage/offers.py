"""Every filesystem of a machine, and whether the stack may use it: never the machine's own, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    "isw_raid_member": "belongs to a RAID: the array can be used, not the member",
    "ddf_raid_member": "belongs to a RAID: the array can be used, not the member",
    "zfs_member": "belongs to a ZFS pool: name the directory of a dataset",
    "swap": "is swap",
    "iso9660": "is a disc image",
    "udf": "is a disc image",
    "squashfs": "is a package, not storage",
    "unknown": "has a signature that nobody here knows",
}
# Mounted there, a filesystem is the machine's. /home, /srv, /mnt, /media and the like may be shared.
_SYSTEM = frozenset({"/", "/var", "/opt", "/root", "/tmp", "/cdrom"})  # noqa: S108 - a mount
# There or anywhere below. Not all of /var: machines with a read-only /usr have their /mnt and /home in it.
_TREES = (
    *("/boot/", "/efi/", "/usr/", "/etc/", "/nix/", "/sysroot/", "/run/live/", "/run/initramfs/"),
    *("/var/lib/", "/var/log/", "/var/cache/", "/var/spool/"),
)
# Every kind of machine starts from a small FAT that lies beside what it starts; mounted it may be or not.
_BOOT_SIZE = 2**30
_BOOT_LABELS = frozenset({"EFI", "ESP"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One filesystem, or a drive without one. `why` says why it can't be used; empty: it can.

    `others`: the other devices of a btrfs over several.
    """

    device: str
    drive: Drive
    filesystem: Filesystem | None
    size: int
    why: str = ""
    others: tuple[str, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        return self.device, *self.others

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

    `keep`: paths whose filesystem is not to be used: the engine's directory, the stack directory, the data root.
    """
    kept = {held[0].source for path in keep if (held := mounts.holding(host, path))}
    once: dict[str, Offer] = {}  # an array is found on each of its members
    for drive in host.drives:
        for one in _on(drive):
            once.setdefault(one.device, replace(one, why=_why(one, kept)))
    return tuple(_without_copies(_joined(once.values())))


def _on(drive: Drive) -> Iterator[Offer]:
    own = drive.filesystem
    if not drive.partitions or (own and own.type not in _LAYERS):
        yield Offer(device=drive.path, drive=drive, filesystem=own, size=drive.size)
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
    if machines := _of_the_machine(one, filesystem, kept):
        return machines
    if filesystem.type not in USABLE:
        return f"is {filesystem.type}, which nobody here can mount"
    return "" if filesystem.uuid else "has no UUID to know it by"


def _of_the_machine(one: Offer, filesystem: Filesystem, kept: set[str]) -> str:
    targets = (mount.target for mount in filesystem.mounts)
    if system := next((target for target in targets if target in _SYSTEM or f"{target}/".startswith(_TREES)), ""):
        return f"holds {system} of this machine"
    if filesystem.source in kept:
        return "holds the stack directory, its data or the engine's"
    return "is small and FAT, like what a machine starts from" if _starts_a_machine(one) else ""


def _starts_a_machine(one: Offer) -> bool:
    beside = len(one.drive.partitions) > 1 and one.device != one.drive.path
    return one.type == "vfat" and one.size <= _BOOT_SIZE and (beside or one.label.upper() in _BOOT_LABELS)


def _joined(found: Iterable[Offer]) -> list[Offer]:
    """One btrfs over several devices is one offer, refused if one of them is."""
    result: dict[str, Offer] = {}
    for one in found:
        key = one.uuid if one.type == "btrfs" and one.uuid else one.device
        first = result.setdefault(key, one)
        if first is not one:
            size = first.size + one.size
            result[key] = replace(first, others=(*first.others, one.device), size=size, why=first.why or one.why)
    return list(result.values())


def _without_copies(found: Sequence[Offer]) -> Iterator[Offer]:
    """Two filesystems with one UUID are a copy, and neither is used."""
    same: dict[str, list[str]] = {}
    for one in found:
        same.setdefault(one.uuid, []).append(one.device)
    for one in found:
        twins = [device for device in same[one.uuid] if one.uuid and device != one.device]
        copy = f"has the same UUID as {', '.join(twins)}: one is a copy, and which is meant nobody can tell"
        yield replace(one, why=copy) if twins and not one.why else one
