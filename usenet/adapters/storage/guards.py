"""Mountpoints that nobody can write into while nothing is mounted there, not even root inside a container."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from usenet.adapters import files, leftovers, refusals, shell
from usenet.domain.errors import SystemFailure

# linux/fs.h, for 64-bit machines as for 32-bit ones: the size in the number is that of a long.
_LONG = array.array("l").itemsize
_GET = 0x80006601 | _LONG << 16
_SET = 0x40006602 | _LONG << 16
_IMMUTABLE = 0x10
SOURCE = "usenet-guard"


def guard(path: Path, uid: int = 0, gid: int = 0) -> None:
    """Make the directory `path` where it is missing, and immutable; where the filesystem has no such flag, cover it
    with an empty read-only one. What is missing above it is made for `uid`:`gid`. SystemFailure when it holds files:
    they would disappear under the drive.
    """
    if os.geteuid() != 0:
        raise SystemFailure(f"only root can guard {path}", hint="run it with sudo")
    files.make_directory(path.parent, uid, gid, 0o2775)
    with refusals.in_words(path, 0):
        _guard(path)


def _guard(path: Path) -> None:
    if os.path.lexists(path) and not path.is_dir():
        raise SystemFailure(f"{path} is in the way: it is not a directory", hint=f"move it away: mv {path} {path}.old")
    with _made(path) as directory:
        try:
            _require_empty(path, directory)
            if not (flagged := _set(directory, immutable=True)) and not covered(path):
                _cover(path)
            _require_empty(path, directory)  # a container that sees no later mounts may have written meanwhile
        except SystemFailure:
            _set(directory, immutable=False)
            if covered(path):
                _uncover(path)
            raise
        if flagged and covered(path):
            _uncover(path)


@contextmanager
def _made(path: Path) -> Iterator[int]:
    """The directory itself, below whatever lies over it. A new one appears under its name with a cover over it.

    Else a container could write into it between mkdir and the flag. An immutable directory can't be renamed, nor one
    on which something is mounted; but where that is mounted in another mount namespace only, it can, and is still
    covered here and in all containers.
    """
    new = not path.is_dir()
    place = _private(path) if new else path
    with _opened(place) as directory:
        if new:
            _apart(_COVER_AND_RENAME, path.parent, place, path)
        yield directory


def _private(path: Path) -> Path:
    """A new directory beside `path`, under a name that nobody knows."""
    _sweep(path.parent)
    place = leftovers.temporary(path)
    _apart(_MAKE, path.parent, place)
    return place


def _sweep(parent: Path) -> None:
    """Take away what runs that were stopped left in `parent`."""
    for target, source in mounted().items():
        if source == SOURCE and Path(target).parent == parent and target.endswith("~"):
            _uncover(Path(target))
    for left in parent.glob(".*.usenet-*~"):
        with suppress(OSError):
            left.rmdir()


_COVER = ("mount", "-t", "tmpfs", "-o", "ro,size=4k,mode=0755,nosuid,nodev", SOURCE)
# At boot the directory of the mountpoints may have been bound read-only, see converge: here, and only here, it is not.
_WRITABLE = 'mount -o remount,bind,rw "$1" 2>/dev/null'
_MAKE = f'{_WRITABLE}; mkdir -m 0755 -- "$2"'
_COVER_AND_RENAME = f'{_WRITABLE}; nsenter --mount="/proc/$0/ns/mnt" -- {shlex.join(_COVER)} "$2" && mv -T -- "$2" "$3"'


def _apart(script: str, *paths: Path) -> None:
    """Run a script that sees the mounts of now: nobody sees its own, and it sees none that come later."""
    words = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", script)
    shell.checked((*words, str(os.getpid()), *map(str, paths)))


def _require_empty(path: Path, directory: int) -> None:
    if held := next(iter(os.listdir(directory)), None):
        raise SystemFailure(
            f"{path} is not empty, and {held} in it would disappear under the drive",
            hint=f"look at it, then move it away: mv {path} {path}.old",
        )


def _cover(path: Path) -> None:
    shell.checked((*_COVER, str(path)))


def _uncover(path: Path) -> None:
    shell.checked(("umount", "--lazy", str(path)))  # somebody may stand in it; it is empty


def guarded(path: Path) -> bool:
    """Whether nothing can be written into `path`, where nothing but a guard is mounted."""
    return path.is_dir() and ((_flags(path) or 0) & _IMMUTABLE != 0 or covered(path))


def lasting(path: Path) -> bool:
    """Whether a guard below the directory `path` lasts over a start of the machine: the flag does, a cover does not."""
    there = next(one for one in (path, *path.parents) if one.is_dir())
    return _flags(there) is not None


def release(path: Path) -> None:
    """Take the guard away and the directory with it, if it is empty."""
    if covered(path):
        _uncover(path)
    with _opened(path) as directory:
        _set(directory, immutable=False)
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


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield directory
    finally:
        os.close(directory)


def _flags(path: Path) -> int | None:
    """The flags of a directory; None where the filesystem has none. 0 where nobody may look."""
    try:
        with _opened(path) as directory:
            return _get(directory)
    except OSError:
        return 0


def _get(directory: int) -> int | None:
    held = array.array("l", [0])
    try:
        fcntl.ioctl(directory, _GET, held)
    except OSError:
        return None
    return held[0]


def _set(directory: int, *, immutable: bool) -> bool:
    """Whether the filesystem has the flag."""
    now = _get(directory) or 0
    try:
        fcntl.ioctl(directory, _SET, array.array("l", [now | _IMMUTABLE if immutable else now & ~_IMMUTABLE]))
    except OSError as failure:
        if failure.errno == errno.EPERM:
            raise SystemFailure("only root can guard a mountpoint", hint="run it with sudo") from failure
        return False
    return True
