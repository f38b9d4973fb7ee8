"""Every call by which the recorder touches a file, as a protocol, so that a test can cut the power between any two."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from pathlib import Path
from typing import Literal, Protocol

Mode = Literal["new", "write", "read"]

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV}


class IO(Protocol):
    """Sixteen calls. Each raises OSError as the kernel would; none retries, none buffers."""

    def open(self, path: str, mode: Mode) -> int:
        """A handle. `new` fails with FileExistsError if the path is there; the others fail if it is not."""

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        """All of `data`, or OSError."""

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes; fewer only at the end of the file."""

    def size(self, handle: int) -> int: ...

    def sync(self, handle: int) -> None:
        """fdatasync: when it returns, bytes and size are on the drive."""

    def truncate(self, handle: int, size: int) -> None: ...

    def allocate(self, handle: int, offset: int, length: int) -> None:
        """Room that is there even on a full drive; reads as zeros. A filesystem that can't writes zeros."""

    def punch(self, handle: int, offset: int, length: int) -> None:
        """Give the room back; reads as zeros. A filesystem that can't leaves everything as it is."""

    def forget(self, handle: int) -> None:
        """Drop cached pages, so that the next read asks the drive (Linux: posix_fadvise DONTNEED)."""

    def lock(self, handle: int) -> bool:
        """True if nobody else holds this file (flock); held until close. True too where there are no locks."""

    def close(self, handle: int) -> None: ...

    def rename(self, old: str, new: str) -> None:
        """Fails with FileExistsError when `new` is there."""

    def unlink(self, path: str) -> None: ...

    def exists(self, path: str) -> bool: ...

    def listdir(self, directory: str) -> list[str]:
        """Names, sorted; a directory that is not there raises FileNotFoundError."""

    def syncdir(self, directory: str) -> None:
        """Names made, renamed and removed in this directory are on the drive when it returns."""


class Files:
    """The real files of this machine."""

    def open(self, path: str, mode: Mode) -> int:
        flags = {"new": os.O_RDWR | os.O_CREAT | os.O_EXCL, "write": os.O_RDWR, "read": os.O_RDONLY}[mode]
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        done = os.pwrite(handle, data, offset)
        while done < len(data):
            step = os.pwrite(handle, memoryview(data)[done:], offset + done)
            if not step:
                raise OSError(errno.ENOSPC, "nothing was written")
            done += step

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        data = os.pread(handle, length, offset)
        while data and len(data) < length:
            more = os.pread(handle, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def size(self, handle: int) -> int:
        return os.fstat(handle).st_size

    def sync(self, handle: int) -> None:
        os.fdatasync(handle)

    def truncate(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def allocate(self, handle: int, offset: int, length: int) -> None:
        try:
            _fallocate(handle, 0, offset, length)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self.pwrite(handle, bytes(length), offset)

    def punch(self, handle: int, offset: int, length: int) -> None:
        try:
            _fallocate(handle, _KEEP_SIZE | _PUNCH_HOLE, offset, length)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise

    def forget(self, handle: int) -> None:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)

    def lock(self, handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno in _UNSUPPORTED | {errno.ENOLCK}
        return True

    def close(self, handle: int) -> None:
        os.close(handle)

    def rename(self, old: str, new: str) -> None:
        if os.path.lexists(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        Path(old).rename(new)

    def unlink(self, path: str) -> None:
        Path(path).unlink()

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def listdir(self, directory: str) -> list[str]:
        return sorted(entry.name for entry in Path(directory).iterdir())

    def syncdir(self, directory: str) -> None:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_libc = ctypes.CDLL(None, use_errno=True)


def _fallocate(handle: int, mode: int, offset: int, length: int) -> None:
    call = getattr(_libc, "fallocate64", None) or _libc.fallocate
    if call(handle, mode, ctypes.c_int64(offset), ctypes.c_int64(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
