"""Which files move from which branch of a pool to which, so that all are about equally full."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


def plan(branches: Sequence[Branch], items: Iterable[Item], tolerance: float = TOLERANCE) -> tuple[Move, ...]:
    """Moves in their order: from those over the average to those below it, the largest files first, each file once.

    No branch gets more than the average with `tolerance`, nor loses what it keeps free; a file whose name is on the
    other branch already stays where it is.
    """
    if not (size := sum(one.size for one in branches)):
        return ()
    average = sum(one.used for one in branches) / size
    room = _Room(branches, average, tolerance)
    named: dict[str, set[str]] = {one.name: set() for one in branches}
    found: dict[str, list[Item]] = {one.name: [] for one in branches}
    for item in items:
        named[item.branch].update(item.paths)
        found[item.branch].append(item)
    order = sorted(branches, key=lambda one: (-one.used / one.size if one.size else 0, one.name))
    return tuple(move for branch in order for move in _off(branch, found[branch.name], room, named))


class _Room:
    """How full each branch is while the moves are chosen."""

    def __init__(self, branches: Sequence[Branch], average: float, tolerance: float) -> None:
        self.branches = {one.name: one for one in branches}
        self.used = {one.name: one.used for one in branches}
        self.ceiling = {one.name: min(int((average + tolerance) * one.size), one.size - one.kept) for one in branches}
        self.aim = {one.name: int(average * one.size) for one in branches}

    def over(self, name: str) -> int:
        """Bytes that a branch is over its share; 0 where it is near enough."""
        high = int(self.aim[name] + self.branches[name].size * TOLERANCE)
        return self.used[name] - self.aim[name] if self.used[name] > high else 0

    def target(self, item: Item, named: Mapping[str, Collection[str]]) -> str:
        """The emptiest branch that can take an item; empty where none can."""
        fit = (
            (self.used[name] / branch.size, name)
            for name, branch in self.branches.items()
            if name != item.branch
            and self.used[name] + item.size <= self.ceiling[name]
            and (branch.links or len(item.paths) == 1)
            and not any(path in named[name] for path in item.paths)
        )
        return min(fit, default=(0.0, ""))[1]


def _off(branch: Branch, items: Iterable[Item], room: _Room, named: dict[str, set[str]]) -> Iterator[Move]:
    for item in sorted(items, key=lambda one: (-one.size, one.paths)):
        over = room.over(branch.name)
        if not over:
            return
        if not 0 < item.size <= over or not (target := room.target(item, named)):
            continue
        room.used[branch.name] -= item.size
        room.used[target] += item.size
        named[branch.name].difference_update(item.paths)
        named[target].update(item.paths)
        yield Move(paths=item.paths, size=item.size, source=branch.name, target=target)
