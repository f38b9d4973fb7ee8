"""Files below a directory that others may write in: no link is followed, wherever it is put and whenever."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from secrets import token_hex

from usenet.adapters import leftovers
from usenet.adapters.refusals import in_words

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read(root: Path, relative: str, limit: int) -> bytes | None:
    """The plain file at `relative` below `root`; None where it is none, is larger than `limit`, or can't be read.

    FileNotFoundError where nothing is there.
    """
    place = PurePosixPath(relative)
    try:
        with _entered(root, place.parts[:-1]) as directory:
            descriptor = os.open(place.name, _READ, dir_fd=directory)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    there = os.fstat(descriptor)
    if not stat.S_ISREG(there.st_mode) or there.st_size > limit:
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)


def write(
    root: Path, relative: str, content: bytes, *, owner: tuple[int, int] | None = None, mode: int = 0o644
) -> None:
    """Put a file at `relative` below `root`, atomically and durably; directories on the way are made for `owner`.

    A link or another thing of that name is replaced, never followed; what writers who were killed left in its
    directory is removed. SystemFailure, in words, where it can't be.
    """
    place = PurePosixPath(relative)
    temporary = leftovers.temporary(Path(f"{place.name}.{token_hex(4)}")).name
    with in_words(root / relative, len(content)), _entered(root, place.parts[:-1], owner or (-1, -1)) as directory:
        leftovers.remove(Path(f"/proc/self/fd/{directory}"))
        descriptor = os.open(temporary, _MAKE, mode, dir_fd=directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if owner:
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.rename(temporary, place.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
        os.fsync(directory)


@contextmanager
def _entered(root: Path, names: tuple[str, ...], owner: tuple[int, int] | None = None) -> Iterator[int]:
    """The directory below `root`, open; with `owner` what is missing is made for that user and group."""
    at = os.open(root, _ENTER & ~os.O_NOFOLLOW)
    try:
        for name in names:
            if owner:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o750, dir_fd=at)
                    os.chown(name, *owner, dir_fd=at, follow_symlinks=False)
            below = os.open(name, _ENTER, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)
