"""Movie fragments, one after the other, into the columns of their tracks. ISO/IEC 14496-12 §8.8."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..boxes.box import Box
from .samples import Samples
from .source import MOST, At, Source, name, swapped

_BEYOND = 1 << 62
_NO_SYNC = 0x00010000


@dataclass(frozen=True, slots=True)
class Defaults:
    """What trex says, and tfhd overrides."""

    entry: int
    duration: int
    size: int
    flags: int


@dataclass(slots=True)
class Growing:
    """A track while its fragments are read."""

    samples: Samples
    defaults: Defaults
    entries: int
    end: int = 0


@dataclass(frozen=True, slots=True)
class _Traf:
    track: Growing
    defaults: Defaults
    base: int | None


class Fragments:
    """Adds fragments to tracks. Damaged when one names a track that is not there, or more samples than bytes."""

    def __init__(self, source: Source, tracks: dict[int, Growing]) -> None:
        self._source = source
        self._tracks = tracks
        self._total = sum(each.samples.count for each in tracks.values())
        self.count = 0

    def add(self, moof: Box) -> None:
        self.count += 1
        base = moof.start
        for each in self._source.boxes(moof.body, moof.end):
            if each.kind == b"traf":
                base = self._traf(each, moof.start, base)

    def _traf(self, traf: Box, moof: int, follow: int) -> int:
        """`follow`: where the data of the traf before ended. Returns where this one's ends."""
        head: _Traf | None = None
        at = follow
        for each in self._source.boxes(traf.body, traf.end):
            if each.kind == b"tfhd":
                head = self._tfhd(each, moof)
                at = follow = follow if head.base is None else head.base
            elif each.kind in (b"tfdt", b"trun"):
                if head is None:
                    raise At(each.start, f"box {name(each.kind)} stands before its tfhd")
                if each.kind == b"trun":
                    at = self._trun(each, head, follow, at)
                else:
                    self._tfdt(each, head.track)
        if head is None:
            raise At(traf.start, "box traf has no tfhd")
        return at

    def _tfhd(self, found: Box, moof: int) -> _Traf:
        body = self._source.body(found, 8)
        has, number = struct.unpack_from(">II", body)
        track = self._tracks.get(number)
        if track is None:
            raise At(found.start, f"box tfhd names track {number}, which is not there")
        values, at, base = [], 8, moof if has & 0x020000 else None
        for bit, length in ((0x01, 8), (0x02, 4), (0x08, 4), (0x10, 4), (0x20, 4)):
            values.append(None if not has & bit else int.from_bytes(body[at : at + length], "big"))
            at += length if has & bit else 0
        if at > len(body):
            raise At(found.start, "box tfhd is too short for its flags")
        own = track.defaults
        entry, duration, size, flags = (
            given if given is not None else default
            for given, default in zip(values[1:], (own.entry, own.duration, own.size, own.flags), strict=True)
        )
        if not 1 <= entry <= track.entries:
            raise At(found.start, f"box tfhd names sample entry {entry}, which is not one of {track.entries}")
        return _Traf(track, Defaults(entry, duration, size, flags), values[0] if values[0] is not None else base)

    def _tfdt(self, found: Box, track: Growing) -> None:
        body = self._source.body(found, 8)
        if body[0] and len(body) < 12:
            raise At(found.start, "box tfdt is too short for its version")
        time = int.from_bytes(body[4:12] if body[0] else body[4:8], "big")
        samples = track.samples
        if time > _BEYOND or (samples.count and time < samples.dts(samples.count - 1)):
            raise At(found.start, f"box tfdt says {time}, before what was there or beyond any time")
        track.end = time

    def _trun(self, found: Box, head: _Traf, base: int, at: int) -> int:
        """`base`: what a data offset is counted from; `at`: where the run begins that has none."""
        body = self._source.body(found, 8)
        word, count = struct.unpack_from(">II", body)
        place = 8
        if word & 1:
            at = base + int.from_bytes(body[place : place + 4], "big", signed=True)
            place += 4
        first = int.from_bytes(body[place : place + 4], "big") if word & 4 else None
        place += 4 if word & 4 else 0
        columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if word & bit]
        if len(body) - place != 4 * len(columns) * count:
            raise At(found.start, f"box trun says {count} samples, and has {len(body)} bytes")
        self._total += count
        if self._total > self._source.size or self._total > MOST:
            raise At(found.start, f"box trun makes it {self._total} samples, more than the file has room for")
        values = swapped(array("I", body[place:]))
        rows = {bit: values[each :: len(columns)] for each, bit in enumerate(columns)}
        return self._extend(found, head, (at, count, first), rows)

    def _extend(self, found: Box, head: _Traf, run: tuple[int, int, int | None], rows: dict[int, array[int]]) -> int:
        at, count, first = run
        samples, track = head.track.samples, head.track
        if not count:
            return at
        length = sum(rows[0x200]) if 0x200 in rows else count * head.defaults.size
        if at < 0 or at + length > self._source.size:
            raise At(found.start, f"box trun has samples from byte {at} to {at + length}, beyond the file")
        samples.chunk_first.append(samples.count)
        samples.chunk_offset.append(at)
        samples.chunk_entry.append(head.defaults.entry - 1)
        _sizes(samples, count, rows.get(0x200), head.defaults.size)
        _sync(samples, count, _flags(rows.get(0x400), first, head.defaults.flags, count))
        if 0x800 in rows or samples.shift:
            _shifts(samples, count, rows.get(0x800))
        _times(samples, track, count, rows.get(0x100), head.defaults.duration)
        samples.count += count
        if track.end > _BEYOND:
            raise At(found.start, "box trun goes beyond any time that a file can have")
        return at + length


def _groups(values: array[int]) -> Iterator[tuple[int, int]]:
    """Each value that differs from the one before, and how often it comes."""
    if min(values) == max(values):
        yield values[0], len(values)
    else:
        yield from ((value, sum(1 for _ in same)) for value, same in groupby(values))


def _sizes(samples: Samples, count: int, sizes: array[int] | None, default: int) -> None:
    lone = (default if sizes is None else sizes[0]) if sizes is None or min(sizes) == max(sizes) else None
    if not samples.sizes and lone is not None and (not samples.count or samples.uniform == lone):
        samples.uniform = lone
        return
    if not samples.sizes:
        samples.sizes.extend(array("I", (samples.uniform,)) * samples.count)
    samples.sizes.extend(array("I", (default,)) * count if sizes is None else sizes)


def _flags(flags: array[int] | None, first: int | None, default: int, count: int) -> tuple[bool, list[int] | bool]:
    """Whether the first sample is a sync sample; and which of the others: all, none, or by number."""
    if flags is not None:
        marks = [at for at, each in enumerate(flags) if not each & _NO_SYNC and at]
        rest: list[int] | bool = marks if 0 < len(marks) < count - 1 else bool(marks)
        return not (flags[0] if first is None else first) & _NO_SYNC, rest
    return not (default if first is None else first) & _NO_SYNC, not default & _NO_SYNC


def _sync(samples: Samples, count: int, marks: tuple[bool, list[int] | bool]) -> None:
    first, rest = marks
    if samples.sync is None:
        if first and (rest is True or count == 1):
            return
        samples.sync = array("Q", range(samples.count))
    if first:
        samples.sync.append(samples.count)
    if rest is True:
        samples.sync.extend(range(samples.count + 1, samples.count + count))
    elif rest:
        samples.sync.extend(samples.count + at for at in rest)


def _shifts(samples: Samples, count: int, shifts: array[int] | None) -> None:
    values = array("i", bytes(4 * count) if shifts is None else shifts.tobytes())
    if not samples.shift and samples.count:
        samples.shift_first.append(0)
        samples.shift.append(0)
    at = samples.count
    for value, same in _groups(values):
        if not samples.shift or samples.shift[-1] != value:
            samples.shift_first.append(at)
            samples.shift.append(value)
        at += same


def _times(samples: Samples, track: Growing, count: int, durations: array[int] | None, default: int) -> None:
    at = samples.count
    for delta, same in [(default, count)] if durations is None else _groups(durations):
        if not samples.time_first or samples.time_delta[-1] != delta or samples.dts(at) != track.end:
            samples.time_first.append(at)
            samples.time_dts.append(track.end)
            samples.time_delta.append(delta)
        at += same
        track.end += same * delta
