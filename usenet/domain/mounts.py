"""Which filesystem of a machine holds a path, and what it is good for."""

from __future__ import annotations

from collections.abc import Iterator

from usenet.domain.errors import ValidationError
from usenet.domain.host import Drive, Filesystem, Host, Mount, Partition

# They know neither owners nor the locks that SQLite needs.
_FOREIGN = frozenset({"exfat", "vfat", "msdos", "ntfs", "ntfs3", "hfs", "hfsplus"})
# A directory of the machine below, which keeps owners and locks; it only comes in over a kind of network.
_LENT = frozenset({"virtiofs"})


def holding(host: Host, path: str) -> tuple[Filesystem, Mount] | None:
    """The filesystem that an absolute path lies on and where it is mounted; None where no such mount was seen."""
    found = (pair for pair in _mounted(host) if _holds(pair[1].target, path))
    return max(found, key=lambda pair: len(pair[1].target), default=None)


def check_config(host: Host, home: str) -> None:
    """ValidationError where the configuration would lie on FUSE, FAT, NTFS or a network filesystem."""
    config = f"{home}/config"
    held = holding(host, config)
    if held is None:
        return
    filesystem, mount = held
    kind = filesystem.type
    remote = filesystem in (*host.network_filesystems, *host.fuse_filesystems) and kind not in _LENT
    if remote or kind in _FOREIGN:
        raise ValidationError(
            f"{mount.target} is {kind}, where the databases of services break",
            where=config,
            hint="put the stack directory on ext4, XFS, btrfs or ZFS: usenet init --home DIR"
            f"; the data can stay: --data {mount.target}",
        )


def filesystems(device: Drive | Partition) -> Iterator[Filesystem]:
    """Every filesystem on a drive or below a partition."""
    if device.filesystem:
        yield device.filesystem
    for child in device.partitions if isinstance(device, Drive) else device.children:
        yield from filesystems(child)


def _mounted(host: Host) -> Iterator[tuple[Filesystem, Mount]]:
    on_drives = (f for d in host.drives for f in filesystems(d))
    for filesystem in (*host.network_filesystems, *host.fuse_filesystems, *on_drives):
        for mount in filesystem.mounts:
            yield filesystem, mount


def _holds(target: str, path: str) -> bool:
    return target in ("/", path) or path.startswith(target.rstrip("/") + "/")
