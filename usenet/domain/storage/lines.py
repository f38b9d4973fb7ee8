"""The lines of fstab that mount the drives when the machine starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from usenet.domain.storage import kinds
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import POOL_TYPE

Drives = Mapping[str, DriveSettings]
# These four and no others: glibc, by which systemd reads fstab, takes the rest as it stands.
_ESCAPES = {ord(c): f"\\{ord(c):03o}" for c in " \t\n\\"}


def lines_of(drives: Drives, seen: Seen) -> Iterator[str]:
    """One line of fstab for each drive, present or not, and for each directory that a start of the machine finds there;
    all `nofail`, so that no drive stops a machine from starting.
    """
    root = escaped(seen.data)
    share = f"{root} {root} none rbind,rshared,nofail 0 0"
    if drives and (not seen.shared or seen.bound or share in seen.lines):
        yield share
    if drives and not seen.lasting:  # systemd takes one line for a mountpoint: not a cover and then the drive
        yield f"{root}/drives {root}/drives none bind,ro,nofail 0 0"
    for name, drive in drives.items():
        target = escaped(seen.target(name))
        if drive.path and not seen.stays(drive.path):
            continue  # usenet binds it when it has seen the marker
        if drive.path:
            mode = "bind,ro" if drive.read_only else "bind"  # systemd waits for what is bound by itself
            yield f"{escaped(drive.path)} {target} none {mode},nofail 0 0"
            continue
        kind = kinds.driver(drive.type, seen.drivers) or drive.type
        options = [*options_of(drive, drive.type, kind, seen), "nofail", "x-systemd.device-timeout=5s"]
        yield f"UUID={escaped(drive.uuid)} {target} {escaped(kind)} {','.join(options)} 0 0"


def options_of(drive: DriveSettings, type_: str, kind: str, seen: Seen) -> tuple[str, ...]:
    """How a drive is mounted."""
    return kinds.options(type_, kind, uid=seen.uid, gid=seen.gid, umask=seen.umask, read_only=drive.read_only)


def is_pool(line: str) -> bool:
    """Whether a line of fstab is that of the pool, which has steps of its own."""
    return line.split(" ")[2:3] == [POOL_TYPE]


def escaped(path: str) -> str:
    """A word as fstab writes it."""
    return path.translate(_ESCAPES)
