"""Edit lists: from composition time on the track's clock to the time at which a player shows the sample. §8.6.6."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..boxes.box import Box
from .source import At, Source

EMPTY = -1


class Edit(NamedTuple):
    """`duration` in ticks of the movie, 0 for "to the end"; `media` in ticks of the track, EMPTY for a pause."""

    duration: int
    media: int
    rate: float


class Window(NamedTuple):
    """Composition times that are shown, and by how much they are moved; no `end`: to the end of the track."""

    start: int
    end: int | None
    move: int


@dataclass(frozen=True, slots=True)
class Edits:
    """The edits of one track. None at all means that everything is shown when it is composed."""

    list: tuple[Edit, ...] = ()
    windows: tuple[Window, ...] = field(default=(Window(-(1 << 62), None, 0),))

    def place(self, cts: int, duration: int = 1) -> tuple[int, bool]:
        """When the sample is presented (ticks of the track), and whether it is: a hidden one is still decoded.

        One that is shown in part has the time of its first tick, which may lie before its edit.
        """
        for start, end, move in self.windows:
            if cts + max(1, duration) > start and (end is None or cts < end):
                return cts + move, True
        return cts + (self.windows[0].move if self.windows else 0), False

    @property
    def move(self) -> int:
        """What the first edit adds to composition times."""
        return self.windows[0].move if self.windows else 0


def edits(found: Sequence[Edit], timescale: int, movie: int) -> Edits:
    """`timescale` and `movie`: ticks a second of the track and of the movie."""
    if not found:
        return Edits()
    windows, now = [], 0
    for each in found:
        length = round(each.duration * timescale / movie) if each.duration < 1 << 50 else each.duration
        if each.media >= 0:
            end = each.media + length if each.duration else None
            windows.append(Window(each.media, end, now - each.media))
        now += length
    return Edits(tuple(found), tuple(windows))


def read(source: Source, found: Box) -> list[Edit]:
    """The entries of an elst box."""
    version, count = struct.unpack(">B3xI", source.body(found, 8)[:8])
    row = struct.Struct(">QqhH" if version == 1 else ">IihH")
    body = source.body(found)
    if version > 1 or len(body) != 8 + count * row.size:
        raise At(found.start, f"box elst of version {version} says {count} entries, and has {len(body)} bytes")
    rows = [Edit(duration, media, rate + part / 65536) for duration, media, rate, part in row.iter_unpack(body[8:])]
    if any(each.media < EMPTY or each.duration > 1 << 62 or each.media > 1 << 62 for each in rows):
        raise At(found.start, "box elst has a time that no media can have")
    return rows
