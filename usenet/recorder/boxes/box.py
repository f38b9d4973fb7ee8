"""A box: its header, what is in it, and how to walk a row of them. ISO/IEC 14496-12 §4.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import Damaged

Buffer = bytes | bytearray | memoryview

_u32 = struct.Struct(">I")
_u64 = struct.Struct(">Q")


def box(kind: bytes, *payload: Buffer) -> bytes:
    """A whole box with a 32-bit size; ValueError from struct if it is too long for one."""
    body = b"".join(payload)
    return _u32.pack(8 + len(body)) + kind + body


def full(kind: bytes, version: int, flags: int, *payload: Buffer) -> bytes:
    """A box that begins with a version and 24 flags."""
    return box(kind, _u32.pack(version << 24 | flags), *payload)


class Box(NamedTuple):
    """Where a box lies in a buffer: its header from `start`, what it holds from `body` to `end`."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(data: Buffer, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that fill `data[start:end]`. Damaged when a size does not fit into what is there."""
    end = len(data) if end is None else end
    while start < end:
        found = header(data, start, end)
        yield found
        start = found.end


def header(data: Buffer, start: int, end: int) -> Box:
    """The box at `start`; its size may be 64 bits long or 0, "to the end". Damaged if it reaches beyond `end`."""
    if end - start < 8:
        raise Damaged(f"a box at byte {start} has no room for its header")
    size, kind, body = _u32.unpack_from(data, start)[0], bytes(data[start + 4 : start + 8]), start + 8
    if size == 1 and end - start >= 16:
        size, body = _u64.unpack_from(data, start + 8)[0], start + 16
    elif size == 0:
        size = end - start
    if size < body - start or start + size > end:
        raise Damaged(f"box {kind!r} at byte {start} says {size} bytes, {end - start} are there")
    return Box(kind, start, body, start + size)


def find(data: Buffer, path: str, start: int = 0, end: int | None = None) -> Box | None:
    """The first box at `path`, kinds with slashes between: "moov/trak/mdia". None if there is none."""
    kind, _, rest = path.partition("/")
    for each in boxes(data, start, end):
        if each.kind == kind.encode():
            if not rest:
                return each
            inner = find(data, rest, each.body, each.end)
            if inner is not None:
                return inner
    return None
