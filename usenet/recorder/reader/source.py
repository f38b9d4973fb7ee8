"""Bytes of one file, asked for piece by piece; what lies where it should not is Damaged and says at which byte."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ..boxes.box import Box
from ..errors import Damaged

WINDOW: Final = 4096
MOST: Final = 1 << 27  # entries of one table: what a 24-hour file has, fifty times over
SMALL: Final = 1 << 24  # a box that is no table and is longer than this is none of anybody's

_swap = sys.byteorder == "little"


class At(Damaged):
    """Damaged, and at which byte of the file."""

    def __init__(self, offset: int, sentence: str) -> None:
        super().__init__(f"{sentence} (byte {offset})")
        self.offset = offset


class Source:
    """A file of `size` bytes behind `fetch(offset, length)`; small reads share a window of one page."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self.size = size
        self._fetch = fetch
        self._start = 0
        self._window = b""

    def read(self, offset: int, length: int) -> bytes:
        """These very bytes. Damaged when the file has fewer."""
        if length < 0 or offset < 0 or offset + length > self.size:
            raise At(offset, f"the file ends at byte {self.size}, before {length} bytes that should be there")
        at = offset - self._start
        if at >= 0 and at + length <= len(self._window):
            return self._window[at : at + length]
        if length > WINDOW:
            return self._exact(offset, length)
        self._start, self._window = offset, self._exact(offset, min(WINDOW, self.size - offset))
        return self._window[:length]

    def _exact(self, offset: int, length: int) -> bytes:
        data = self._fetch(offset, length)
        if len(data) != length:
            raise At(offset, f"the file became shorter while it was read: {len(data)} of {length} bytes")
        return data

    def boxes(self, start: int, end: int) -> Iterator[Box]:
        """The boxes that fill the file from `start` to `end`."""
        while start < end:
            found = self.box(start, end)
            yield found
            start = found.end

    def box(self, start: int, end: int) -> Box:
        """The box at `start`. Damaged if it reaches beyond `end`; size 0, "to the end", only where the file ends."""
        if end - start < 8:
            raise At(start, f"{end - start} bytes are left, too few for a box")
        size, kind = struct.unpack(">I4s", self.read(start, 8))
        body = start + 8
        if size == 1:
            if end - start < 16:
                raise At(start, f"box {name(kind)} has no room for its 64-bit size")
            size, body = struct.unpack(">Q", self.read(start + 8, 8))[0], start + 16
        elif size == 0 and end == self.size:
            size = end - start
        if size < body - start or start + size > end:
            raise At(start, f"box {name(kind)} says that it has {size} bytes, {end - start} are there")
        return Box(kind, start, body, start + size)

    def body(self, found: Box, least: int = 0) -> bytes:
        """What a small box holds. Damaged if that is less than `least` bytes."""
        length = found.end - found.body
        if length < least:
            raise At(found.start, f"box {name(found.kind)} holds {length} bytes, fewer than its fields")
        if length > SMALL:
            raise At(found.start, f"box {name(found.kind)} holds {length} bytes, far more than such a box has")
        return self.read(found.body, length)

    def column(self, found: Box, skip: int, count: int, typecode: str) -> array[int]:
        """`count` big-endian numbers that must fill the box behind its first `skip` bytes."""
        values = array(typecode)
        wanted, there = count * values.itemsize, found.end - found.body - skip
        if wanted != there:
            raise At(found.start, f"box {name(found.kind)} says {count} entries, {wanted} bytes; it has {there}")
        if count > MOST:
            raise At(found.start, f"box {name(found.kind)} has {count} entries, more than this program reads")
        values.frombytes(self.read(found.body + skip, wanted))
        return swapped(values)


def swapped(values: array[int]) -> array[int]:
    """The same array, from big-endian to the machine's own order; in place."""
    if _swap:
        values.byteswap()
    return values


def packed(typecode: str, values: Iterable[int], at: int, what: str) -> array[int]:
    """An array; Damaged when a number does not fit into it."""
    try:
        return array(typecode, values)
    except (OverflowError, TypeError):
        raise At(at, f"{what} are beyond any time or place that a file can have") from None


def name(kind: bytes) -> str:
    """A box's kind as people write it; bytes that are no letters as numbers."""
    return kind.decode("ascii") if kind.isascii() and kind.decode("ascii").isprintable() else f"0x{kind.hex()}"
