"""Mountpoints that nobody can write into while nothing is mounted there, not even root inside a container."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure

# linux/fs.h, for 64-bit machines as for 32-bit ones: the size in the number is that of a long.
_LONG = array.array("l").itemsize
_GET = 0x80006601 | _LONG << 16
_SET = 0x40006602 | _LONG << 16
_IMMUTABLE = 0x10
SOURCE = "usenet-guard"


def guard(path: Path) -> None:
    """Make the directory `path` where it is missing, and immutable; where the filesystem has no such flag, cover it
    with an empty read-only one. SystemFailure when it holds files: they would disappear under the drive.
    """
    if not path.is_dir():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir(mode=0o755)
    if held := next(path.iterdir(), None):
        raise SystemFailure(
            f"{path} is not empty, and {held.name} in it would disappear under the drive",
            hint=f"look at it, then move it away: mv {path} {path}.old",
        )
    if not _set(path, immutable=True) and not covered(path):
        shell.checked(("mount", "-t", "tmpfs", "-o", "ro,size=4k,mode=0755,nosuid,nodev", SOURCE, str(path)))


def guarded(path: Path) -> bool:
    """Whether nothing can be written into `path`, where nothing but a guard is mounted."""
    return path.is_dir() and (_flags(path) & _IMMUTABLE != 0 or covered(path))


def release(path: Path) -> None:
    """Take the guard away and the directory with it, if it is empty."""
    if covered(path):
        shell.checked(("umount", str(path)))
    _set(path, immutable=False)
    with suppress(OSError):
        path.rmdir()


def covered(path: Path) -> bool:
    """Whether the guard is a filesystem of its own, with nothing over it."""
    return uppermost(path) == SOURCE


def uppermost(path: Path) -> str:
    """The source of what is mounted on `path`, the last of several; empty where nothing is.

    From the kernel's table: a directory bound on its own filesystem has no other sign.
    """
    return mounted().get(str(path), "")


def mounted() -> dict[str, str]:
    """Mountpoint → the source of what is mounted there, the last of several."""
    lines = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    return {plain(target): plain(source) for source, target in (line.split(" ")[:2] for line in lines)}


def plain(word: str) -> str:
    """A word of the kernel's mount tables, as it was before it was written there."""
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), word)


def _flags(path: Path) -> int:
    held = array.array("l", [0])
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return 0
    try:
        fcntl.ioctl(descriptor, _GET, held)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return held[0]


def _set(path: Path, *, immutable: bool) -> bool:
    """Whether the filesystem has the flag. SystemFailure where only root may."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        wanted = _flags(path) | _IMMUTABLE if immutable else _flags(path) & ~_IMMUTABLE
        fcntl.ioctl(descriptor, _SET, array.array("l", [wanted]))
    except OSError as failure:
        if failure.errno == errno.EPERM:
            raise SystemFailure(f"only root can guard {path}", hint="run it with sudo") from failure
        return False
    finally:
        os.close(descriptor)
    return True
