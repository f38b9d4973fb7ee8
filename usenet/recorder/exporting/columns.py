"""The tables of an exported track, put together from those of its sources."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from copy import deepcopy
from itertools import groupby
from typing import NamedTuple

from ..boxes.box import full
from ..errors import RecorderError
from ..reader import Place, Samples
from ..reader.source import swapped

_LONGEST = (1 << 32) - 1


class Span(NamedTuple):
    """Samples `first` to `last` - 1 of a source. `dts`: what is added to their decode times; `late`: to these only,
    the composition times stay. `entries`: its sample entries' places among ours. `floor`: when the first sample begins
    at the earliest; one that would begin before is shortened."""

    samples: Samples
    first: int
    last: int
    dts: int
    late: int
    entries: tuple[int, ...]
    floor: int | None = None


class Runs:
    """Values, and how often each comes; a value that comes again right behind itself is counted, not kept."""

    def __init__(self) -> None:
        self.counts = array("I")
        self.values = array("q")

    def extend(self, count: int, value: int) -> None:
        if self.values and self.values[-1] == value:
            self.counts[-1] += count
        else:
            self.counts.append(count)
            self.values.append(value)

    def write(self, lift: int = 0) -> bytes:
        """As the rows of stts and ctts, `lift` added to each value."""
        rows = array("I", bytes(8 * len(self.counts)))
        rows[::2] = self.counts
        rows[1::2] = array("I", (value + lift for value in self.values))
        return struct.pack(">I", len(self.counts)) + swapped(rows).tobytes()


class Columns:
    """Grows span by span; sample times are kept as runs, sizes as they are."""

    def __init__(self) -> None:
        self.count = 0
        self.start = 0  # decode time of the first sample; may be negative
        self.last = 0  # that of the newest
        self._tail = 0  # how long it lasts
        self._sizes = array("I")
        self._times = Runs()
        self._shifts = Runs()
        self._sync = array("I")
        self._all_sync = True
        self._offsets = array("Q")
        self._counts = array("I")
        self._entries = array("I")

    @property
    def lift(self) -> int:
        """What is added to composition offsets, none of which is negative then: not every player takes such."""
        return max(0, -min(self._shifts.values, default=0))

    @property
    def origin(self) -> int:
        """The time that the media begins with, so that composition times are what they were."""
        return self.start - self.lift

    @property
    def end(self) -> int:
        return self.last + self._tail

    def add(self, span: Span) -> None:
        """RecorderError when more time lies before it than one sample can stand for."""
        for count, dts, delta in _times(span):
            self._join(dts)
            if count > 1:
                self._times.extend(count - 1, delta)
            self.last, self._tail = dts + (count - 1) * delta, delta
            self.count += count
        for count, shift in _shifts(span):
            self._shifts.extend(count, shift)
        self._marks(span, self.count - (span.last - span.first))
        samples = span.samples
        sizes = samples.sizes[span.first : span.last] if samples.sizes else None
        self._sizes.extend(sizes if sizes is not None else array("I", (samples.uniform,)) * (span.last - span.first))

    def _join(self, dts: int) -> None:
        """The sample before lasts until this one."""
        if not self.count:
            self.start = dts
            return
        if not 0 <= dts - self.last <= _LONGEST:
            raise RecorderError(
                "the time between two sources is too long for one file",
                hint="export them apart, or close the gaps",
            )
        self._times.extend(1, dts - self.last)

    def _marks(self, span: Span, number: int) -> None:
        marks = span.samples.sync
        if marks is None and self._all_sync:
            return
        if self._all_sync:
            self._all_sync = False
            self._sync.extend(range(1, number + 1))
        if marks is None:
            self._sync.extend(range(number + 1, number + 1 + span.last - span.first))
        else:
            known = marks[bisect_left(marks, span.first) : bisect_left(marks, span.last)]
            self._sync.extend(number + 1 + each - span.first for each in known)

    def place(self, offset: int, piece: Place, entries: tuple[int, ...]) -> None:
        """Where in the new file the next samples lie."""
        self._offsets.append(offset)
        self._counts.append(piece.samples)
        self._entries.append(entries[piece.entry] + 1)

    def tables(self) -> list[bytes]:
        """What stands behind stsd."""
        times, lift = deepcopy(self._times), self.lift
        times.extend(1, self._tail)
        out = [full(b"stts", 0, 0, times.write())]
        if any(each + lift for each in self._shifts.values):
            out.append(full(b"ctts", 0, 0, self._shifts.write(lift)))
        if not self._all_sync:
            out.append(full(b"stss", 0, 0, struct.pack(">I", len(self._sync)), _big(self._sync)))
        rows = [struct.pack(">III", at, *row) for at, row in self._chunks()]
        out.append(full(b"stsc", 0, 0, struct.pack(">I", len(rows)), *rows))
        out.append(full(b"stsz", 0, 0, struct.pack(">II", 0, self.count), _big(self._sizes)))
        offsets = swapped(array("Q", self._offsets)).tobytes()
        out.append(full(b"co64", 0, 0, struct.pack(">I", len(self._offsets)), offsets))
        return out

    def _chunks(self) -> Iterator[tuple[int, tuple[int, int]]]:
        at = 1
        for row, same in groupby(zip(self._counts, self._entries, strict=True)):
            yield at, row
            at += sum(1 for _ in same)


def _times(span: Span) -> Iterator[tuple[int, int, int]]:
    """(how many, decode time of the first, how long each) of the runs in a span."""
    samples, runs = span.samples, len(span.samples.time_first)
    at = max(0, bisect_left(samples.time_first, span.first + 1) - 1)
    while at < runs and samples.time_first[at] < span.last:
        begin = max(span.first, samples.time_first[at])
        end = min(span.last, samples.time_first[at + 1] if at + 1 < runs else span.last)
        dts = samples.time_dts[at] + (begin - samples.time_first[at]) * samples.time_delta[at]
        count, dts, delta = end - begin, dts + span.dts + span.late, samples.time_delta[at]
        if span.floor is not None and dts < span.floor:
            yield 1, span.floor, max(0, dts + delta - span.floor)
            count, dts = count - 1, dts + delta
        if count:
            yield count, dts, delta
        at += 1


def _shifts(span: Span) -> Iterator[tuple[int, int]]:
    samples, runs = span.samples, len(span.samples.shift_first)
    at = bisect_left(samples.shift_first, span.first + 1) - 1
    if at < 0:
        yield span.last - span.first, -span.late
        return
    while at < runs and samples.shift_first[at] < span.last:
        begin = max(span.first, samples.shift_first[at])
        end = min(span.last, samples.shift_first[at + 1] if at + 1 < runs else span.last)
        yield end - begin, samples.shift[at] - span.late
        at += 1


def _big(values: array[int]) -> bytes:
    return swapped(array("I", values)).tobytes()
