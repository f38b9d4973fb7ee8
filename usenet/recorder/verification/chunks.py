"""The fragments of a segment of ours, live or hidden in the mdat of a finished file, against the file's own tables."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..fragment import ALL_SYNC, FIRST_SYNC, NO_SYNC, Chunk, Run
from ..io import IO
from ..reader import Mp4, Row
from ..reader.ours import Ours
from ..scan import hop
from .findings import Findings

_BLOCK: Final = 4 << 20


@dataclass(slots=True)
class Chunks:
    """How many fragments are whole, what lies between them, and, with `deep`, samples compared and left out."""

    count: int = 0
    gaps: int = 0
    end: int = 0
    compared: int = 0
    left_out: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)


def check(io: IO, handle: int, ours: Ours, movie: Mp4 | None, findings: Findings, *, deep: bool) -> Chunks:
    """Header CRCs of all; with `deep` payload CRCs too, and that `movie` says of each sample what its fragment says."""
    found = Chunks(end=ours.head.data_start)
    compare = _Compare(movie, findings, found) if movie is not None and deep else None
    for chunk in hop(io, handle, ours.head.data_start, ours.end, ours.head.nonce, 0):
        if chunk.off > found.end:
            found.holes.append((found.end, chunk.off))
        if chunk.seq != found.count + 1 + found.gaps:
            found.gaps = chunk.seq - found.count - 1
        found.count += 1
        found.end = chunk.end
        if deep and not _payload(io, handle, chunk) and (compare is None or compare.wanted(chunk)):
            findings.add(chunk.off, f"the media data of chunk {chunk.seq} is not as it was written", "payload")
        if compare is not None:
            compare.take(chunk)
    if compare is not None:
        compare.finish()
    _holes(found, movie, ours, findings)
    return found


def _payload(io: IO, handle: int, chunk: Chunk) -> bool:
    at, end, crc = chunk.off + chunk.moof_len + 8, chunk.end, 0
    while at < end:
        data = io.pread(handle, min(_BLOCK, end - at), at)
        if not data:
            return False
        crc = zlib.crc32(data, crc)
        at += len(data)
    return crc == chunk.payload_crc


def _holes(found: Chunks, movie: Mp4 | None, ours: Ours, findings: Findings) -> None:
    """Between fragments: damage in a live file. A finished one may have left it out; else its tables point there."""
    for start, end in found.holes:
        sentence = f"bytes {start} to {end} are no whole chunk"
        if ours.life == "live":
            findings.add(start, f"{sentence}; recovery leaves them out", "hole")
        elif movie is not None and _used(movie, start, end):
            findings.add(start, f"{sentence}, and there are samples in them", "hole")
        else:
            findings.notes.append(f"{sentence}; they were left out when the file was recovered")
    if found.end < ours.end:
        if ours.life == "live":
            findings.notes.append(f"{ours.end - found.end} bytes at the end are no whole chunk yet")
        elif movie is not None and _used(movie, found.end, ours.end):
            findings.add(
                found.end, f"bytes {found.end} to {ours.end} are no whole chunk, and there are samples in them"
            )


def _used(movie: Mp4, start: int, end: int) -> bool:
    return any(
        place.offset < end and place.offset + place.length > start
        for track in movie.tracks
        for place in track.samples.places()
    )


class _Compare:
    """Walks the samples of all tracks beside the fragments."""

    def __init__(self, movie: Mp4, findings: Findings, found: Chunks) -> None:
        self._findings = findings
        self._found = found
        self._rows: dict[int, Iterator[Row]] = {}
        self._next: dict[int, Row | None] = {}
        self._first: dict[int, int] = {}
        for track in movie.tracks:
            self._rows[track.id] = track.samples.rows()
            self._next[track.id] = next(self._rows[track.id], None)
            if movie.fragments:
                self._first[track.id] = 0

    def wanted(self, chunk: Chunk) -> bool:
        """Whether the file shows a sample of it."""
        return any(row is not None and chunk.off < row.offset < chunk.end for row in self._next.values())

    def take(self, chunk: Chunk) -> None:
        offset = chunk.off + chunk.moof_len + 8
        for run in chunk.runs:
            for size, dts, shift, sync in _samples(run):
                self._one(run.track, (offset, size, dts, shift, sync))
                offset += size

    def _one(self, track: int, told: tuple[int, int, int, int, bool]) -> None:
        row = self._next.get(track)
        while row is not None and row.offset < told[0]:
            self._findings.add(
                row.offset, f"track {track}: sample {row.number + 1} is in no chunk", f"no chunk {track}"
            )
            row = self._step(track)
        if row is None or row.offset > told[0]:
            self._found.left_out += 1
            return
        first = self._first.setdefault(track, told[2] - row.dts)
        if (row.size, row.dts + first, row.cts - row.dts, row.sync) != told[1:]:
            self._findings.add(
                row.offset,
                f"track {track}: the tables say of sample {row.number + 1} (size, time, offset, sync) "
                f"{(row.size, row.dts + first, row.cts - row.dts, row.sync)}, its chunk says {told[1:]}",
                f"tables {track}",
            )
        self._found.compared += 1
        self._step(track)

    def _step(self, track: int) -> Row | None:
        self._next[track] = next(self._rows[track], None)
        return self._next[track]

    def finish(self) -> None:
        for track, row in self._next.items():
            if row is not None:
                self._findings.add(row.offset, f"track {track}: samples from {row.number + 1} on are in no chunk")


def _samples(run: Run) -> Iterator[tuple[int, int, int, bool]]:
    """(size, decode time, composition offset, sync) of each."""
    count, dts = run.samples, run.base
    sizes = struct.unpack(f">{count}I", run.sizes)
    deltas = struct.unpack(f">{count}I", run.deltas) if run.deltas else (run.delta,) * count
    shifts = struct.unpack(f">{count}i", run.cts) if run.cts else (0,) * count
    for at in range(count):
        yield sizes[at], dts, shifts[at], _sync(run, at)
        dts += deltas[at]


def _sync(run: Run, at: int) -> bool:
    if run.sync in {ALL_SYNC, NO_SYNC}:
        return run.sync == ALL_SYNC
    return not at if run.sync == FIRST_SYNC else bool(run.marks[at >> 3] & (0x80 >> (at & 7)))
