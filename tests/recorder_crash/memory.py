"""Files in memory that behave as the recorder's `IO` promises, strictly, and remember every call that matters."""

from __future__ import annotations

import errno
import os
import posixpath
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple, NoReturn

from usenet.recorder.io import Mode

MOST = 64 << 20  # no file of these tests is longer: a wrong size field must not eat the machine's memory


class Hang(BaseException):
    """More calls than any honest run needs. No `except Exception` on the way swallows it."""


class Misuse(Exception):
    """A call that no honest program makes: a closed handle, a negative offset, writing where one asked to read."""


class Op(NamedTuple):
    """One call that changed the drive or made something last. `site` is the line of the recorder that made it."""

    kind: str  # new write truncate allocate punch sync rename unlink syncdir
    inode: int = 0
    offset: int = 0
    length: int = 0
    data: bytes = b""
    name: str = ""
    new: str = ""
    site: str = ""


class MemIO:
    """One small drive. What it is given at the start is durable; `log` tells what happened to it since.

    `most` calls and no more: the next one raises Hang. `sites` asks for the caller's line in each Op (slower).
    """

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        directories: Iterable[str] = ("/r",),
        *,
        most: int = 20_000,
        sites: bool = False,
    ) -> None:
        self.log: list[Op] = []
        self.calls = 0
        self.handles: dict[int, tuple[int, Mode]] = {}
        self.inodes = {number: bytearray(data) for number, data in enumerate((files or {}).values(), 1)}
        self.names = {name: number for number, name in enumerate(files or {}, 1)}
        self.directories = set(directories)
        self._most, self._sites = most, sites
        self._locks: dict[int, int] = {}
        self._next = 100
        self._paths = {number: name for name, number in self.names.items()}

    def files(self) -> dict[str, bytes]:
        """Every file by its path, as a process sees them now."""
        return {name: bytes(self.inodes[number]) for name, number in sorted(self.names.items())}

    # the protocol

    def open(self, path: str, mode: Mode) -> int:
        self._call(path)
        if mode not in ("new", "write", "read"):
            raise Misuse(f"no such mode: {mode!r}")
        self._directory(path)
        if mode == "new":
            if path in self.names:
                _refuse(errno.EEXIST, path)
            self._next += 1
            self.inodes[self._next] = bytearray()
            self.names[path] = self._next
            self._paths[self._next] = path
            self._note("new", self._next, name=path)
        if path not in self.names:
            _refuse(errno.ENOENT, path)
        self._next += 1
        self.handles[self._next] = (self.names[path], mode)
        return self._next

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        inode, held = self._writable(handle)
        data = bytes(data)
        _check(offset, len(data))
        if offset > len(held):
            held.extend(bytes(offset - len(held)))
        held[offset : offset + len(data)] = data
        self._note("write", inode, offset=offset, length=len(data), data=data)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        _, held = self._held(handle)
        if length < 0 or offset < 0:
            raise Misuse("negative")
        return bytes(held[offset : offset + length])

    def size(self, handle: int) -> int:
        return len(self._held(handle)[1])

    def sync(self, handle: int) -> None:
        inode, _ = self._held(handle)
        self._note("sync", inode)

    def truncate(self, handle: int, size: int) -> None:
        inode, held = self._writable(handle)
        _check(size, 0)
        if size < len(held):
            del held[size:]
        held.extend(bytes(size - len(held)))
        self._note("truncate", inode, offset=size)

    def allocate(self, handle: int, offset: int, length: int) -> None:
        inode, held = self._writable(handle)
        _check(offset, length or -1)
        held.extend(bytes(max(0, offset + length - len(held))))
        self._note("allocate", inode, offset=offset, length=length)

    def punch(self, handle: int, offset: int, length: int) -> None:
        inode, held = self._writable(handle)
        _check(offset, length or -1)
        end = min(len(held), offset + length)
        held[offset:end] = bytes(max(0, end - offset))
        self._note("punch", inode, offset=offset, length=length)

    def forget(self, handle: int) -> None:
        self._held(handle)

    def lock(self, handle: int) -> bool:
        inode, _ = self._held(handle)
        return self._locks.setdefault(inode, handle) == handle

    def close(self, handle: int) -> None:
        inode, _ = self._held(handle)
        del self.handles[handle]
        if self._locks.get(inode) == handle:
            del self._locks[inode]

    def rename(self, old: str, new: str) -> None:
        self._call(old, new)
        if new in self.names:
            _refuse(errno.EEXIST, new)
        if old not in self.names:
            _refuse(errno.ENOENT, old)
        if self._directory(old) != self._directory(new):
            raise Misuse(f"{old} would go to another directory")
        self.names[new] = self.names.pop(old)
        self._note("rename", name=old, new=new)

    def unlink(self, path: str) -> None:
        self._call(path)
        if path not in self.names:
            _refuse(errno.ENOENT, path)
        del self.names[path]
        self._note("unlink", name=path)

    def exists(self, path: str) -> bool:
        self._call(path)
        return path in self.names or path in self.directories

    def listdir(self, directory: str) -> list[str]:
        self._call(directory)
        if directory not in self.directories:
            _refuse(errno.ENOENT, directory)
        return sorted(posixpath.basename(name) for name in self.names if posixpath.dirname(name) == directory)

    def syncdir(self, directory: str) -> None:
        self._call(directory)
        if directory not in self.directories:
            _refuse(errno.ENOENT, directory)
        self._note("syncdir", name=directory)

    # what all of them share

    def _call(self, *paths: str) -> None:
        self.calls += 1
        if self.calls > self._most:
            raise Hang(f"more than {self._most} calls")
        for path in paths:
            if type(path) is not str or not path.startswith("/"):
                raise Misuse(f"not an absolute path as text: {path!r}")

    def _directory(self, path: str) -> str:
        directory = posixpath.dirname(path)
        if directory not in self.directories:
            _refuse(errno.ENOENT, path)
        return directory

    def _held(self, handle: int) -> tuple[int, bytearray]:
        self._call()
        if handle not in self.handles:
            raise Misuse(f"no such handle: {handle}")
        inode = self.handles[handle][0]
        return inode, self.inodes[inode]

    def _writable(self, handle: int) -> tuple[int, bytearray]:
        found = self._held(handle)
        if self.handles[handle][1] == "read":
            raise Misuse("opened for reading")
        return found

    def _note(self, kind: str, inode: int = 0, **what: object) -> None:
        site = _site(kind, self._paths.get(inode, str(what.get("name", "")))) if self._sites else ""
        self.log.append(Op(kind, inode, **what, site=site))  # type: ignore[arg-type]


def _check(offset: int, length: int) -> None:
    if offset < 0 or length < 0:
        raise Misuse(f"{length} bytes at {offset}")
    if offset + length > MOST:
        _refuse(errno.EFBIG, "longer than these tests allow")


def _refuse(number: int, what: str) -> NoReturn:
    raise OSError(number, os.strerror(number), what)


def _site(kind: str, path: str) -> str:
    """Who did what to which file: "finalise.finish sync .part", and by which line of that function."""
    frame = sys._getframe(1)
    while "recorder_crash" in frame.f_code.co_filename and frame.f_back:
        frame = frame.f_back
    code = frame.f_code
    module, line = posixpath.basename(code.co_filename)[:-3], frame.f_lineno - code.co_firstlineno
    return f"{module}.{code.co_name} {kind} {posixpath.splitext(path)[1] or 'folder'} @{line:03}"
