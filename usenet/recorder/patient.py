"""Reading a drive that has bad places: what can't be read is zeros, as if it had never been written."""

from __future__ import annotations

import errno
from typing import Final, Protocol

_PAGE: Final = 4096
_PATIENCE: Final = 256  # unreadable pages; a drive that has more of them does not answer at all


class Reads(Protocol):
    """As much of `io.IO` as looking needs."""

    def pread(self, handle: int, length: int, offset: int) -> bytes: ...

    def size(self, handle: int) -> int: ...


class Patient:
    """Reads as `io` does, but around pages that give EIO, up to a number of them. A CRC tells what that cost."""

    def __init__(self, io: Reads) -> None:
        self.upto = 0  # the end of the last page that could not be read
        self._io = io
        self._left = _PATIENCE

    def size(self, handle: int) -> int:
        return self._io.size(handle)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        middle = (offset + length // 2 + _PAGE - 1) // _PAGE * _PAGE
        longer = offset < middle < offset + length
        for _ in range(1 if longer else 2):  # a page is asked twice: some errors pass, and what is dropped is dropped
            try:
                return self._io.pread(handle, length, offset)
            except OSError as error:
                if error.errno != errno.EIO or not self._left:
                    raise
        if longer:
            first = self.pread(handle, middle - offset, offset)
            return first + self.pread(handle, offset + length - middle, middle)
        self._left -= 1
        self.upto = max(self.upto, offset + length)
        return bytes(max(min(length, self.size(handle) - offset), 0))
