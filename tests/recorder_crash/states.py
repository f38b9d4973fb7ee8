"""Every content that a drive may legally have after its power was cut: which un-synced sectors and names made it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .memory import Op

SHORT, AHEAD, STALE = 0, 1, 2
"""A file's end after the cut: where its bytes end; where it was meant to end, zeros between; or old blocks between."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to go at each call: up to 2^`exhaustive` subsets of a file's sectors, else prefixes, suffixes, one lost,
    one only and `random` more; all combinations of all files, or `most` of them."""

    exhaustive: int = 8
    random: int = 12
    most: int = 1000


class Fate(NamedTuple):
    """What became of one file: bit n of `kept` says that its n-th un-synced atom was written."""

    kept: int
    end: int


class Pick(NamedTuple):
    """One state: how many changes of names were kept, and each un-synced file's fate."""

    names: int
    fates: tuple[tuple[int, Fate], ...]

    def __str__(self) -> str:
        return f"{self.names}" + "".join(f",{inode}:{fate.kept:x}:{fate.end}" for inode, fate in self.fates)

    @classmethod
    def parse(cls, text: str) -> Pick:
        names, *fates = text.split(",")
        parts = [fate.split(":") for fate in fates]
        return cls(int(names), tuple((int(i), Fate(int(kept, 16), int(end))) for i, kept, end in parts))


Atom = tuple[str, int, bytes | int]


@dataclass(slots=True)
class _File:
    """One inode: what is durable, what it looks like now, and the atoms between the two."""

    durable: bytes = b""
    now: bytearray = field(default_factory=bytearray)
    atoms: list[Atom] = field(default_factory=list)
    path: str = ""
    allocated: int = 0  # up to here its blocks were set apart, and read as zeros until they are written


class Drive:
    """A drive that is fed a log, call by call, and can say at any time what a power cut would leave.

    `stale` are the bytes of an older file that lay where a path's new blocks lie now.
    """

    def __init__(self, files: Mapping[str, bytes], sector: int, stale: Mapping[str, bytes] | None = None) -> None:
        self.sector = sector
        self.stale = dict(stale or {})
        self.files = {number: _File(data, bytearray(data)) for number, data in enumerate(files.values(), 1)}
        self.names = {name: number for number, name in enumerate(files, 1)}
        self.changes: list[Op] = []

    def feed(self, op: Op) -> None:
        """What one call does to what is there and to what would be left of it."""
        if op.kind == "new":
            self.files[op.inode] = _File(path=op.name)
        if op.kind in ("new", "rename", "unlink"):
            self.changes.append(op)
        elif op.kind == "nothing":
            return
        elif op.kind == "syncdir":
            self.names, self.changes = self._named(len(self.changes)), []
        else:
            self._change(self.files[op.inode], op)

    def _change(self, file: _File, op: Op) -> None:
        if op.kind == "sync":
            file.durable, file.atoms = bytes(file.now), []
            return
        if op.kind == "allocate":
            file.allocated = max(file.allocated, op.offset + op.length)
        for atom in self._atoms(op, file.now):
            file.atoms.append(atom)
            _apply(file.now, atom)

    def _atoms(self, op: Op, now: bytearray) -> Iterator[Atom]:
        """A write by sectors. Zeros where nothing else was, a slot's padding, are one atom: they change nothing."""
        if op.kind != "write":
            yield op.kind, op.offset, op.length
            return
        start, zeros = op.offset, b""
        while start < op.offset + len(op.data):
            end = min(start - start % self.sector + self.sector, op.offset + len(op.data))
            piece = op.data[start - op.offset : end - op.offset]
            if not any(piece) and not any(now[start:end]):
                zeros += piece
            else:
                if zeros:
                    yield "write", start - len(zeros), zeros
                    zeros = b""
                yield "write", start, piece
            start = end
        if zeros:
            yield "write", start - len(zeros), zeros

    def _named(self, count: int) -> dict[str, int]:
        names = dict(self.names)
        for op in self.changes[:count]:
            if op.kind == "new":
                names[op.name] = op.inode
            else:
                inode = names.pop(op.name)
                if op.kind == "rename":
                    names[op.new] = inode
        return names

    # what a cut leaves

    def picks(self, limits: Limits, rng: random.Random) -> Iterator[Pick]:
        """The states to look at now, the two extremes first; some more than once."""
        fates = {i: _fates(file, limits, rng) for i, file in sorted(self.files.items()) if file.atoms}
        last = len(self.changes)
        count = last + 1
        for each in fates.values():
            count *= len(each)
        return _product(fates, last) if count <= limits.most else _varied(fates, last, limits, rng)

    def kept(self) -> Pick:
        """The state in which nothing was lost."""
        whole = {i: Fate((1 << len(file.atoms)) - 1, SHORT) for i, file in self.files.items() if file.atoms}
        return Pick(len(self.changes), tuple(whole.items()))

    def content(self, pick: Pick) -> dict[str, bytes]:
        """The files that a pick leaves, by path."""
        fates = dict(pick.fates)
        return {
            name: self._left(inode, fates.get(inode, Fate(0, SHORT))) for name, inode in self._named(pick.names).items()
        }

    def _left(self, inode: int, fate: Fate) -> bytes:
        file = self.files[inode]
        stale = self.stale.get(file.path, b"") if fate.end == STALE else b""
        stale = bytes(min(len(stale), file.allocated)) + stale[file.allocated :]
        left = bytearray(file.durable)
        for number, atom in enumerate(file.atoms):
            if fate.kept >> number & 1:
                _apply(left, atom, stale)
        if fate.end != SHORT and len(left) < len(file.now):
            _extend(left, len(file.now), stale)
        return bytes(left)


def _apply(left: bytearray, atom: Atom, stale: bytes = b"") -> None:
    kind, offset, what = atom
    if isinstance(what, bytes):
        _extend(left, offset, stale)
        left[offset : offset + len(what)] = what
    elif kind == "truncate":
        del left[offset:]
        _extend(left, offset, b"")
    elif kind == "allocate":
        _extend(left, offset + what, b"")
    else:
        end = min(len(left), offset + what)
        left[offset:end] = bytes(max(0, end - offset))


def _extend(left: bytearray, size: int, stale: bytes) -> None:
    """Up to `size`: with the old blocks, where there are any, else zeros."""
    if size > len(left):
        left.extend(stale[len(left) : size])
        left.extend(bytes(size - len(left)))


def _fates(file: _File, limits: Limits, rng: random.Random) -> list[Fate]:
    """All lost first, all kept second."""
    kept = _subsets(len(file.atoms), limits, rng)
    ends = (SHORT, AHEAD, STALE) if any(kind != "punch" for kind, _, _ in file.atoms) else (SHORT,)
    return [Fate(mask, end) for end in ends for mask in kept]


def _subsets(count: int, limits: Limits, rng: random.Random) -> list[int]:
    """Which of `count` atoms were kept, as bits: none and all first."""
    full = (1 << count) - 1
    found = dict.fromkeys([0, full])
    if count <= limits.exhaustive:
        found |= dict.fromkeys(range(full + 1))
        return list(found)
    for n in range(count):
        found |= dict.fromkeys([(1 << n) - 1, full ^ ((1 << n) - 1), full ^ (1 << n), 1 << n])
    found |= dict.fromkeys(rng.getrandbits(count) for _ in range(limits.random))
    return list(found)


def _product(fates: dict[int, list[Fate]], last: int) -> Iterator[Pick]:
    combined: list[tuple[tuple[int, Fate], ...]] = [()]
    for inode, each in fates.items():
        combined = [(*before, (inode, fate)) for fate in each for before in combined]
    yield Pick(0, combined[0])
    yield Pick(last, tuple((inode, each[1]) for inode, each in fates.items()))
    yield from (Pick(names, one) for one in combined for names in range(last + 1))


def _varied(fates: dict[int, list[Fate]], last: int, limits: Limits, rng: random.Random) -> Iterator[Pick]:
    """First one file alone: all that may become of it while the others are lost, kept or anyhow. Then all anyhow."""
    lost = {inode: each[0] for inode, each in fates.items()}
    kept = {inode: each[1] for inode, each in fates.items()}
    yield Pick(0, tuple(lost.items()))
    yield Pick(last, tuple(kept.items()))
    left = limits.most - 2
    single = [(inode, fate, rest) for inode, each in fates.items() for fate in each for rest in range(3)]
    if len(single) > left // 2:
        single = rng.sample(single, left // 2)
    for inode, fate, rest in single:
        others = (lost, kept, {i: rng.choice(each) for i, each in fates.items()})[rest]
        yield Pick(rng.choice((0, last, rng.randint(0, last))), tuple((others | {inode: fate}).items()))
    for _ in range(left - len(single)):
        yield Pick(rng.randint(0, last), tuple((i, rng.choice(each)) for i, each in fates.items()))
