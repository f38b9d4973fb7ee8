"""A player that knows MP4 and nothing of ours: no checksums, no index. It stops where a file stops making sense.

Written apart from the recorder's own reading, so that both would have to be wrong in the same way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, chain, islice, repeat
from typing import NamedTuple

Place = tuple[bytes, int, int]  # kind, where the body begins, where it ends


class Shown(NamedTuple):
    """One sample as a player gets it; times in ticks of the track, on the time line of the whole file."""

    data: bytes
    dts: int
    cts: int
    sync: bool


Playing = dict[int, list[Shown]]
Said = tuple[bytes, ...]


@lru_cache(4096)
def play(data: bytes) -> Playing:
    """Every sample by track, from tables or from fragments, whichever the file has. Never raises.

    Many states end in the same file, so what was read once is remembered: the lists are not to be changed.
    """
    tracks: Playing = {}
    moov = False
    for kind, start, end in _boxes(data, 0, len(data)):
        try:
            if kind == b"moov" and not moov:
                moov = True
                tracks = _tables(data, start, end)
            elif kind == b"moof" and moov and not _fragment(data, start, end, tracks):
                break
        except (struct.error, KeyError, IndexError, StopIteration, ValueError):
            break
    return tracks


def _boxes(data: bytes, start: int, end: int) -> Iterator[Place]:
    while end - start >= 8:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and end - start >= 16:
            size, body = struct.unpack_from(">Q", data, start + 8)[0], start + 16
        elif size == 0:
            size = end - start
        if size < body - start:
            return
        yield kind, body, min(end, start + size)
        start += size


def _inside(data: bytes, start: int, end: int) -> dict[bytes, tuple[int, int]]:
    return {kind: (body, stop) for kind, body, stop in _boxes(data, start, end)}


def _at(data: bytes, place: tuple[int, int], path: str) -> tuple[int, int]:
    for kind in path.split("/"):
        place = _inside(data, *place)[kind.encode()]
    return place


def _words(data: bytes, at: int, count: int) -> tuple[int, ...]:
    return struct.unpack_from(f">{count}I", data, at)


@lru_cache(4096)
def said(data: bytes) -> Said:
    """What a file says of itself besides samples and times: per track its number, picture, clock, language, coding."""
    moov = next((place for place in _boxes(data, 0, len(data)) if place[0] == b"moov"), None)
    if moov is None:
        return ()
    rows: list[bytes] = []
    for kind, body, stop in _boxes(data, *moov[1:]):
        if kind == b"trak":
            header, clock = _at(data, (body, stop), "tkhd"), _at(data, (body, stop), "mdia/mdhd")
            rows.append(data[header[0] + 20 : header[0] + 24] + data[header[1] - 8 : header[1]])
            rows.append(data[clock[0] + 4 : clock[0] + 24] + data[clock[1] - 4 : clock[1]])
            for path in ("mdia/hdlr", "mdia/minf/stbl/stsd"):
                rows.append(data[slice(*_at(data, (body, stop), path))])
        elif kind in {b"udta", b"meta"}:
            rows.append(data[body:stop])
    return tuple(rows)


# a finished file


def _tables(data: bytes, start: int, end: int) -> Playing:
    tracks: Playing = {}
    (scale,) = _words(data, _clock(data, (start, end), "mvhd"), 1)
    for kind, body, stop in _boxes(data, start, end):
        if kind == b"trak":
            header = _at(data, (body, stop), "tkhd")[0]
            (number,) = _words(data, header + (20 if data[header] else 12), 1)
            (ticks,) = _words(data, _clock(data, (body, stop), "mdia/mdhd"), 1)
            table = _inside(data, *_at(data, (body, stop), "mdia/minf/stbl"))
            tracks[number] = _samples(data, table, _delay(data, _inside(data, body, stop), ticks, scale))
    return tracks


def _clock(data: bytes, place: tuple[int, int], path: str) -> int:
    """Where a header says its timescale: behind two times of 32 or 64 bits."""
    at = _at(data, place, path)[0]
    return at + (20 if data[at] else 12)


def _delay(data: bytes, track: dict[bytes, tuple[int, int]], ticks: int, scale: int) -> int:
    """How much later than its own zero a track is shown, in its ticks, as its edit list says."""
    if b"edts" not in track:
        return 0
    at = _at(data, track[b"edts"], "elst")[0]
    (count,) = _words(data, at + 4, 1)
    form, step = (">Qq", 20) if data[at] else (">Ii", 12)
    rows = [struct.unpack_from(form, data, at + 8 + n * step) for n in range(count)]
    empty = rows[0][0] if rows[0][1] == -1 else 0
    return empty * ticks // scale - (rows[1] if empty else rows[0])[1]


def _samples(data: bytes, table: dict[bytes, tuple[int, int]], delay: int) -> list[Shown]:
    at = table[b"stsz"][0]
    size, count = _words(data, at + 4, 2)
    if not count:
        return []
    if count > len(data):
        raise ValueError("more samples than bytes")
    sizes = [size] * count if size else list(_words(data, at + 12, count))
    places = _places(data, table, sizes)
    times = list(islice(accumulate(chain([delay], _runs(data, table[b"stts"][0]))), count))
    shifts = list(islice(_runs(data, table[b"ctts"][0], signed=True), count)) if b"ctts" in table else [0] * count
    marks = set(range(1, count + 1))
    if b"stss" in table:
        marks = set(_words(data, table[b"stss"][0] + 8, _words(data, table[b"stss"][0] + 4, 1)[0]))
    return [
        Shown(data[place : place + length], time, shift, number in marks)
        for number, (place, length, time, shift) in enumerate(zip(places, sizes, times, shifts, strict=False), 1)
    ]


def _runs(data: bytes, at: int, *, signed: bool = False) -> Iterator[int]:
    """A table of (count, value)."""
    (count,) = _words(data, at + 4, 1)
    for n in range(count):
        many, value = struct.unpack_from(">Ii" if signed else ">II", data, at + 8 + 8 * n)
        yield from repeat(value, many)


def _places(data: bytes, table: dict[bytes, tuple[int, int]], sizes: list[int]) -> Iterator[int]:
    """Where each sample lies: chunk by chunk, as many in each as stsc says."""
    wide = b"co64" in table
    at = table[b"co64" if wide else b"stco"][0]
    (count,) = _words(data, at + 4, 1)
    chunks = struct.unpack_from(f">{count}{'Q' if wide else 'I'}", data, at + 8)
    at = table[b"stsc"][0]
    (rows,) = _words(data, at + 4, 1)
    runs = [_words(data, at + 8 + 12 * n, 2) for n in range(rows)]
    ends = [first for first, _ in runs[1:]] + [count + 1]
    per = chain.from_iterable(repeat(many, end - first) for (first, many), end in zip(runs, ends, strict=True))
    sample = iter(sizes)
    for place, many in zip(chunks, per, strict=False):
        for _ in range(many):
            yield place
            place += next(sample)  # noqa: PLW2901


# a live file


def _fragment(data: bytes, start: int, end: int, tracks: Playing) -> bool:
    """Adds one fragment's samples; False when the file ends before they do."""
    for kind, body, stop in _boxes(data, start, end):
        if kind == b"traf" and not _traf(data, start - 8, _inside(data, body, stop), tracks):
            return False
    return True


def _traf(data: bytes, moof: int, parts: dict[bytes, tuple[int, int]], tracks: Playing) -> bool:
    at = parts[b"tfhd"][0]
    has, number = _words(data, at, 2)
    at += 8 + 8 * bool(has & 1) + 4 * bool(has & 2)
    default = {}
    for bit in (0x8, 0x10, 0x20):
        if has & bit:
            default[bit] = _words(data, at, 1)[0]
            at += 4
    at = parts[b"tfdt"][0]
    time = struct.unpack_from(">Q" if data[at] else ">I", data, at + 4)[0]
    at = parts[b"trun"][0]
    has, count, place = struct.unpack_from(">IIi", data, at)
    signed, has, place, at = bool(has >> 24), has & 0xFFFFFF, place + moof, at + 12
    first = None
    if has & 4:
        first, at = _words(data, at, 1)[0], at + 4
    for n in range(count):
        row = dict(default)
        for bit, same in ((0x100, 0x8), (0x200, 0x10), (0x400, 0x20), (0x800, 0x800)):
            if has & bit:
                row[same] = struct.unpack_from(">i" if bit == 0x800 and signed else ">I", data, at)[0]
                at += 4
        if n == 0 and first is not None:
            row[0x20] = first
        if place + row[0x10] > len(data):
            return False
        shown = Shown(data[place : place + row[0x10]], time, row.get(0x800, 0), not row[0x20] & 0x10000)
        tracks.setdefault(number, []).append(shown)
        place, time = place + row[0x10], time + row[0x8]
    return True
