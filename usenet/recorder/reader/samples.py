"""The samples of one track as columns: a day of them takes a few bytes each, and none is an object until asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import NamedTuple


class Place(NamedTuple):
    """Samples that lie in one piece: `samples` of them from number `first` on, `length` bytes at `offset`."""

    offset: int
    first: int
    samples: int
    length: int
    entry: int


class Row(NamedTuple):
    """One sample on the track's own clock: `cts` is its composition time, before any edit."""

    number: int
    offset: int
    size: int
    dts: int
    cts: int
    duration: int
    sync: bool
    entry: int


def _numbers(typecode: str = "Q") -> array[int]:
    return array(typecode)


@dataclass(slots=True)
class Samples:
    """Columns. Sample numbers begin at 0; a run column holds the first sample it is true for.

    `sizes` is empty when all samples have `uniform` bytes. `sync` None: every sample is one. `entry` counts from 0.
    """

    count: int = 0
    uniform: int = 0
    sizes: array[int] = field(default_factory=lambda: _numbers("I"))
    chunk_first: array[int] = field(default_factory=_numbers)
    chunk_offset: array[int] = field(default_factory=_numbers)
    chunk_entry: array[int] = field(default_factory=lambda: _numbers("I"))
    time_first: array[int] = field(default_factory=_numbers)
    time_dts: array[int] = field(default_factory=lambda: _numbers("q"))
    time_delta: array[int] = field(default_factory=lambda: _numbers("I"))
    shift_first: array[int] = field(default_factory=_numbers)
    shift: array[int] = field(default_factory=lambda: _numbers("q"))
    sync: array[int] | None = None

    @property
    def end(self) -> int:
        """When the last sample ends, in decoding order."""
        return self.dts(self.count) if self.count else 0

    @property
    def start(self) -> int:
        return self.time_dts[0] if self.count else 0

    def length(self, first: int, last: int) -> int:
        """Bytes of the samples `first` to `last` - 1."""
        return sum(self.sizes[first:last]) if self.sizes else (last - first) * self.uniform

    def size(self, number: int) -> int:
        return self.sizes[number] if self.sizes else self.uniform

    def dts(self, number: int) -> int:
        """Decoding time; that of the sample behind the last is its end."""
        run = bisect_right(self.time_first, number) - 1
        return self.time_dts[run] + (number - self.time_first[run]) * self.time_delta[run]

    def duration(self, number: int) -> int:
        return self.time_delta[bisect_right(self.time_first, number) - 1]

    def cts(self, number: int) -> int:
        run = bisect_right(self.shift_first, number) - 1
        return self.dts(number) + (self.shift[run] if run >= 0 else 0)

    def offset(self, number: int) -> int:
        chunk = bisect_right(self.chunk_first, number) - 1
        return self.chunk_offset[chunk] + self.length(self.chunk_first[chunk], number)

    def entry(self, number: int) -> int:
        return self.chunk_entry[bisect_right(self.chunk_first, number) - 1]

    def at(self, dts: int) -> int:
        """The last sample that is decoded at `dts` or before; 0 when that is before all."""
        run = bisect_right(self.time_dts, dts) - 1
        if run < 0:
            return 0
        first, delta = self.time_first[run], self.time_delta[run]
        last = (self.time_first[run + 1] if run + 1 < len(self.time_first) else self.count) - 1
        return min(last, first + (dts - self.time_dts[run]) // delta) if delta else last

    def key(self, number: int) -> int | None:
        """The last sync sample at `number` or before."""
        if self.sync is None:
            return number if self.count else None
        at = bisect_right(self.sync, number) - 1
        return self.sync[at] if at >= 0 else None

    def next_key(self, number: int) -> int | None:
        """The first sync sample at `number` or behind."""
        if self.sync is None:
            return number if number < self.count else None
        at = bisect_left(self.sync, number)
        return self.sync[at] if at < len(self.sync) else None

    def is_sync(self, number: int) -> bool:
        return self.key(number) == number

    def places(self, first: int = 0, last: int | None = None) -> Iterator[Place]:
        """Where the samples `first` to `last` - 1 lie, piece by piece, in their order."""
        last = self.count if last is None else min(last, self.count)
        chunk = max(0, bisect_right(self.chunk_first, first) - 1)
        while first < last and chunk < len(self.chunk_first):
            begin = self.chunk_first[chunk]
            until = self.chunk_first[chunk + 1] if chunk + 1 < len(self.chunk_first) else self.count
            until = min(until, last)
            if until > first:
                offset = self.chunk_offset[chunk] + self.length(begin, first)
                yield Place(offset, first, until - first, self.length(first, until), self.chunk_entry[chunk])
                first = until
            chunk += 1

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[Row]:
        """The samples `first` to `last` - 1, one by one, in their order."""
        last = self.count if last is None else min(last, self.count)
        times, shifts, marks = self._times(first, last), self._shifts(first, last), self._marks(first, last)
        for place in self.places(first, last):
            offset = place.offset
            for number in range(place.first, place.first + place.samples):
                size = self.sizes[number] if self.sizes else self.uniform
                dts, duration = next(times)
                yield Row(number, offset, size, dts, dts + next(shifts), duration, next(marks), place.entry)
                offset += size

    def _times(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        run = max(0, bisect_right(self.time_first, first) - 1)
        while first < last and run < len(self.time_first):
            until = self.time_first[run + 1] if run + 1 < len(self.time_first) else self.count
            dts, delta = (
                self.time_dts[run] + (first - self.time_first[run]) * self.time_delta[run],
                self.time_delta[run],
            )
            for number in range(min(until, last) - first):
                yield dts + number * delta, delta
            first, run = max(first, until), run + 1

    def _shifts(self, first: int, last: int) -> Iterator[int]:
        run = bisect_right(self.shift_first, first) - 1
        if run < 0:
            return repeat(0)
        firsts, shift = self.shift_first, self.shift
        return chain.from_iterable(
            repeat(shift[at], (firsts[at + 1] if at + 1 < len(firsts) else last) - max(first, firsts[at]))
            for at in range(run, len(firsts))
        )

    def _marks(self, first: int, last: int) -> Iterator[bool]:
        if self.sync is None:
            yield from repeat(True)
            return
        for at in range(bisect_left(self.sync, first), bisect_left(self.sync, last)):
            yield from repeat(False, self.sync[at] - first)
            yield True
            first = self.sync[at] + 1
        yield from repeat(False)
