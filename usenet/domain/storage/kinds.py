"""What each type of filesystem needs to be mounted, and what it costs those who use it."""

from __future__ import annotations

from collections.abc import Collection

# Type as probed → what can mount it, best first: kernel drivers and helpers of mount(8).
_DRIVERS = {
    "exfat": ("exfat", "exfat-fuse"),
    "ntfs": ("ntfs3", "ntfs-3g", "ntfs"),
    "vfat": ("vfat",),
    "hfsplus": ("hfsplus",),
}
_PACKAGES = {"exfat": "exfat-fuse", "ntfs": "ntfs-3g", "xfs": "xfsprogs", "btrfs": "btrfs-progs", "f2fs": "f2fs-tools"}
# They keep no owner and no rights of a file: one is given to all when they are mounted.
_OWNERLESS = frozenset({"exfat", "vfat", "ntfs"})
_OVER_FUSE = frozenset({"exfat-fuse", "ntfs-3g", "ntfs"})
# What a read-only mount needs: else the driver first writes into their places the changes that a journal holds.
_UNWRITTEN = {
    "ext3": ("noload",),
    "ext4": ("noload",),
    "xfs": ("norecovery",),
    "f2fs": ("norecovery",),
    "btrfs": ("rescue=nologreplay",),
}

_NO_LINKS = "no hardlinks: what is imported is copied, and takes its room twice until the download is removed"
_NO_OWNERS = "no owners and rights: every file belongs to the one user of the stack"
_COSTS = {
    "exfat": (_NO_LINKS, _NO_OWNERS, 'names can hold none of : * ? " < > | and no line break'),
    "vfat": (_NO_LINKS, _NO_OWNERS, "no file over 4 GiB"),
    "ntfs": (_NO_OWNERS, "slower than the filesystems of Linux, most of all with many small files"),
    "hfsplus": ("read-only: writing to one that has a journal, as all have, is not safe here",),
}


def driver(type_: str, available: Collection[str]) -> str:
    """What `mount -t` is given for a filesystem; empty where this machine has nothing that mounts it.

    `available`: names of /proc/filesystems and of mount's helpers.
    """
    return next((one for one in _DRIVERS.get(type_, (type_,)) if one in available), "")


def missing(type_: str) -> str:
    """The sentence for a filesystem that nothing here can mount."""
    package = _PACKAGES.get(type_, "")
    return f"this machine can't mount {type_}" + (f": install {package}" if package else "")


def unwritten(type_: str) -> tuple[str, ...]:
    """The options with which a read-only mount writes nothing to a drive that was pulled while it was written to."""
    return _UNWRITTEN.get(type_, ())


def options(type_: str, driver_: str, *, uid: int, gid: int, umask: str, read_only: bool) -> tuple[str, ...]:
    """The mount options: nothing on a drive runs as somebody else, reading writes no times."""
    result = [*(("ro", *unwritten(type_)) if read_only else ("rw",)), "nosuid", "nodev", "noatime"]
    if type_ in _OWNERLESS:
        result += [f"uid={uid}", f"gid={gid}", f"umask={umask}"]
    if driver_ in _OVER_FUSE:
        result.append("allow_other")
    return tuple(result)


def costs(type_: str) -> tuple[str, ...]:
    """What the services have to do without on this filesystem, one sentence each."""
    return _COSTS.get(type_, ())


def owners(type_: str) -> bool:
    """Whether each file has an owner."""
    return _NO_OWNERS not in _COSTS.get(type_, ())


def written(type_: str) -> bool:
    """Whether it is ever written to here."""
    return type_ != "hfsplus"


def hardlinks(type_: str) -> bool:
    """Whether two names can be one file."""
    return _NO_LINKS not in _COSTS.get(type_, ())
