"""The journal beside a live segment: what its fragments say, in a form that is read a hundred times faster.

It is a cache: every record can be made again from the fragment it speaks of (`record`), and none is needed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from .boxes.box import Buffer
from .errors import Damaged
from .fragment import SOME_SYNC, Chunk, Run

VERSION: Final = 1
MAGIC: Final = b"RIDX"
RECORD: Final = 0x5243

_header = struct.Struct(">4sHHQQI")  # magic, version, zero, nonce, reserve, length of the head that follows
_record = struct.Struct(">HHIIIQQIIIHI")
_run = struct.Struct(">HHQHI")
_u32 = struct.Struct(">I")


class Header(NamedTuple):
    """What the index repeats of the part: enough to make its head again."""

    nonce: int
    reserve: int
    head: bytes  # ftyp and the initial moov
    length: int  # of this header: the first record follows it


def header(nonce: int, reserve: int, head: bytes) -> bytes:
    body = _header.pack(MAGIC, VERSION, 0, nonce, reserve, len(head)) + head
    return body + _u32.pack(zlib.crc32(body))


def read_header(data: Buffer) -> Header:
    """Damaged if it is none, is cut off, or of a version that this program does not know."""
    if len(data) < _header.size:
        raise Damaged("the index has no header")
    magic, version, _, nonce, reserve, length = _header.unpack_from(data)
    end = _header.size + length
    if magic != MAGIC or version > VERSION or len(data) < end + 4:
        raise Damaged("the index has no header that this program knows")
    if _u32.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        raise Damaged("the header of the index is not as it was written")
    return Header(nonce, reserve, bytes(data[_header.size : end]), end + 4)


def record(chunk: Chunk, nonce: int) -> bytes:
    """The record of a chunk, from the writer or from a fragment that was read: the same bytes."""
    parts = []
    for run in chunk.runs:
        bits = run.sync | (4 if run.deltas else 0) | (8 if run.cts else 0)
        parts += [
            _run.pack(run.track, run.samples, run.base, bits, run.delta),
            run.sizes,
            run.deltas,
            run.cts,
            run.marks,
        ]
    runs = b"".join(parts)
    length = _record.size + len(runs) + 4
    body = _record.pack(
        *(RECORD, len(chunk.runs), length, chunk.seq, chunk.lag, chunk.off, chunk.wall_ns, chunk.moof_len),
        *(chunk.payload_len, chunk.payload_crc, chunk.flags, chunk.gap_ms),
    )
    body += runs
    return body + _u32.pack(zlib.crc32(body, _seed(nonce)))


class Record(NamedTuple):
    """A record's head; its runs lie in `data[runs:end]` and are read by `tables` or by `chunk`."""

    tracks: int
    length: int
    seq: int
    lag: int
    off: int
    wall_ns: int
    moof_len: int
    payload_len: int
    payload_crc: int
    flags: int
    gap_ms: int

    @property
    def end(self) -> int:
        return self.off + self.moof_len + 8 + self.payload_len

    @property
    def durable(self) -> int:
        return self.seq - 1 - self.lag


def _seed(nonce: int) -> int:
    """What a record's CRC begins with: what is left of an older index, where ours lies now, is not taken for ours."""
    return zlib.crc32(nonce.to_bytes(8, "big"))


def records(data: memoryview, at: int, off: int, nonce: int, seq: int = 1) -> Iterator[tuple[int, Record]]:
    """Where each record begins, and its head, as long as they are whole and follow one another without a hole."""
    unpack, size, crc, word = _record.unpack_from, _record.size, zlib.crc32, _u32.unpack_from
    last, seed = len(data) - size - 4, _seed(nonce)
    while at <= last:
        magic, *rest = unpack(data, at)
        found = Record._make(rest)
        end = at + found.length
        if magic != RECORD or found.length < size + 4 or end > len(data) or found.seq != seq or found.off != off:
            return
        if word(data, end - 4)[0] != crc(data[at : end - 4], seed):
            return
        yield at, found
        at, seq, off = end, seq + 1, found.end


def runs(data: memoryview, at: int, found: Record) -> list[Run]:
    """The runs of the record that begins at `at`; its CRC was right."""
    out = []
    at += _record.size
    for _ in range(found.tracks):
        track, count, base, bits, delta = _run.unpack_from(data, at)
        at += _run.size
        end = at + 4 * count
        sizes, at = data[at:end].tobytes(), end
        if bits < SOME_SYNC:  # no other column: the usual run
            out.append(Run(track, base, count, delta, sizes, b"", b"", bits))
            continue
        columns = []
        for length in (
            4 * count * bool(bits & 4),
            4 * count * bool(bits & 8),
            (bits & 3 == SOME_SYNC) * -(-count // 8),
        ):
            columns.append(data[at : at + length].tobytes())
            at += length
        out.append(Run(track, base, count, delta, sizes, columns[0], columns[1], bits & 3, columns[2]))
    return out
