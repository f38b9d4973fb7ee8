"""Files of the pool moved until its drives are about equally full. A stop at any point is finished by the next run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import mounts
from usenet.adapters.home import Home
from usenet.adapters.storage import balancing, guards, journal, mergerfs, recovering
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.storage import balance as plans
from usenet.domain.storage import kinds
from usenet.domain.storage.balance import Branch, Move, Planned
from usenet.domain.storage.intent import POOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A file that stays where it is, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """What was moved or, in a dry run, would be; what was left; and what a person must look at."""

    moves: tuple[Move, ...]
    left: tuple[Left, ...] = ()
    notes: tuple[str, ...] = ()


def balance(home: Home, *, dry_run: bool = False, say: Callable[[Move], None]) -> Balanced:
    """Move files between the drives of the pool. ValidationError: there is no pool with two drives.

    SystemFailure: no room, a drive that fails, a copy that reads differently; what was moved before stays moved.
    """
    shelf = observe(home.require())
    if dry_run:
        planned = _plan(home, _roots(shelf))
        return Balanced(moves=planned.moves, notes=tuple(filter(None, (planned.why,))))
    if os.geteuid() != 0:
        raise SystemFailure("only root can move everybody's files", hint="run it with sudo")
    with balancing.alone(home):
        note = _recover(shelf)
        roots = _roots(shelf)
        done, left = [], []
        kept, sources = _kept(home), _sources(roots)
        planned = _plan(home, roots)
        for move in planned.moves:
            if _sources(roots) != sources:
                raise SystemFailure("a drive of the pool came or went", hint="run the same again")
            say(move)
            if why := balancing.move(move, roots, kept, home):
                left.append(Left(path=move.paths[0], why=why))
            else:
                done.append(move)
    return Balanced(moves=tuple(done), left=tuple(left), notes=tuple(filter(None, (note, planned.why))))


@contextmanager
def ended(shelf: Shelf) -> Iterator[None]:
    """Around what takes drives out of the pool: no balance runs, and what a stopped one left is ended.

    Where its drives are away or fail it stays written down, for the next balance. UsenetError: a balance runs; a file
    of the stopped one is open; a person must look.
    """
    with balancing.alone(shelf.home):
        with suppress(recovering.Unended):
            if journal.read(shelf.home) and (note := _recover(shelf)):
                raise SystemFailure(note, hint="then run the same again")
        yield


def _recover(shelf: Shelf) -> str:
    """End what a stopped balance left, whether its drives are in the pool now or not."""
    held = {name: place.held for name, place in shelf.seen.places.items() if name in shelf.drives}
    there = [name for name, one in held.items() if one and one.alive and not one.read_only]
    roots = {name: Path(shelf.seen.target(name)) for name in there}
    return recovering.recover(shelf.home, roots, shelf.drives)


def _roots(shelf: Shelf) -> dict[str, Path]:
    """The drives that are in the mounted pool and are written to."""
    pool = shelf.settings.storage.pool
    there = mergerfs.look(Path(shelf.seen.target(POOL)), mounts.look()).mounted
    if not pool or not there or not there.alive:
        raise ValidationError("there is no pool that runs", hint="see: usenet storage pool show")
    here = {name: f"{shelf.seen.target(name)}=RW" for name in pool.drives}
    roots = {name: Path(shelf.seen.target(name)) for name, branch in here.items() if branch in there.branches}
    if len(roots) < 2:
        raise ValidationError("the pool has fewer than two drives to write to", hint="see: usenet storage pool show")
    return roots


def _sources(roots: dict[str, Path]) -> list[str]:
    """What is mounted at each drive's place; cheap enough to be asked before each file."""
    return [guards.uppermost(root) for root in roots.values()]


def _kept(home: Home) -> int:
    pool = observe(home).settings.storage.pool
    return pool.min_free if pool else 0


def _plan(home: Home, roots: dict[str, Path]) -> Planned:
    shelf = observe(home)
    kept = _kept(home)
    branches = []
    for name, root in roots.items():
        size, _, free = mounts.usage(str(root))
        linked = kinds.hardlinks(shelf.drives[name].type)
        branches.append(Branch(name=name, size=size, used=size - free, kept=kept, links=linked))
    return plans.plan(branches, [item for name, root in roots.items() for item in balancing.look(root, name)])
