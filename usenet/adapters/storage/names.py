"""The names of a file on a branch, given and taken away so that nothing is lost that others put there meanwhile."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Collection, Iterable
from hashlib import blake2b
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.storage.leases import Alone, Busy

COPY = ".usenet-balance~"  # on the branch that gets a file
GONE = (FileNotFoundError, FileExistsError, NotADirectoryError)  # others have changed what the names stand for
_NOREPLACE, _HERE = 1, -100


class Steady:
    """The branches that are there now. `check`: OSError where one was unmounted, or another is in its place."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._seen = {root: root.stat() for root in roots}

    def check(self) -> None:
        if not all(os.path.samestat(root.stat(), seen) for root, seen in self._seen.items()):
            raise OSError(errno.ENODEV, "a drive went away meanwhile")


def put(there: Path, name: Path) -> None:
    """Rename to a name that is free. FileExistsError where it is not, and nothing is changed."""
    sys.audit("os.rename", str(there), str(name), -1, -1)
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename and rename(_HERE, os.fsencode(there), _HERE, os.fsencode(name), _NOREPLACE) == 0:
        return
    code = ctypes.get_errno() if rename else errno.ENOSYS
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code), str(there), None, str(name))
    # A filesystem that knows no such rename: some of those in user space.
    if os.path.lexists(name):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(name))
    there.rename(name)


def link(descriptor: int, name: Path) -> None:
    """One more name for an open file, whatever its others stand for by now. FileExistsError where it is taken."""
    opened = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(str(descriptor), name, src_dir_fd=opened)  # follows the link that a descriptor is there
    finally:
        os.close(opened)


def publish(root: Path, paths: Collection[str]) -> None:
    """Give the copy its names, durably. Busy where one is taken."""
    first, *more = paths
    try:
        for path in more:
            os.link(root / COPY, root / path)
        put(root / COPY, root / first)
    except FileExistsError as taken:
        raise Busy("there is one of its name by now where it was to go") from taken
    sync(root, paths)


def take(root: Path, paths: Collection[str], file: Alone) -> None:
    """Take names of a file away, durably: aside first, so that who opens the file just then finds it again.

    Busy: one stands for another file by now, or somebody opened it. Then, and on OSError, all names are as before,
    and what others put there is in its place.
    """
    mine = os.fstat(file.descriptor)
    try:
        file.check()
        for path in paths:
            put(root / path, aside(root, path))
            if not os.path.samestat(os.lstat(aside(root, path)), mine):
                raise Busy("it was replaced meanwhile")
        file.check()
    except (Busy, OSError) as failure:
        kept = restore(root, paths)
        if isinstance(failure, Busy | FileNotFoundError):
            why = str(failure) if isinstance(failure, Busy) else "it was removed meanwhile"
            raise Busy("; ".join((why, *kept))) from failure
        raise
    for path in paths:
        aside(root, path).unlink()
    sync(root, paths)


def restore(root: Path, paths: Collection[str]) -> list[str]:
    """Give the names back that were set aside; a sentence for each that was given to another file meanwhile."""
    said = []
    for path in paths:
        old, name = aside(root, path), root / path
        if not os.path.lexists(old):
            continue
        try:
            put(old, name)
        except FileExistsError:
            if os.path.samestat(old.lstat(), name.lstat()):
                old.unlink()
                continue
            beside = name.with_name(f"{name.name}.usenet-kept")
            put(old, beside)
            said.append(f"what was {name} before is {beside.name} now")
    return said


def aside(root: Path, path: str) -> Path:
    """Where a name is while it is being taken away: on the same branch, where nobody looks."""
    return root / f".usenet-balance-{blake2b(os.fsencode(path), digest_size=8).hexdigest()}~"


def sync(root: Path, paths: Collection[str]) -> None:
    """Make durable which of these names there are. OSError."""
    for folder in {root, *((root / path).parent for path in paths)}:
        if folder.is_dir():
            files.sync_directory(folder)
