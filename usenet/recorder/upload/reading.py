"""The bytes of a finished segment by parts, each read once, and their checksums; all anew when the file has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..io import IO
from .journal import Stamp
from .storage import Sums, Wrong, sums

AT_ONCE = 64  # parts whose checksums are taken without a pause


class Parts:
    """`told` has the checksums of the parts read so far, all of the file that `stamp` describes."""

    def __init__(self, io: IO, path: Path, *, crc: bool) -> None:
        self._io, self._path, self._crc = io, path, crc
        self._size = 0
        self.stamp: Stamp | None = None
        self.told: dict[int, Sums] = {}

    def open(self, size: int) -> int:
        """Parts have `size` bytes now; how many there are. Of another file, or with another size, none is told."""
        stamp = Stamp.of(self._path)
        if (stamp, size) != (self.stamp, self._size):
            self.told, self.stamp, self._size = {}, stamp, size
        return -(-stamp.size // size)

    def read(self, number: int) -> bytes:
        """The bytes of a part; its checksums are told from now on. Wrong if they were others before."""
        data = bytes_at(self._io, str(self._path), (number - 1) * self._size, self._size)
        told = self.told.get(number)
        if told is None:
            self.told[number] = sums(data, crc=self._crc)
        elif told.sha256 != hashlib.sha256(data).digest():
            self.stamp = None
            raise Wrong(f"{self._path}: changed while it was uploaded")
        return data

    def read_on(self, count: int) -> bool:
        """A few more of `count` parts; True when all are told."""
        missing = [number for number in range(1, count + 1) if number not in self.told]
        for number in missing[:AT_ONCE]:
            self.read(number)
        return len(missing) <= AT_ONCE

    def unchanged(self) -> Stamp:
        """What the file is, if it still is what was read. Wrong if not."""
        if self.stamp is None or self.stamp != Stamp.of(self._path):
            raise Wrong(f"{self._path}: changed while it was uploaded")
        return self.stamp


def bytes_at(io: IO, path: str, offset: int, length: int) -> bytes:
    """Up to `length` bytes of a file; fewer at its end."""
    handle = io.open(path, "read")
    try:
        return io.pread(handle, length, offset)
    finally:
        io.close(handle)
