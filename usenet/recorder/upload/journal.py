"""X.mp4.<storage>.upload: how far the copy of one segment to one storage is. JSON lines, each with its number and CRC.

A line counts once it is on the drive; a torn one, and whatever follows it, is as if it had never been written. What is
lost is sent again, or asked again: the journal never makes a claim true, it only saves work. The one claim that others
rely on, `verified`, is written after the storage's own checksum was compared.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import Busy
from ..io import IO, Files

ROOM = 16 << 10
"""Bytes taken at the start, so that an upload that began can end on a drive that filled up meanwhile."""

Record = dict[str, Any]


class Stamp(NamedTuple):
    """By which a file is known to be the one whose checksums were taken."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        seen = path.stat()
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ino)


class Sent(NamedTuple):
    """A part that the storage took."""

    size: int
    sha256: str
    token: str


@dataclass
class State:
    """What a journal says. `asked`: the storage was, or was about to be, told to make the object."""

    key: str = ""
    upload: str = ""
    part_size: int = 0
    sent: dict[int, Sent] = field(default_factory=dict)
    asked: bool = False
    verified: Stamp | None = None

    def take(self, record: Record) -> None:
        """One record further. Unknown ones, of a later version, are passed over."""
        match record["do"]:
            case "begin":
                self.key, self.upload, self.part_size = record["key"], record["upload"], record["part_size"]
                self.sent = {}
            case "part":
                self.sent[record["number"]] = Sent(record["size"], record["sha256"], record["token"])
            case "complete":
                self.asked = True
            case "drop":
                self.upload, self.sent = "", {}
            case "verified":
                self.verified = Stamp(record["size"], record["mtime_ns"], record["inode"])


class Journal:
    """One journal, held by this process alone until `close`; Busy if another holds it."""

    def __init__(self, path: Path, io: IO) -> None:
        self._io = io
        self._handle = _open(path, io)
        try:
            if not io.lock(self._handle):
                raise Busy(f"{path.name}: another process uploads this segment")
            self._count, self._end, self.state = _read(io, self._handle)
        except BaseException:
            io.close(self._handle)
            raise

    def append(self, record: Record) -> None:
        """One more line, on the drive when this returns. After an OSError nothing was added."""
        line = _line(self._count, record)
        self._io.pwrite(self._handle, line, self._end)
        self._io.sync(self._handle)
        self._end += len(line)
        self._count += 1
        self.state.take(record)

    def close(self) -> None:
        self._io.close(self._handle)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def peek(path: Path, io: IO | None = None) -> State:
    """What a journal says now, without holding it; an empty state if there is none."""
    io = io or Files()
    try:
        handle = io.open(str(path), "read")
    except FileNotFoundError:
        return State()
    try:
        return _read(io, handle)[2]
    finally:
        io.close(handle)


def _open(path: Path, io: IO) -> int:
    try:
        return io.open(str(path), "write")
    except FileNotFoundError:
        handle = io.open(str(path), "new")
    try:
        io.allocate(handle, 0, ROOM)
        io.sync(handle)
        io.syncdir(str(path.parent))
    except OSError:
        io.close(handle)
        io.unlink(str(path))
        raise
    return handle


def _line(number: int, record: Record) -> bytes:
    body = f"{number} {json.dumps(record, separators=(',', ':'))}".encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _read(io: IO, handle: int) -> tuple[int, int, State]:
    """How many whole lines there are, where they end, and what they say."""
    count, end, state = 0, 0, State()
    for line in io.pread(handle, io.size(handle), 0).splitlines(keepends=True):
        record = _parsed(line, count)
        if record is None:
            break
        state.take(record)
        count, end = count + 1, end + len(line)
    return count, end, state


def _parsed(line: bytes, number: int) -> Record | None:
    crc, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or crc != b"%08x" % zlib.crc32(body) or not body.startswith(b"%d " % number):
        return None
    record = json.loads(body.partition(b" ")[2])
    return record if isinstance(record, dict) else None
