"""What an export consists of: which samples of which source, and when each is decoded and shown in the new file."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count, repeat
from typing import Final, NamedTuple

from ..errors import RecorderError
from ..reader import Edit, Mp4Track, Place, Samples, Source
from ..reader.edits import edits
from ..reader.source import name
from . import borders
from .columns import Columns, Span
from .footage import Footage, when
from .moov import Out

# Seconds of sound before a cut for the decoder, one packet at least; codecs that aren't here need none.
PREROLL: Final = {b"mp4a": Fraction(0), b"Opus": Fraction(8, 100)}


class Cut(NamedTuple):
    """The part of a source that is wanted, in its own presentation seconds; `at` is added to them."""

    footage: Footage
    begin: Fraction
    end: Fraction
    at: Fraction


class Part(NamedTuple):
    """Samples of one source and the track that they go to."""

    out: Out
    span: Span

    @property
    def places(self) -> Iterator[Place]:
        return self.span.samples.places(self.span.first, self.span.last)


@dataclass(slots=True)
class Join:
    cuts: list[Cut]
    gaps: list[tuple[Fraction, Fraction]]  # (when in the export, how long)
    outs: list[Out] = field(default_factory=list)
    parts: list[list[Part]] = field(default_factory=list)  # of each cut

    @property
    def end(self) -> Fraction:
        return self.cuts[-1].at + self.cuts[-1].end

    @property
    def scale(self) -> int:
        """Ticks a second in which the times of all tracks are whole, where 32 bits allow it."""
        scales = [out.head.timescale for out in self.outs]
        common = math.lcm(*scales)
        return common if common < 1 << 31 else max(scales)

    def pieces(self, number: int) -> Iterator[tuple[Place, Part]]:
        """What is copied of a cut, in the order in which it lies there."""
        rows = (zip(part.places, repeat(part)) for part in self.parts[number])
        return heapq.merge(*rows, key=lambda row: row[0].offset)


def fill(found: Join) -> Join:
    """Tracks and their samples. RecorderError where one file can't hold what follows."""
    outs: dict[tuple[str, int], Out] = {}
    for number, cut in enumerate(found.cuts):
        edge = (number == 0, number == len(found.cuts) - 1)
        parts = []
        seen: dict[str, int] = {}
        for track in cut.footage.movie.tracks:
            if not len(track):
                continue
            nth = seen.get(track.kind, 0)
            seen[track.kind] = nth + 1
            out = outs.get((track.kind, nth))
            if out is None:
                out = outs[track.kind, nth] = _new(outs.values(), cut.footage, track)
            part = _part(out, cut, rescaled(track, out.head.timescale, cut.footage.movie.timescale), edge)
            if part is not None:
                parts.append(part)
        found.parts.append(parts)
    found.outs = [out for out in outs.values() if out.columns.count and out.shown > max(0, out.first)]
    kept = {id(out) for out in found.outs}
    found.parts = [[part for part in parts if id(part.out) in kept] for parts in found.parts]
    return found


def _new(outs: Iterable[Out], footage: Footage, track: Mp4Track) -> Out:
    taken = {out.id for out in outs}
    number = track.id if track.id not in taken else next(each for each in count(1) if each not in taken)
    return Out(number, track, Source(footage.fetch, footage.movie.size))


def _part(out: Out, cut: Cut, track: Mp4Track, edge: tuple[bool, bool]) -> Part | None:
    """The samples that this source gives to a track. Sets from when to when the track is shown."""
    if borders.hidden_inside(track, first=edge[0], last=edge[1]):
        raise RecorderError(
            f"{cut.footage.path} was cut exactly: pictures in it are hidden, and stay so only at the ends of a join",
            hint="join what it was cut from",
            code=2,
        )
    shift = round(cut.at * track.timescale)
    first, last = _numbers(track, cut, edge)
    move = shift + track.edits.move
    begin, border = (math.floor((cut.at + each) * track.timescale + Fraction(1, 2)) for each in (cut.begin, cut.end))
    floor = None
    if track.kind not in {"video", "audio"}:
        floor = max(begin, out.columns.last + 1) if out.columns.count else begin
        first = _standing(track, floor - move, first, last)
    elif out.columns.count and track.kind == "audio":
        first = _behind(out.columns, track, move, first, last)
    if first >= last:
        return None
    late = (
        0
        if not out.columns.count or floor is not None
        else max(0, out.columns.last + 1 - track.samples.dts(first) - move)
    )
    span = Span(track.samples, first, last, move, late, _entries(out, cut, track, first, last), floor)
    if not out.columns.count:
        out.first = max(borders.extent(track)[0], _low(track, first, last)) + shift
    out.columns.add(span)
    out.shown = min(borders.extent(track)[1], _high(track, first, last)) + shift
    out.shown = min(out.shown, border) if edge[1] else out.shown
    return Part(out, span)


def _standing(track: Mp4Track, dts: int, first: int, last: int) -> int:
    """The text, from `first` on, that stands at `dts`."""
    while first + 1 < last and track.samples.dts(first + 1) <= dts:
        first += 1
    return first


def _behind(columns: Columns, track: Mp4Track, move: int, first: int, last: int) -> int:
    """The first sample that begins when the source before has ended, or not more than half of itself earlier."""
    samples = track.samples
    while first < last:
        dts = samples.dts(first) + move
        if dts > columns.last and 2 * (columns.end - dts) <= samples.duration(first):
            break
        first += 1
    return first


def _numbers(track: Mp4Track, cut: Cut, edge: tuple[bool, bool]) -> tuple[int, int]:
    low, high = borders.extent(track)
    begin = math.floor(cut.begin * track.timescale + Fraction(1, 2))
    end = math.floor(cut.end * track.timescale + Fraction(1, 2))
    if track.kind == "video":
        first = borders.key_at(track, begin) if edge[0] else 0
        return first, borders.until(track, end) if edge[1] else track.samples.count
    first = borders.before(track, max(begin, low), _lead(track)) if edge[0] else borders.before(track, low, 0)
    return first, borders.until(track, min(end, high) if edge[1] else high)


def _lead(track: Mp4Track) -> int:
    """Ticks of sound, one packet at least, that the decoder needs; 0 where each packet stands for itself."""
    need = PREROLL.get(track.entries[0][4:8])
    return 0 if need is None else max(1, round(need * track.timescale))


def _low(track: Mp4Track, first: int, last: int) -> int:
    return min(borders.pts(track, number) for number in range(first, min(last, first + borders.DEPTH)))


def _high(track: Mp4Track, first: int, last: int) -> int:
    numbers = range(max(first, last - borders.DEPTH), last)
    return max(borders.pts(track, number) + track.samples.duration(number) for number in numbers)


def _entries(out: Out, cut: Cut, track: Mp4Track, first: int, last: int) -> tuple[int, ...]:
    """Where among the entries of the export those of this source are; new ones are added."""
    used = {place.entry for place in track.samples.places(first, last)}
    for number in sorted(used):
        entry = track.entries[number]
        if out.entries and entry[4:8] != out.entries[0][4:8]:
            at = when(cut.footage.utc(cut.begin)) if cut.footage.zero_ns else "its start"
            raise RecorderError(
                f"{track.kind} changes from {name(out.entries[0][4:8])} to {name(entry[4:8])} in {cut.footage.path}",
                hint=f"one track holds one codec: export until {at}, and from there into a second file",
                code=2,
            )
        if entry not in out.entries:
            out.entries.append(entry)
    return tuple(out.entries.index(each) if at in used else 0 for at, each in enumerate(track.entries))


def rescaled(track: Mp4Track, timescale: int, movie: int) -> Mp4Track:
    """The same track on another clock; each time is rounded by itself, so that nothing adds up."""
    if track.timescale == timescale:
        return track
    old, rate = track.samples, Fraction(timescale, track.timescale)
    rows = list(old.rows())
    dts = [round(row.dts * rate) for row in rows]
    ends = [*dts[1:], round(old.end * rate)]
    new = Samples(
        *(old.count, old.uniform, old.sizes, old.chunk_first, old.chunk_offset, old.chunk_entry),
        *(array("Q", range(old.count)), array("q", dts)),
        array("I", (max(0, end - begin) for begin, end in zip(dts, ends, strict=True))),
    )
    new.sync = old.sync
    if old.shift:
        new.shift_first = array("Q", range(old.count))
        new.shift = array("q", (round(row.cts * rate) - at for row, at in zip(rows, dts, strict=True)))
    moved = [
        Edit(each.duration, round(each.media * rate) if each.media > 0 else each.media, each.rate)
        for each in track.edits.list
    ]
    return replace(track, timescale=timescale, samples=new, edits=edits(moved, timescale, movie))
