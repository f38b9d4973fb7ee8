"""The samples of a chunk that is not written yet, when it ends, and the chunk that they make."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

from .errors import BadSample
from .fragment import ALL_SYNC, DISCONTINUITY, FIRST_SYNC, GAP, KEY, NO_SYNC, SOME_SYNC, Chunk, Run
from .policy import Flush
from .tracks import Track

_MOST: Final = 60_000  # samples of one track in one chunk: its number has 16 bits


class Row:
    """One track's pending samples."""

    __slots__ = ("cts", "data", "dts", "last", "length", "sync", "track")

    def __init__(self, track: Track) -> None:
        self.track = track
        self.last = -1  # decode time of the newest sample, in this chunk or before it
        self.length = 0  # how long a sample lasts whose successor is not known: as the one before
        self.clear()

    def clear(self) -> None:
        self.data: list[bytes] = []
        self.dts: list[int] = []
        self.cts: list[int] = []
        self.sync: list[bool] = []

    def run(self) -> Run:
        count = len(self.dts)
        deltas = [later - dts for dts, later in zip(self.dts, self.dts[1:], strict=False)]
        deltas.append(self.length or (deltas[-1] if deltas else self.track.duration))
        same = all(delta == deltas[0] for delta in deltas)
        columns = (
            struct.pack(f">{count}I", *map(len, self.data)),
            b"" if same else struct.pack(f">{count}I", *deltas),
            struct.pack(f">{count}i", *self.cts) if any(self.cts) else b"",
        )
        sync, marks = _sync(self.sync)
        return Run(self.track.id, self.dts[0], count, deltas[0], *columns, sync, marks)


def _sync(flags: list[bool]) -> tuple[int, bytes]:
    if all(flags):
        return ALL_SYNC, b""
    if not any(flags):
        return NO_SYNC, b""
    if flags[0] and not any(flags[1:]):
        return FIRST_SYNC, b""
    marks = bytearray((len(flags) + 7) // 8)
    for at, flag in enumerate(flags):
        if flag:
            marks[at >> 3] |= 0x80 >> (at & 7)
    return SOME_SYNC, bytes(marks)


class Pending:
    """Knows by the policy when a chunk is full. The first video track, or else the first track, sets the pace."""

    def __init__(self, tracks: Sequence[Track], flush: Flush) -> None:
        self._rows = {track.id: Row(track) for track in tracks}
        self._main = next((track.id for track in tracks if track.kind == "video"), tracks[0].id)
        self._flush = flush
        self._bytes = 0
        self._wall = 0
        self._flags = 0
        self._gap = 0

    @property
    def empty(self) -> bool:
        return not self._bytes and not any(row.dts for row in self._rows.values())

    def add(self, track: int, data: bytes, dts: int, cts: int, duration: int, sync: bool, wall_ns: int) -> None:  # noqa: PLR0917
        """BadSample, and nothing is kept of it, when it can't be in the file."""
        row = self._rows.get(track)
        if row is None:
            raise BadSample(f"there is no track {track} in this segment")
        if dts <= row.last:
            raise BadSample(f"track {track}: decode time {dts} is not later than {row.last}, the one before")
        if not data:
            raise BadSample(f"track {track}: a sample without bytes at {dts}")
        if not -(1 << 31) <= cts < 1 << 31 or not 0 <= duration < 1 << 32 or dts >> 63 or wall_ns >> 64:
            raise BadSample(f"track {track}: the times of the sample at {dts} are too long for a file")
        if row.last >= 0 and dts - row.last >> 32:
            raise BadSample(f"track {track}: the sample at {dts} comes too long after {row.last}, the one before")
        if not self._wall:
            self._wall = wall_ns
        row.length = duration or (dts - row.last if row.last >= 0 else row.track.duration)
        row.last = dts
        row.data.append(data)
        row.dts.append(dts)
        row.cts.append(cts)
        row.sync.append(sync)
        self._bytes += len(data)

    def gap(self, milliseconds: int, discontinuity: bool) -> None:
        self._flags |= GAP | (DISCONTINUITY if discontinuity else 0)
        self._gap = min(self._gap + max(milliseconds, 0), 0xFFFFFFFF)

    def ends_before(self, track: int, sync: bool) -> bool:
        """Whether a sample that comes now must begin a new chunk."""
        return self._flush.cut == "gop" and sync and track == self._main and bool(self._rows[track].dts)

    def full(self, track: int) -> bool:
        """Whether the chunk ends with the sample that was added last, to `track`."""
        row = self._rows[track]
        if self._bytes >= self._flush.chunk_bytes or len(row.dts) >= _MOST:
            return True
        if self._flush.cut == "frame" and track == self._main:
            return True
        if self._flush.cut not in {"frame", "time"}:
            return False
        lasts, whole = (row.last - row.dts[0]) * 1000, self._flush.chunk_ms * row.track.timescale
        if track != self._main and self._rows[self._main].dts:  # where pictures stopped coming, sound does not wait
            return lasts >= 2 * whole
        return lasts + 2 * row.length * 1000 > whole  # one more would be too long

    def chunk(self, seq: int, off: int, durable: int) -> tuple[Chunk, list[bytes]]:
        """The chunk that is pending, and its payload in pieces."""
        rows = [row for row in self._rows.values() if row.dts]
        payload = [data for row in rows for data in row.data]
        crc = 0
        for data in payload:
            crc = zlib.crc32(data, crc)
        main = self._rows[self._main]
        flags = self._flags | (KEY if main.sync and main.sync[0] else 0)
        runs = tuple(row.run() for row in rows)
        return Chunk(seq, off, seq - 1 - durable, flags, self._wall, self._gap, 0, self._bytes, crc, runs), payload

    def clear(self) -> None:
        for row in self._rows.values():
            row.clear()
        self._bytes = self._wall = self._flags = self._gap = 0
