"""A chunk as bytes: a movie fragment with its commit box, and the media data behind it. ISO/IEC 14496-12 §8.8."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from .boxes.box import Buffer, box, full
from .errors import Damaged

VERSION: Final = 1
COMMIT: Final = bytes.fromhex("75e7c0de5a4d43b19e1d7265636f7264")  # extended type of our uuid box
GAP, DISCONTINUITY, KEY = 1, 2, 4  # flags of a chunk

NO_SYNC, ALL_SYNC, FIRST_SYNC, SOME_SYNC = range(4)
SYNC_FLAGS: Final = 0x02000000  # depends on no other sample
DELTA_FLAGS: Final = 0x01010000  # depends on others, and is no sync sample

_commit = struct.Struct(">HHQQQIIIII")
_tail = struct.Struct(">I4s16sHHQQQIIIII")  # the whole uuid box; it ends the moof
TAIL: Final = _tail.size
_u32 = struct.Struct(">I")
_fixed = struct.Struct(">I4s I4sIIII I4sIQ I4sIII")  # traf, tfhd, tfdt, trun: all of a run but its columns
_KINDS: Final = (b"traf", b"tfhd", b"tfdt", b"trun")


class Run(NamedTuple):
    """The samples of one track in one chunk; columns are big-endian, as the tables of a finished file want them.

    `deltas` holds a duration for each sample, or is empty: then each lasts `delta`. `cts` is empty when all are 0.
    `marks` has one bit a sample, the first in the highest bit, only with SOME_SYNC.
    """

    track: int
    base: int
    samples: int
    delta: int
    sizes: bytes
    deltas: bytes = b""
    cts: bytes = b""
    sync: int = ALL_SYNC
    marks: bytes = b""

    @property
    def length(self) -> int:
        return sum(struct.unpack(f">{self.samples}I", self.sizes))


class Chunk(NamedTuple):
    """What one fragment holds, and where: `off` is that of its moof, the payload begins 8 bytes behind the moof."""

    seq: int
    off: int
    lag: int
    flags: int
    wall_ns: int
    gap_ms: int
    moof_len: int
    payload_len: int
    payload_crc: int
    runs: tuple[Run, ...]

    @property
    def end(self) -> int:
        return self.off + self.moof_len + 8 + self.payload_len

    @property
    def durable(self) -> int:
        """The last chunk that was known to be on the drive when this one was written."""
        return self.seq - 1 - self.lag


def write(chunk: Chunk, nonce: int) -> tuple[bytes, int]:
    """The moof and its length; `moof_len` of `chunk` is not looked at. The mdat header and the payload follow it."""
    moof = bytearray(8)
    moof += full(b"mfhd", 0, 0, _u32.pack(chunk.seq))
    places = []
    for run in chunk.runs:
        traf, place = _traf(run)
        places.append(len(moof) + place)
        moof += traf
    length = len(moof) + TAIL
    offset = length + 8
    for place, run in zip(places, chunk.runs, strict=True):
        _u32.pack_into(moof, place, offset)
        offset += run.length
    _u32.pack_into(moof, 0, length)
    moof[4:8] = b"moof"
    moof += _tail.pack(
        *(TAIL, b"uuid", COMMIT, VERSION, chunk.flags, nonce, chunk.off, chunk.wall_ns),
        *(chunk.lag, chunk.gap_ms, chunk.payload_len, chunk.payload_crc, 0),
    )
    _u32.pack_into(moof, length - 4, zlib.crc32(moof))
    return bytes(moof), length


def _traf(run: Run) -> tuple[bytes, int]:
    """The traf, and where in it the data offset has to be written."""
    per = [struct.unpack(f">{run.samples}I", run.deltas)] if run.deltas else []
    per.append(struct.unpack(f">{run.samples}I", run.sizes))
    has = 0x200 | (0x100 if run.deltas else 0)
    if run.sync == SOME_SYNC:
        has |= 0x400
        per.append(tuple(SYNC_FLAGS if _bit(run.marks, at) else DELTA_FLAGS for at in range(run.samples)))
    if run.cts:
        has |= 0x800
        per.append(struct.unpack(f">{run.samples}I", run.cts))
    rows = run.sizes
    if len(per) > 1:
        rows = struct.pack(f">{len(per) * run.samples}I", *(value for row in zip(*per, strict=True) for value in row))
    first = _u32.pack(SYNC_FLAGS) if run.sync == FIRST_SYNC else b""
    default = SYNC_FLAGS if run.sync == ALL_SYNC else DELTA_FLAGS
    head = full(b"tfhd", 0, 0x020028, struct.pack(">III", run.track, run.delta, default))
    head += full(b"tfdt", 1, 0, struct.pack(">Q", run.base))
    counts = struct.pack(">II", run.samples, 0)
    trun = full(b"trun", 1, has | 1 | (4 if first else 0), counts, first, rows)
    return box(b"traf", head, trun), 8 + len(head) + 16


def _bit(marks: bytes, at: int) -> bool:
    return bool(marks[at >> 3] & (0x80 >> (at & 7)))


def read(moof: Buffer, off: int, nonce: int | None) -> Chunk:
    """The chunk whose moof lies in `moof` and was found at `off`. Damaged if it is not one that we wrote there.

    With `nonce` None that of the commit box is taken as it is: for a file whose head is lost.
    """
    length = len(moof)
    if length < 8 + 16 + TAIL:
        raise Damaged(f"the fragment at byte {off} is too short")
    fields = _tail.unpack_from(moof, length - TAIL)
    size, kind, extended, version, flags, own, where, wall, lag, gap, payload, payload_crc, crc = fields
    if (size, kind, extended) != (TAIL, b"uuid", COMMIT):
        raise Damaged(f"the fragment at byte {off} has no commit box")
    if crc != zlib.crc32(b"\0\0\0\0", zlib.crc32(moof[: length - 4])):
        raise Damaged(f"the fragment at byte {off} has a header that is not as it was written")
    if version > VERSION:
        raise Damaged(f"the fragment at byte {off} is of version {version}, this program knows {VERSION}")
    if where != off or (nonce is not None and own != nonce):
        raise Damaged(f"the fragment at byte {off} belongs to another place or another file")
    if moof[12:16] != b"mfhd":
        raise Damaged(f"the fragment at byte {off} has no header")
    (seq,) = _u32.unpack_from(moof, 20)
    return Chunk(seq, off, lag, flags, wall, gap, length, payload, payload_crc, tuple(_runs(moof, 24, length - TAIL)))


def _runs(moof: Buffer, at: int, end: int) -> Iterator[Run]:
    """As `_traf` wrote them; their CRC was right, so only a file by another hand can fail here."""
    while at < end:
        if at + _fixed.size > end:
            raise Damaged(f"the fragment has {end - at} bytes behind its last track")
        size, traf, _, tfhd, _, track, delta, default, _, tfdt, _, base, _, trun, has, count, _ = _fixed.unpack_from(
            moof, at
        )
        body = at + _fixed.size + (has & 4)
        kinds = [bit for bit in (0x100, 0x200, 0x400, 0x800) if has & bit]
        ours = (traf, tfhd, tfdt, trun) == _KINDS and has & 0x200
        if not ours or body + 4 * count * len(kinds) != at + size or at + size > end:
            raise Damaged(f"the track at byte {at} of the fragment is not in our form")
        sync = FIRST_SYNC if has & 4 else ALL_SYNC if default == SYNC_FLAGS else NO_SYNC
        if kinds == [0x200]:  # no other column: the usual run
            yield Run(track, base, count, delta, bytes(moof[body : at + size]), b"", b"", sync)
        else:
            yield _columns(Run(track, base, count, delta, b"", b"", b"", sync), kinds, moof, body)
        at += size


def _columns(run: Run, kinds: Sequence[int], moof: Buffer, at: int) -> Run:
    """The run with what `_traf` wrote sample by sample."""
    values = struct.unpack_from(f">{len(kinds) * run.samples}I", moof, at)
    columns = {bit: values[place :: len(kinds)] for place, bit in enumerate(kinds)}
    packed = {bit: struct.pack(f">{run.samples}I", *column) for bit, column in columns.items() if bit != 0x400}
    run = run._replace(sizes=packed.get(0x200, b""), deltas=packed.get(0x100, b""), cts=packed.get(0x800, b""))
    return run._replace(sync=SOME_SYNC, marks=_marks(columns[0x400])) if 0x400 in columns else run


def _marks(flags: tuple[int, ...]) -> bytes:
    marks = bytearray((len(flags) + 7) // 8)
    for at, each in enumerate(flags):
        if each == SYNC_FLAGS:
            marks[at >> 3] |= 0x80 >> (at & 7)
    return bytes(marks)
