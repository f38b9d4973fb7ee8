"""Everything that can be wrong with the storage of a stack, in one look; and what mends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from usenet.actions.storage import change, inside, layout, settling, unclean
from usenet.actions.storage.room import full
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import guards, tree
from usenet.domain import steps as preparing
from usenet.domain.binds import data_directories
from usenet.domain.errors import AS_ROOT, SystemFailure
from usenet.domain.steps import MakeDirectories
from usenet.domain.storage import checks, health, kinds
from usenet.domain.storage.checks import Entry, OwnBelow, Problem, Repair
from usenet.domain.storage.converge import Finding, converge
from usenet.domain.storage.intent import POOL
from usenet.domain.storage.pool import PoolSeen
from usenet.domain.storage.seen import within
from usenet.domain.storage.steps import Step, describe

Say = Callable[[str], None]
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is wrong, what could not be looked at, and what `fix` does about it."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    missing: MakeDirectories | None = None
    repairs: tuple[Repair, ...] = ()

    def lines(self) -> list[str]:
        """The plan for a person, in the order in which it is taken."""
        made = [preparing.describe(self.missing)] if self.missing else []
        return [*map(describe, self.steps), *made, *map(checks.describe, self.repairs)]


def look(home: Home, *, deep: bool = False, dry_run: bool = False) -> Checked:
    """Look at everything; nothing is changed but files in the data tree that are made and removed again.

    `deep`: at the owner of each file too, which takes as long as reading all directories. `dry_run`: not even those
    files are made, and a note says what was left out.
    """
    shelf = observe(home.require())
    table = mounts.look()
    there = settling.seen_of(shelf)
    planned, pool = converge(shelf.drives, shelf.seen), settling.planned(shelf, there)
    tree_problems, missing, repairs = _tree(shelf)
    deep_problems, below, late = _deep(shelf) if deep else ((), (), ())
    within, notes = inside.look(shelf, table, _usable(shelf), dry_run=dry_run)
    problems = (
        *checks.of_steps(planned, shelf.seen),
        *checks.of_steps(pool, shelf.seen),
        *checks.of_findings(unclean.of(shelf, shelf.drives)),
        *checks.of_findings(_full(shelf, there)),
        *checks.of_markers(shelf.drives, shelf.seen),
        *checks.of_mounts(_silent(shelf, table)),
        *tree_problems,
        *deep_problems,
        *within,
    )
    return Checked(
        problems=problems,
        notes=(*notes, *late),
        steps=(*planned.steps, *pool.steps),
        missing=missing,
        repairs=(*repairs, *below),
    )


def fix(home: Home, found: Checked, *, deep: bool = False, say: Say) -> Checked:
    """Mend what `found` says can be mended; what is wrong after that. SystemFailure: only root can."""
    plan = found.lines()
    if not plan:
        return found
    if os.geteuid() != 0:
        raise SystemFailure("only root can do this, nothing was changed", hint=AS_ROOT)
    with files.lock(home.path, "storage check --fix"):
        done = change.apply(home, say=lambda step: say(describe(step)))
        below = (one for one in found.repairs if isinstance(one, OwnBelow))
        shelf = observe(home)
        _, missing, repairs = _tree(shelf)  # with the drives that are mounted only now
        if missing:
            say(preparing.describe(missing))
            layout.make(missing)
        for repair in (*repairs, *below):
            say(checks.describe(repair))
            _repair(repair, shelf.seen.data)
    after = look(home, deep=deep)
    failed = (Problem(about=one.drive, what=one.what, cure=one.cure) for one in done.findings)
    return replace(after, problems=tuple(dict.fromkeys((*after.problems, *failed))))


def _full(shelf: Shelf, there: PoolSeen) -> Sequence[Finding]:
    """That the pool takes no new file, where that is so."""
    pool = shelf.settings.storage.pool
    return full(there.mounted.branches, pool.min_free) if pool and there.mounted and there.mounted.alive else ()


def _repair(repair: Repair, data: str) -> None:
    if isinstance(repair, OwnBelow):
        tree.own_below(repair.path, repair.uid, repair.gid, data=data)
    else:
        tree.own(repair.path, repair.uid, repair.gid, repair.mode, data=data)


def _usable(shelf: Shelf) -> tuple[str, ...]:
    """Drives that services write to now."""
    states = {name: health.state(drive, name, shelf.seen)[0] for name, drive in shelf.drives.items()}
    return tuple(name for name, state in states.items() if state == "mounted")


def _owned(shelf: Shelf) -> tuple[str, ...]:
    """Where the drives are on which each file has an owner."""
    return tuple(shelf.seen.target(n) for n in _usable(shelf) if kinds.owners(shelf.drives[n].type))


def _tree(shelf: Shelf) -> tuple[tuple[Problem, ...], MakeDirectories | None, tuple[Repair, ...]]:
    """Owner and mode of the data tree and of the roots of drives."""
    found: dict[str, Entry | None] = {}
    silent = []
    groups = (data_directories(shelf.seen.data), *((target,) for target in _owned(shelf)))
    for group, entries in zip(groups, _all(tree.look, groups), strict=True):
        if isinstance(entries, SystemFailure):
            silent.append(Problem(about=group[0], what="it does not answer", cure=f"look at: findmnt -T {group[0]}"))
        else:
            found |= entries
    problems, repairs = checks.of_directories(found, uid=shelf.seen.uid, gid=shelf.seen.gid, umask=shelf.seen.umask)
    absent = tuple(path for path, entry in found.items() if entry is None)
    make = MakeDirectories(absent, shelf.seen.uid, shelf.seen.gid, layout.MODE) if absent else None
    return (*silent, *problems), make, repairs


def _deep(shelf: Shelf) -> tuple[tuple[Problem, ...], tuple[OwnBelow, ...], tuple[str, ...]]:
    """What the user of the stack can't write to, below the data tree and on drives; and where nobody could look."""
    data, uid, gid = shelf.seen.data, shelf.seen.uid, shelf.seen.gid
    roots = tuple(
        path
        for path, entry in tree.look([f"{data}/{part}" for part in ("media", "torrents", "usenet")]).items()
        if entry
    )
    problems: list[Problem] = []
    repairs: list[OwnBelow] = []
    notes: list[str] = []
    wanted = (*roots, *_owned(shelf))
    for root, count in zip(wanted, _all(lambda path: tree.foreign(path, uid, gid, data=data), wanted), strict=True):
        if isinstance(count, SystemFailure):
            notes.append(f"{root}: nobody could look at each file: {count.message}")
        elif count:
            what = f"{count} files and directories below it can't be written to by user {uid}"
            problems.append(Problem(about=root, what=what, cure=f"{checks.FIX} --deep"))
            repairs.append(OwnBelow(path=root, uid=uid, gid=gid, entries=count))
    return tuple(problems), tuple(repairs), tuple(notes)


def _silent(shelf: Shelf, table: Sequence[Mounted]) -> Mapping[str, str]:
    """Mounts below the data root that are nobody's of the stack and are gone or don't answer."""
    own = {shelf.seen.data, *(shelf.seen.target(name) for name in (*shelf.drives, POOL))}
    rows = {row.mount.target: row for row in table if within(row.mount.target, shelf.seen.data)}
    others = [row for target, row in rows.items() if target not in own and row.source != guards.SOURCE]
    answers = _all(mounts.usage, [row.mount.target for row in others])
    return dict(_gone(others, answers))


def _gone(rows: Iterable[Mounted], answers: Iterable[object]) -> Iterator[tuple[str, str]]:
    for row, answer in zip(rows, answers, strict=True):
        if row.source.startswith("/dev/") and not Path(row.source).exists():
            yield row.mount.target, f"is of {row.source}, which is gone"
        elif isinstance(answer, SystemFailure):
            yield row.mount.target, f"({row.source}) does not answer"


def _all(ask: Callable[[_T], _R], of: Sequence[_T]) -> list[_R | SystemFailure]:
    """What each answers, all asked at once; the failure where one does not."""

    def one(what: _T) -> _R | SystemFailure:
        try:
            return ask(what)
        except SystemFailure as failure:
            return failure

    if not of:
        return []
    with ThreadPoolExecutor(min(len(of), 16)) as pool:
        return list(pool.map(one, of))
