"""Files and directories copied to another drive with all that belongs to them; files keep holes, and are proved."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.storage.leases import Alone, Busy

CHUNK = 1 << 20
STEP = 32 << 20  # bytes after which who waits for the file is let in: a second on a slow drive
_NOTHING = bytes(CHUNK)


def copy(file: Alone, before: os.stat_result, to: Path) -> str:
    """Copy a file with all that belongs to it, and read it back; its checksum. Busy, OSError."""
    to.unlink(missing_ok=True)
    descriptor = os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.ftruncate(descriptor, before.st_size)
        told = _begun(before.st_size)
        for number, (at, block) in enumerate(_blocks(file.descriptor), 1):
            _tell(told, at, block)
            for start, stop in _data(file.descriptor, at, at + len(block)):
                _write(descriptor, block[start - at : stop - at], start)
            if number % (STEP // CHUNK) == 0:
                os.fdatasync(descriptor)  # all at the end takes minutes, in which nobody is let in
                file.check()
        dress(file.descriptor, before, descriptor)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # what is read now comes from the drive
        if digest(descriptor, file.check) != told.hexdigest():
            raise OSError(errno.EIO, "the copy reads differently")
        return told.hexdigest()
    finally:
        os.close(descriptor)


def digest(descriptor: int, check: Callable[[], None] = lambda: None) -> str:
    """The checksum of a file's content: the same for the same bytes, wherever the file has holes.

    `check` is called after each STEP, and may end it.
    """
    told = _begun(os.fstat(descriptor).st_size)
    for number, (at, block) in enumerate(_blocks(descriptor), 1):
        _tell(told, at, block)
        if number % (STEP // CHUNK) == 0:
            check()
    return told.hexdigest()


def allocated(path: Path, seen: os.stat_result) -> int:
    """Bytes of a file that a copy of it takes: those that are not in holes."""
    if seen.st_blocks * 512 >= seen.st_size:
        return seen.st_size
    try:  # it has holes, or is compressed, which the copy need not be
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return seen.st_size
    try:
        return sum(stop - start for start, stop in _data(descriptor, 0, seen.st_size))
    finally:
        os.close(descriptor)


def dress(source: int, before: os.stat_result, target: int) -> None:
    """Owner, rights, attributes and times, of a file or a directory. Busy where the target can't keep them."""
    try:
        if (before.st_uid, before.st_gid) != ((now := os.fstat(target)).st_uid, now.st_gid):
            os.fchown(target, before.st_uid, before.st_gid)
        if stat.S_IMODE(os.fstat(target).st_mode) != stat.S_IMODE(before.st_mode):
            os.fchmod(target, stat.S_IMODE(before.st_mode))
        for name in _attributes(source):
            os.setxattr(target, name, os.getxattr(source, name))
    except OSError as failure:
        if failure.errno in (errno.ENOTSUP, errno.EPERM):
            raise Busy("the other drive can't keep its owner, rights or attributes") from failure
        raise
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def _attributes(source: int) -> list[str]:
    try:
        return os.listxattr(source)
    except OSError as failure:
        if failure.errno == errno.ENOTSUP:  # its filesystem knows none
            return []
        raise


def folders(source: Path, target: Path, folder: Path) -> None:
    """Let `folder` be below `target` as it is below `source`, without what is in it; what is there is left as it is."""
    for part in (*reversed(folder.parents), folder):
        if not (target / part).is_dir():
            (target / part).mkdir(mode=0o700)
            with ExitStack() as opened:
                old, new = (os.open(root / part, os.O_RDONLY | os.O_DIRECTORY) for root in (source, target))
                opened.callback(os.close, old)
                opened.callback(os.close, new)
                dress(old, os.fstat(old), new)
            files.sync_directory((target / part).parent)


def _begun(size: int) -> hashlib.blake2b:
    return hashlib.blake2b(size.to_bytes(8, "big"))


def _tell(told: hashlib.blake2b, at: int, block: bytes) -> None:
    """Zeros say nothing: one filesystem keeps them as a hole, another writes them out."""
    if block != _NOTHING[: len(block)]:
        told.update(at.to_bytes(8, "big"))
        told.update(block)


def _blocks(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """Position and content of what holds data, at multiples of CHUNK, so that equal files have equal blocks."""
    size, at = os.fstat(descriptor).st_size, 0
    while (start := _next(descriptor, at, os.SEEK_DATA)) < size:
        at = start - start % CHUNK
        block = os.pread(descriptor, CHUNK, at)
        if len(block) < min(CHUNK, size - at):
            raise OSError(errno.EIO, "the file ends too early")
        yield at, block
        at += CHUNK


def _data(descriptor: int, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Beginning and end of each piece between the holes. A filesystem that knows no holes has one piece."""
    while (start := _next(descriptor, at, os.SEEK_DATA)) < end:
        at = min(_next(descriptor, start, os.SEEK_HOLE), end)
        yield start, at


def _next(descriptor: int, at: int, what: int) -> int:
    try:
        return os.lseek(descriptor, at, what)
    except OSError as failure:
        if failure.errno == errno.ENXIO:  # nothing of it after that
            return sys.maxsize
        raise


def _write(descriptor: int, piece: bytes, at: int) -> None:
    while piece:
        done = os.pwrite(descriptor, piece, at)
        piece, at = piece[done:], at + done
