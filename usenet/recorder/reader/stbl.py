"""The sample tables of a progressive file: ISO/IEC 14496-12 §8.5 to §8.7, from stbl to columns."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from itertools import accumulate, chain, pairwise, repeat

from ..boxes.box import Box
from .samples import Samples
from .source import At, Source, name, packed

_TIMES = 1 << 62


def read(source: Source, stbl: Box, tables: Mapping[bytes, Box], entries: int) -> Samples:
    """All columns, and that the tables agree with each other on the number of samples and chunks."""
    found = Samples()
    _sizes(source, _one(stbl, tables, b"stsz", b"stz2"), found)
    _times(source, _one(stbl, tables, b"stts"), found)
    if b"ctts" in tables:
        _shifts(source, tables[b"ctts"], found)
    _chunks(source, stbl, tables, entries, found)
    if b"stss" in tables:
        _sync(source, tables[b"stss"], found)
    return found


def _one(stbl: Box, tables: Mapping[bytes, Box], *kinds: bytes) -> Box:
    for kind in kinds:
        if kind in tables:
            return tables[kind]
    raise At(stbl.start, f"box stbl has no {' or '.join(map(name, kinds))}")


def _head(source: Source, found: Box, length: int) -> bytes:
    if found.end - found.body < length:
        raise At(found.start, f"box {name(found.kind)} is too short")
    return source.read(found.body, length)


def _sizes(source: Source, found: Box, into: Samples) -> None:
    uniform, into.count = struct.unpack(">4xII", _head(source, found, 12))
    if into.count > source.size:
        raise At(found.start, f"box {name(found.kind)} has {into.count} samples, more than the file has bytes")
    if found.kind == b"stsz" and uniform:
        into.uniform = uniform
    elif found.kind == b"stsz":
        into.sizes = source.column(found, 12, into.count, "I")
    else:
        into.sizes = _compact(source, found, uniform & 0xFF, into.count)
    if into.length(0, into.count) > source.size:
        raise At(found.start, f"box {name(found.kind)} has samples that are longer together than the file")


def _compact(source: Source, found: Box, bits: int, count: int) -> array[int]:
    """stz2: 4, 8 or 16 bits a sample."""
    if bits not in (4, 8, 16):
        raise At(found.start, f"box stz2 has fields of {bits} bits")
    if bits > 4:
        return array("I", source.column(found, 12, count, {8: "B", 16: "H"}[bits]))
    halves = source.column(found, 12, (count + 1) // 2, "B")
    return array("I", list(chain.from_iterable((each >> 4, each & 15) for each in halves))[:count])


def _runs(source: Source, found: Box, fields: int) -> list[array[int]]:
    """The columns of a table whose rows have `fields` numbers."""
    (count,) = struct.unpack(">4xI", _head(source, found, 8))
    values = source.column(found, 8, count * fields, "I")
    return [values[each::fields] for each in range(fields)]


def _times(source: Source, found: Box, into: Samples) -> None:
    counts, deltas = _runs(source, found, 2)
    if sum(counts) != into.count:
        raise At(found.start, f"box stts has times for {sum(counts)} samples, there are {into.count}")
    spans = map(int.__mul__, counts, deltas)
    into.time_first = array("Q", accumulate(chain((0,), counts)))
    into.time_dts = packed("q", accumulate(chain((0,), spans)), found.start, "the times of box stts")
    if into.time_dts[-1] > _TIMES:
        raise At(found.start, "the times of box stts are beyond any time that a file can have")
    into.time_first.pop(), into.time_dts.pop()
    into.time_delta = deltas


def _shifts(source: Source, found: Box, into: Samples) -> None:
    counts, shifts = _runs(source, found, 2)
    if sum(counts) != into.count:
        raise At(found.start, f"box ctts has offsets for {sum(counts)} samples, there are {into.count}")
    into.shift_first = array("Q", accumulate(chain((0,), counts)))
    into.shift_first.pop()
    # Version 0 is unsigned in the letter; every player takes what is 2^31 or more for a negative offset.
    into.shift = array("q", array("i", shifts.tobytes()))


def _chunks(source: Source, stbl: Box, tables: Mapping[bytes, Box], entries: int, into: Samples) -> None:
    place = _one(stbl, tables, b"co64", b"stco")
    (count,) = struct.unpack(">4xI", _head(source, place, 8))
    offsets = source.column(place, 8, count, "Q" if place.kind == b"co64" else "I")
    runs = _one(stbl, tables, b"stsc")
    firsts, per, kinds = _runs(source, runs, 3)
    if bool(count) != bool(firsts) or (firsts and firsts[0] != 1):
        raise At(runs.start, "box stsc does not begin with the first chunk")
    if any(one >= two for one, two in pairwise(firsts)) or (firsts and firsts[-1] > count):
        raise At(runs.start, f"box stsc has chunks that do not follow each other, or more than {count}")
    if firsts and not (min(kinds) >= 1 and max(kinds) <= entries):
        raise At(runs.start, f"box stsc names a sample entry that is not one of {entries}")
    lengths = [two - one for one, two in pairwise(chain(firsts, (count + 1,)))] if firsts else []
    each = chain.from_iterable(map(repeat, per, lengths))
    into.chunk_first = packed("Q", accumulate(chain((0,), each)), runs.start, "the samples of box stsc")
    total = into.chunk_first.pop()
    if total != into.count:
        raise At(runs.start, f"box stsc places {total} samples, there are {into.count}")
    into.chunk_offset = array("Q", offsets)
    into.chunk_entry = array("I", chain.from_iterable(map(repeat, (kind - 1 for kind in kinds), lengths)))


def _sync(source: Source, found: Box, into: Samples) -> None:
    (count,) = struct.unpack(">4xI", _head(source, found, 8))
    numbers = source.column(found, 8, count, "I")
    if any(one >= two for one, two in pairwise(numbers)):
        raise At(found.start, "box stss has sync samples that do not rise")
    if numbers and (numbers[0] < 1 or numbers[-1] > into.count):
        raise At(found.start, f"box stss names sample {numbers[-1] if numbers[0] else 0}, there are {into.count}")
    into.sync = array("Q", (each - 1 for each in numbers))
