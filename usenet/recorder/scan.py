"""What a part really holds: from its index as far as that goes, from its fragments beyond, checked where needed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from . import fragment, index
from .align import from_sync
from .boxes.box import header
from .errors import Damaged
from .fragment import COMMIT, DISCONTINUITY, GAP, TAIL, Chunk, Run
from .head import FLIP, Head
from .io import IO
from .movie import FTYP, track_ids
from .patient import Patient, Reads
from .policy import Recovery
from .tables import Table

_BLOCK = 1 << 20
_MOOF = 64 << 20  # no moof is longer
_NEAR = 4096  # a moof of a chunk below a second fits; a longer one is read in two steps


@dataclass(frozen=True, slots=True)
class Gap:
    """Time that is missing: `at_ms` from the start of the segment. `lost`: dropped here; else it was never received."""

    at_ms: int
    ms: int
    lost: bool


@dataclass(slots=True)
class Survey:
    """Tables of all samples that are kept; everything behind `data_end` is no whole chunk."""

    tables: list[Table]
    scales: dict[int, int]
    data_end: int
    kept: int = 0
    dropped: int = 0
    verified: int = 0
    hopped: int = 0
    durable: int = 0
    index_used: bool = False
    bytes_kept: int = 0
    wall_ns: int = 0
    last_seq: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the first sample to the end of the last, over all tracks."""
        ends = [table.end / self.scales[table.track] for table in self.tables if table.samples]
        return max(ends, default=0.0) - min(
            (table.first / self.scales[table.track] for table in self.tables if table.samples), default=0.0
        )


def survey(
    io: IO,
    part: int,
    head: Head,
    journal: bytes = b"",
    *,
    policy: Recovery = "skip",
    deep: bool = False,
    trusted: int = 0,
) -> Survey:
    """Look at everything behind the head. `journal` is the content of the index, as much as there is of it.

    Chunks up to the durable watermark (or `trusted`) are believed; the others, or with `deep` all of them, are kept
    only if header and payload have their CRC. What the drive can't read has none.
    """
    reads = Patient(io)
    size = reads.size(part)
    found = Survey([], dict(track_ids(FTYP + head.init)), head.data_start)
    found.tables = [Table(track) for track in found.scales]
    known = _Known(journal, head, size)
    found.index_used = bool(known.rows)
    found.hopped = known.hop(reads, part, size, head.nonce)
    found.durable = max([trusted, *(row.durable for _, row in known.rows)])
    _keep(reads, part, known, found, head, policy, found.durable if not deep else 0)
    if reads.upto > found.data_end:
        found.data_end = size  # what can't be read may be whole: it is not cut off
    return found


class _Known:
    """Records of chunks in the order of the file: from the index, then of fragments, all in one journal."""

    def __init__(self, journal: bytes, head: Head, size: int) -> None:
        self.data = memoryview(b"")
        self.rows: list[tuple[int, index.Record]] = []
        self.from_index = 0
        self.end = head.data_start
        self._more = bytearray()
        try:
            told = index.read_header(journal)
        except Damaged:
            return
        if (told.nonce, told.reserve) != (head.nonce, head.reserve):
            return
        self.data = memoryview(journal)
        for at, row in index.records(self.data, told.length, head.data_start, head.nonce):
            if row.end > size:
                break
            self.rows.append((at, row))
            self.end = row.end
        self.from_index = len(self.rows)

    def hop(self, io: Reads, part: int, size: int, nonce: int) -> int:
        """Go on from the end of the index, from fragment to fragment; how many were found."""
        count, base = 0, len(self.data)
        for chunk in hop(io, part, self.end, size, nonce, self.rows[-1][1].seq if self.rows else 0):
            record = index.record(chunk, nonce)
            head = index.Record(
                *(len(chunk.runs), len(record), chunk.seq, chunk.lag, chunk.off, chunk.wall_ns, chunk.moof_len),
                *(chunk.payload_len, chunk.payload_crc, chunk.flags, chunk.gap_ms),
            )
            self.rows.append((base + len(self._more), head))
            self._more += record
            count += 1
        if count:
            self.data = memoryview(bytes(self.data) + bytes(self._more))
        return count


def hop(io: Reads, part: int, off: int, size: int, nonce: int | None, seq: int) -> Iterator[Chunk]:
    """Whole fragment headers from `off` on, in rising order of `seq`. What lies between them is searched."""
    while off < size:
        chunk = _chunk_at(io, part, off, size, nonce)
        if chunk is None or chunk.seq <= seq:
            chunk = _search(io, part, off, size, nonce, seq)
        if chunk is None:
            return
        yield chunk
        off, seq = chunk.end, chunk.seq


def _chunk_at(io: Reads, part: int, off: int, size: int, nonce: int | None) -> Chunk | None:
    near = io.pread(part, _NEAR, off)
    try:
        moof = header(near, 0, max(len(near), min(size - off, int.from_bytes(near[:4], "big"))))
        if moof.kind != b"moof" or moof.end > _MOOF:
            return None
        data = near[: moof.end] if moof.end <= len(near) else io.pread(part, moof.end, off)
        chunk = fragment.read(data, off, nonce)
    except Damaged:
        return None
    return chunk if chunk.end <= size else None


def _search(io: Reads, part: int, off: int, size: int, nonce: int | None, seq: int) -> Chunk | None:
    """The next whole chunk behind `off`, found by its commit box, which says where its fragment begins."""
    at = off
    while at < size:
        block = io.pread(part, _BLOCK + TAIL, at)
        place = block.find(COMMIT)
        while place >= 0:
            start = int.from_bytes(block[place + 28 : place + 36], "big")
            if off <= start < at + place:
                chunk = _chunk_at(io, part, start, size, nonce)
                if chunk is not None and chunk.seq > seq:
                    return chunk
            place = block.find(COMMIT, place + 1)
        at += _BLOCK
    return None


def _keep(io: Reads, part: int, known: _Known, found: Survey, head: Head, policy: Recovery, durable: int) -> None:  # noqa: PLR0917
    sink = _Sink(found, policy)
    for number, (at, row) in enumerate(known.rows):
        if row.seq > durable:
            found.verified += 1
            if not _whole(io, part, row, head.nonce, header_too=number < known.from_index):
                sink.drop(row)
                continue
        sink.keep(row, index.runs(known.data, at, row))
    found.dropped += sink.dropped


def _whole(io: Reads, part: int, row: index.Record, nonce: int, *, header_too: bool) -> bool:
    """Whether the chunk that a record speaks of is there as it was written."""
    if header_too:
        chunk = _chunk_at(io, part, row.off, row.end, nonce)
        if chunk is None or (chunk.seq, chunk.payload_crc, chunk.end) != (row.seq, row.payload_crc, row.end):
            return False
    payload = io.pread(part, row.payload_len, row.off + row.moof_len + 8)
    return len(payload) == row.payload_len and zlib.crc32(payload) == row.payload_crc


class _Sink:
    """Takes chunks in their order, whole or lost, and puts the samples that the policy keeps into the tables."""

    def __init__(self, found: Survey, policy: Recovery) -> None:
        self.dropped = 0
        self._found = found
        self._policy = policy
        self._tables = {table.track: table for table in found.tables}
        self._wait: set[int] = set()  # tracks that wait for a sync sample
        self._hole = False
        self._over = False
        self._seq = 0

    def drop(self, row: index.Record) -> None:
        self.dropped += 1
        self._hole = True
        self._seq = row.seq
        self._over = self._over or self._policy == "strict"

    def keep(self, row: index.Record, runs: Sequence[Run]) -> None:
        found = self._found
        if row.seq != self._seq + 1:
            self.dropped += row.seq - self._seq - 1
            self._hole = True
            self._over = self._over or self._policy == "strict"
        self._seq = found.last_seq = row.seq
        found.data_end = row.end
        if self._over:
            self.dropped += 1
            return
        found.wall_ns = found.wall_ns or row.wall_ns
        self._gaps(row, runs)
        found.kept += 1
        found.bytes_kept += row.payload_len
        off = row.off + row.moof_len + 8
        for run in runs[:-1]:
            self._add(off, run)
            off += run.length
        if runs:
            self._add(off, runs[-1])

    def _add(self, off: int, run: Run) -> None:
        if run.track in self._wait:
            skipped, rest = from_sync(run)
            if rest is None:
                return
            self._wait.discard(run.track)
            off, run = off + skipped, rest
        table = self._tables.get(run.track)
        if table is not None:
            table.add(off, run)

    def _gaps(self, row: index.Record, runs: Sequence[Run]) -> None:
        """What is missing before this chunk: by damage, or because it never came."""
        if not (self._hole or row.flags & (GAP | DISCONTINUITY)) or not runs:
            return
        run = runs[0]
        scale, table = self._found.scales[run.track], self._tables[run.track]
        before, now = table.end * 1000 // scale, run.base * 1000 // scale
        if self._hole:
            self._found.gaps.append(Gap(before, max(now - before, 0), lost=True))
            self._wait = set(self._tables) if self._policy == "align" else set()
        elif row.flags & GAP:
            self._found.gaps.append(Gap(max(now - row.gap_ms, 0), row.gap_ms, lost=False))
        self._hole = False


def read_head(io: Reads, part: int) -> bytes:
    """The first bytes of a part, enough for its head."""
    start = io.pread(part, _NEAR, 0)
    length = int.from_bytes(start[FLIP : FLIP + 4], "big")
    return start if FLIP + length + 32 <= len(start) or length > 1 << 26 else io.pread(part, FLIP + length + 32, 0)
