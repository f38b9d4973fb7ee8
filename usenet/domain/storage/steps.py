"""What is done to the mounts of a machine, as values. Each can be done again without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Make the mount that holds `path` shared, by binding `path` to itself: what is mounted below appears inside."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Make the mountpoint, and let nobody write into it while nothing is mounted there."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Write the marker onto a filesystem that is out of sight: whose drive it is, before anything else is done."""

    name: str
    source: str
    type: str
    options: tuple[str, ...]
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Let services write to a filesystem that is out of sight: its top directory becomes theirs.

    Only while there is nothing in it but what mkfs and we made, and it is root's.
    """

    name: str
    source: str
    type: str
    options: tuple[str, ...]
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmark:
    """Take the marker off a filesystem that left the stack, out of sight, if it is `marker` still."""

    name: str
    source: str
    type: str
    options: tuple[str, ...]
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountDrive:
    """Mount `device` out of sight, compare its marker with `marker` (empty: don't), and then show it at `target`."""

    name: str
    device: str
    type: str
    options: tuple[str, ...]
    target: str
    marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindDirectory:
    """Show the directory `source` of this machine at `target`; the marker as in MountDrive."""

    name: str
    source: str
    target: str
    read_only: bool = False
    marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmount:
    """Write everything out and take the mount away; refused while a file on it is open."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach:
    """Take away the mount of a drive that is gone or is another than it should be, though files on it may be open."""

    target: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Persist:
    """Let these lines of fstab, and no others of this stack, mount the drives at boot."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPool:
    """Show `branches`, as mergerfs writes them (PATH=MODE), as one at `target`; `lines` as in Persist."""

    target: str
    branches: tuple[str, ...]
    options: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPool:
    """Let the mounted pool have these branches and this policy, now and, by `lines`, at boot; nothing is unmounted."""

    target: str
    branches: tuple[str, ...]
    policy: str
    min_free: int
    lines: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, str]:
        """What is set on the control file of the pool."""
        return {
            "user.mergerfs.branches": ":".join(self.branches),
            "user.mergerfs.category.create": self.policy,
            "user.mergerfs.minfreespace": str(self.min_free),
        }


Step = (
    Share | Guard | Mark | Give | Unmark | MountDrive | BindDirectory | Unmount | Detach | Persist | MountPool | SetPool
)
POOL_TYPE = "fuse.mergerfs"


def describe(step: Step) -> str:  # noqa: C901, PLR0911 - one for each step
    """One line for a person."""
    match step:
        case Share(path=path):
            return f"make {path} a shared mount, so that containers see what is mounted below it later"
        case Guard(path=path):
            return f"make the mountpoint {path}, where nothing can be written while the drive is away"
        case Mark(name=name, source=source):
            return f"write the marker of {name} onto {source}"
        case Give(name=name, uid=uid, gid=gid):
            return f"give the empty top directory of {name} to {uid}:{gid}, so that services can write"
        case Unmark(name=name, source=source):
            return f"take the marker of {name} off {source}"
        case MountDrive(device=device, type=kind, options=options, target=target):
            return f"mount {device} ({kind}, {','.join(options)}) on {target}"
        case BindDirectory(source=source, target=target, read_only=read_only):
            return f"bind {source} to {target}{', read-only' if read_only else ''}"
        case Unmount(target=target):
            return f"unmount {target}"
        case Detach(target=target, because=because):
            return f"detach {target}: {because}"
        case Persist(lines=lines):
            return (
                f"write {len(lines)} mounts of this stack into /etc/fstab" if lines else "take our mounts out of fstab"
            )
        case MountPool(target=target, branches=branches):
            return f"mount the pool on {target}: {_names(branches)}, now and at boot"
        case SetPool(target=target, branches=branches, policy=policy):
            return f"let the pool be {_names(branches)}; policy {policy}, now and at boot"


def _names(branches: Sequence[str]) -> str:
    """The drives of a pool, as a person calls them."""
    named = [(path.rpartition("/")[2], mode) for path, _, mode in (one.partition("=") for one in branches)]
    closed = [name for name, mode in named if mode != "RW"]
    return ", ".join(name for name, _ in named) + (f", nothing new to {', '.join(closed)}" if closed else "")


def commands(step: Step) -> tuple[tuple[str, ...], ...]:  # noqa: PLR0911 - one for each step
    """The command lines that the step stands for."""
    match step:
        case Share(path=path):
            return ("mount", "--rbind", path, path), ("mount", "--make-rshared", path)
        case Guard(path=path):
            return ("mkdir", "-p", path), ("chattr", "+i", path)
        case MountDrive(device=device, type=kind, options=options, target=target):
            return (("mount", "-t", kind, "-o", ",".join(options), device, target),)
        case BindDirectory(source=source, target=target, read_only=read_only):
            return (("mount", "--bind", *(("-o", "ro") if read_only else ()), source, target),)
        case Unmount(target=target):
            return ("sync", "--file-system", target), ("umount", target)
        case Detach(target=target):
            return (("umount", "--lazy", target),)
        case MountPool(target=target, branches=branches, options=options):
            return (("mount", "-t", POOL_TYPE, "-o", ",".join(options), ":".join(branches), target),)
        case SetPool(target=target, attributes=attributes):
            return tuple(("setfattr", "-n", name, "-v", to, f"{target}/.mergerfs") for name, to in attributes.items())
        case Mark() | Give() | Unmark() | Persist():
            return ()
