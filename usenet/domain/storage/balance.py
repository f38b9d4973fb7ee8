"""Which files move from which branch of a pool to which, so that all are about equally full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

TOLERANCE = 0.02  # of a branch's size: so near to the average, a branch is left alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A drive of the pool. `kept`: bytes that stay free on it; `links`: two names can be one file on it."""

    name: str
    size: int
    used: int
    kept: int = 0
    links: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file with all its names on one branch, which only move together."""

    branch: str
    paths: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One file, with all its names, from one branch to another."""

    paths: tuple[str, ...]
    size: int
    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Moves in their order. `why`: why drives stay that are fuller than the others; empty where none does."""

    moves: tuple[Move, ...]
    why: str = ""


def plan(branches: Sequence[Branch], items: Iterable[Item]) -> Planned:
    """Move from those over the average to the others, each file once, until all are about equally full.

    First the largest files for which the new branch stays below the average with the tolerance; where that is not
    enough, those after which the two are more alike than before. No branch loses what it keeps free; a file whose
    name is on the other branch already stays where it is.
    """
    if not (size := sum(one.size for one in branches)):
        return Planned(moves=())
    room = _Room(branches, sum(one.used for one in branches) / size, items)
    full = sorted(filter(room.over, room.branches), key=lambda name: (-room.fill(name), name))
    moves = [move for name in full for move in _exact(name, room)]
    moves += [move for name in full for move in _rough(name, room)]
    return Planned(moves=tuple(moves), why=room.why())


class _Room:
    """How full each branch is, and which files are on it, while the moves are chosen."""

    def __init__(self, branches: Sequence[Branch], average: float, items: Iterable[Item]) -> None:
        self.average = average
        self.branches = {one.name: one for one in branches}
        self.used = {one.name: one.used for one in branches}
        self.named: dict[str, set[str]] = {one.name: set() for one in branches}
        self.items: dict[str, list[Item]] = {one.name: [] for one in branches}
        for item in sorted(items, key=lambda one: (-one.size, one.paths)):
            self.named[item.branch].update(item.paths)
            self.items[item.branch].append(item)

    def fill(self, name: str, more: int = 0) -> float:
        size = self.branches[name].size
        return (self.used[name] + more) / size if size else 0.0

    def over(self, name: str) -> int:
        """Bytes that a branch is over its share; 0 where it is near enough."""
        share = int(self.average * self.branches[name].size)
        return self.used[name] - share if self.fill(name) > self.average + TOLERANCE else 0

    def targets(self, item: Item) -> Iterator[str]:
        """The branches that can take an item, the emptiest first."""
        for name in sorted(self.branches, key=lambda name: (self.fill(name), name)):
            branch = self.branches[name]
            fits = self.used[name] + item.size <= branch.size - branch.kept and (branch.links or len(item.paths) == 1)
            if name != item.branch and fits and not self.named[name].intersection(item.paths):
                yield name

    def move(self, item: Item, target: str) -> Move:
        source = item.branch
        self.used[source] -= item.size
        self.used[target] += item.size
        self.named[source].difference_update(item.paths)
        self.named[target].update(item.paths)
        self.items[source].remove(item)
        return Move(paths=item.paths, size=item.size, source=source, target=target)

    def why(self) -> str:
        full = [f"{name} ({self.fill(name):.0%})" for name in self.branches if self.over(name)]
        if not full:
            return ""
        return (
            f"fuller than the pool ({self.average:.0%}) stays: {', '.join(full)}. None of its files can go to another "
            "drive: it is too large, its name is there already, or not all of its names are on its drive"
        )


def _exact(branch: str, room: _Room) -> Iterator[Move]:
    """The files of a branch with which none passes the average."""
    for item in tuple(room.items[branch]):
        if not (over := room.over(branch)):
            return
        low = (name for name in room.targets(item) if room.fill(name, item.size) <= room.average + TOLERANCE)
        if 0 < item.size <= over and (target := next(low, "")):
            yield room.move(item, target)


def _rough(branch: str, room: _Room) -> Iterator[Move]:
    """One file after the other with which a branch and the emptiest become more alike, the best first."""
    while room.over(branch):
        best = min(_closer(branch, room), key=lambda one: one[0], default=None)
        if not best:
            return
        yield room.move(*best[1:])


def _closer(branch: str, room: _Room) -> Iterator[tuple[float, Item, str]]:
    """How far a branch and another are apart after the move of each file for which that is less than now."""
    for item in room.items[branch]:
        if item.size and (target := next(room.targets(item), "")):
            apart = abs(room.fill(branch, -item.size) - room.fill(target, item.size))
            if apart < room.fill(branch) - room.fill(target) - TOLERANCE:
                yield apart, item, target
