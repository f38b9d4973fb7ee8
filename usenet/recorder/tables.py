"""The sample tables of a finished file, put together from runs, not from single samples where it can be helped."""

from __future__ import annotations

import struct
import sys
from array import array
from collections import deque
from collections.abc import Iterable

from .boxes.box import Buffer, full
from .fragment import ALL_SYNC, FIRST_SYNC, SOME_SYNC, Run

_u32 = struct.Struct(">I")
_LONGEST = (1 << 32) - 1  # ticks: no sample can last longer
_REORDERED = 32  # a picture is shown after fewer others than this in the order of decoding


class Table:
    """One track's samples, in the order of `add`: run by run, each run one chunk in the sense of stsc and co64."""

    def __init__(self, track: int) -> None:
        self.track = track
        self.first = 0  # decode time of the first sample, in ticks
        self.samples = 0
        self._sizes: list[Buffer] = []
        self._counts = array("I")
        self._offsets = array("Q")
        self._times: list[list[int]] = []  # [how many samples, how long each]
        self._cts: list[list[int]] = []  # [how many samples, offset]
        self._sync = array("I")
        self._all_sync = True
        self._last = 0  # decode time of the last sample
        self._tail = 0  # how long it lasts
        self.lead = 0  # ticks from the first sample's decode time to when it is shown
        self._tail_runs: deque[Run] = deque(maxlen=_REORDERED)

    @property
    def presented(self) -> int:
        """From when the first sample is shown to the end of the last one that is shown, in ticks."""
        ends = (max(_shown(run)) + self._tail for run in self._tail_runs)
        return max(max(ends, default=self.first) - self.first - self.lead, 0)

    @property
    def duration(self) -> int:
        """From the first sample to the end of the last, in ticks."""
        return self._last + self._tail - self.first if self.samples else 0

    @property
    def end(self) -> int:
        return self.first + self.duration

    def add(self, off: int, run: Run) -> None:
        """A run whose bytes begin at `off`. Its first decode time is later than that of the last sample before it."""
        if not self.samples:
            self.lead = max(0, _shown(run)[0] - run.base)
        self._add_times(run)
        self._tail_runs.append(run)
        self._sizes.append(run.sizes)
        self._counts.append(run.samples)
        self._offsets.append(off)
        if run.cts or self._cts:
            self._add_cts(run)
        if run.sync != ALL_SYNC or not self._all_sync:
            self._add_sync(run)
        self.samples += run.samples

    def _add_times(self, run: Run) -> None:
        if self.samples:
            _extend(self._times, 1, min(run.base - self._last, _LONGEST))
        else:
            self.first = run.base
        if not run.deltas:
            if run.samples > 1:
                _extend(self._times, run.samples - 1, run.delta)
            self._last = run.base + (run.samples - 1) * run.delta
            self._tail = run.delta
            return
        deltas = struct.unpack(f">{run.samples}I", run.deltas)
        for delta in deltas[:-1]:
            _extend(self._times, 1, delta)
        self._last, self._tail = run.base + sum(deltas[:-1]), deltas[-1]

    def _add_cts(self, run: Run) -> None:
        if not self._cts and self.samples:
            self._cts.append([self.samples, 0])
        if not run.cts:
            _extend(self._cts, run.samples, 0)
            return
        for offset in struct.unpack(f">{run.samples}i", run.cts):
            _extend(self._cts, 1, offset)

    def _add_sync(self, run: Run) -> None:
        if self._all_sync:
            self._all_sync = False
            self._sync.extend(range(1, self.samples + 1))
        number = self.samples + 1
        if run.sync == ALL_SYNC:
            self._sync.extend(range(number, number + run.samples))
        elif run.sync == FIRST_SYNC:
            self._sync.append(number)
        elif run.sync == SOME_SYNC:
            marks = run.marks
            self._sync.extend(number + at for at in range(run.samples) if marks[at >> 3] & (0x80 >> (at & 7)))

    def stbl(self, stsd: bytes, shift: int) -> list[bytes]:
        """stsd as it is, and the tables behind it; `shift` is added to every offset."""
        times = [*self._times]
        if self.samples:
            times = [[*each] for each in times]
            _extend(times, 1, self._tail)
        out = [stsd, full(b"stts", 0, 0, _pairs(times))]
        if any(offset for _, offset in self._cts):
            version = 1 if any(offset < 0 for _, offset in self._cts) else 0
            out.append(full(b"ctts", version, 0, _pairs([[n, offset & 0xFFFFFFFF] for n, offset in self._cts])))
        if not self._all_sync:
            out.append(full(b"stss", 0, 0, _u32.pack(len(self._sync)), _big(self._sync)))
        out.append(full(b"stsc", 0, 0, self._stsc()))
        out.append(full(b"stsz", 0, 0, struct.pack(">II", 0, self.samples), *self._sizes))
        offsets = array("Q", (each + shift for each in self._offsets)) if shift else self._offsets
        out.append(full(b"co64", 0, 0, _u32.pack(len(offsets)), _big(offsets)))
        return out

    def _stsc(self) -> bytes:
        rows, before = [], 0
        for at, count in enumerate(self._counts, 1):
            if count != before:
                rows.append(struct.pack(">III", at, count, 1))
                before = count
        return _u32.pack(len(rows)) + b"".join(rows)


def _shown(run: Run) -> list[int]:
    """When each sample of a run is presented."""
    at = run.base
    deltas = struct.unpack(f">{run.samples}I", run.deltas) if run.deltas else (run.delta,) * run.samples
    offsets = struct.unpack(f">{run.samples}i", run.cts) if run.cts else (0,) * run.samples
    shown = []
    for delta, offset in zip(deltas, offsets, strict=True):
        shown.append(at + offset)
        at += delta
    return shown


def build(runs: Iterable[tuple[int, Iterable[Run]]], tracks: Iterable[int]) -> list[Table]:
    """Tables in the order of `tracks`, from (offset of a chunk's payload, its runs)."""
    tables = {track: Table(track) for track in tracks}
    for start, group in runs:
        off = start
        for run in group:
            tables[run.track].add(off, run)
            off += run.length
    return list(tables.values())


def _extend(pairs: list[list[int]], count: int, value: int) -> None:
    if pairs and pairs[-1][1] == value:
        pairs[-1][0] += count
    else:
        pairs.append([count, value])


def _pairs(pairs: list[list[int]]) -> bytes:
    flat = [value for pair in pairs for value in pair]
    return struct.pack(f">{len(flat) + 1}I", len(pairs), *flat)


def _big(values: array[int]) -> bytes:
    if sys.byteorder == "little":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()
