"""Root folders of the services, and library paths of Jellyfin, made to fit the drives of the stack.

All services are asked first; then what is missing is added, and last what has to go is removed. When one of them
fails, what this run added is taken back, so that it is all or nothing. A run that is killed is finished by the next
one; what it added without writing that down is never removed by us.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from usenet.actions import catalog
from usenet.actions.storage.clients import Client, running
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.adapters.rest import Failure
from usenet.adapters.storage import roots as disk
from usenet.domain.binds import binds
from usenet.domain.errors import UsenetError
from usenet.domain.plan import Bind
from usenet.domain.storage import roots, spots
from usenet.domain.storage.roots import Add, Added, Difference, Has, Present, Remove
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.spots import Spot

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One changing request: what is sent where, about which path, and why."""

    service: str
    request: str
    path: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """Directories made, calls made, in a dry run those that would be; and what was left alone, with the reason.

    `off` and `asleep`: services that are not turned on, and those that are and don't run.
    """

    directories: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    off: tuple[str, ...] = ()
    asleep: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sync(home: Home, *, dry_run: bool = False, say: Say) -> Synced:
    """Let each service that runs know the drives for media; what was done.

    UsenetError when a service does not do it, in its own words: then nothing that this run added is left.
    """
    home.require()
    with nullcontext() if dry_run else files.lock(home.path, "storage sync"):
        return reconcile(home, dry_run=dry_run, say=say)


def reconcile(home: Home, *, dry_run: bool = False, say: Say, ends: float = math.inf) -> Synced:
    """The same for who holds the lock already. At `ends`, by time.monotonic(), whoever has not answered has failed."""
    shelf = observe(home)
    record = disk.remembered(home)
    places = spots.spots(shelf.drives, shelf.settings.storage.pool.drives if shelf.settings.storage.pool else ())
    if not places and not record:
        return Synced(notes=("no drive for media is in the stack; add one with: usenet storage add DRIVE",))
    found = running(home, shelf.settings, ends=ends)
    clients = found.clients
    has = {name: client.has() for name, client in clients.items()}
    has = _with_users(has, clients, record, places)
    mounted = [name for name, spot in places.items() if not spots.ready(name, spot, shelf.seen)]
    there = {name: disk.kinds_on(Path(shelf.seen.target(name))) for name in mounted}
    wanted = roots.wanted(places, shelf.seen, _views(shelf, clients), there)
    plan = roots.difference(wanted, has, record, places)
    missing = dict.fromkeys(add.root.host for add in plan.adds if add.root.kind not in there[add.root.drive])
    notes = (*(_keyless(name) for name in found.keyless), *plan.notes)
    told = Synced(
        directories=tuple(missing), calls=_calls(plan, clients), off=found.off, asleep=found.asleep, notes=notes
    )
    if not dry_run:
        _Run(home, shelf.seen, places, clients, list(plan.kept), say).carry_out(plan, tuple(missing))
    return told


def _keyless(name: str) -> str:
    where = "make an API key in its dashboard" if name == roots.READER else "its settings show an API key"
    return f"{name} is left out: {where}; put it into .env: {name.upper()}_API_KEY=…"


def _views(shelf: Shelf, clients: Mapping[str, Client]) -> dict[str, tuple[Bind, ...]]:
    known, _ = catalog.load(shelf.home.path)
    place, data = str(shelf.home.path), shelf.seen.data
    return {
        name: binds(name, known[name].service, shelf.settings, place, data, "", host=shelf.host) for name in clients
    }


def _with_users(
    has: Mapping[str, Has], clients: Mapping[str, Client], record: Sequence[Added], places: Mapping[str, Spot]
) -> dict[str, Has]:
    """The same, with what uses each path that would go; nobody is asked about the others."""
    found = dict(has)
    for one, present in roots.leaving(record, has, places).items():
        used = replace(present, used=clients[one.service].user(present))
        rest = (used if other == present else other for other in found[one.service].present)
        found[one.service] = replace(found[one.service], present=tuple(rest))
    return found


def _calls(plan: Difference, clients: Mapping[str, Client]) -> tuple[Call, ...]:
    adds = (
        Call(service=one.root.service, request=clients[one.root.service].shows(one), path=one.root.path,
             because=one.because)
        for one in plan.adds
    )  # fmt: skip
    removes = (
        Call(service=one.service, request=clients[one.service].shows(one.present), path=one.present.path,
             because=one.because)
        for one in plan.removes
    )  # fmt: skip
    return (*adds, *removes)


@dataclass(slots=True)
class _Run:
    """One run that changes something: what it added, and the record of everything that we ever added."""

    home: Home
    seen: Seen
    places: Mapping[str, Spot]
    clients: Mapping[str, Client]
    record: list[Added]
    say: Say
    made: list[tuple[Added, Add, Present]] = field(default_factory=list)

    def carry_out(self, plan: Difference, missing: Sequence[str]) -> None:
        """Make the directories and the calls; all of them, or none of those that add."""
        disk.remember(self.home, self.record)
        for path in missing:
            self.say(f"make {path}")
            drive = next(one.root.drive for one in plan.adds if one.root.host == path)
            disk.make(path, self.seen.uid, self.seen.gid, spots.mode(self.places[drive], self.seen))
        try:
            for add in plan.adds:
                self._add(add)
            for remove in plan.removes:
                self._remove(remove)
        except BaseException as failure:
            left = self._take_back()
            if isinstance(failure, UsenetError):
                raise _told(failure, len(self.made), left) from failure
            raise

    def _add(self, add: Add) -> None:
        root = add.root
        self.say(f"{root.service}: add {root.path}")
        one = Added(service=root.service, drive=root.drive, path=root.path)
        try:
            present = self.clients[root.service].add(add)
        except BaseException as failure:
            if not isinstance(failure, UsenetError) or (isinstance(failure, Failure) and failure.unclear):
                self.made.append((one, add, Present(id="", path=root.path)))
            raise
        if present:
            self.made.append((one, add, present))
            self._record([*self.record, one])

    def _remove(self, remove: Remove) -> None:
        self.say(f"{remove.service}: remove {remove.present.path}")
        self.clients[remove.service].remove(remove.present)
        gone = (remove.service, remove.present.path.rstrip("/"))
        self._record([one for one in self.record if (one.service, one.path) != gone])

    def _take_back(self) -> list[str]:
        """Remove what this run added, the last first; what could not be."""
        left = []
        for one, add, present in reversed(self.made):
            try:
                self._forget(one, add, present)
            except UsenetError:
                left.append(f"{one.service}: {one.path}")
        return left

    def _forget(self, one: Added, add: Add, present: Present) -> None:
        client = self.clients[one.service]
        if not present.id:  # nobody knows whether it was added
            same = [other for other in client.has().present if other.path.rstrip("/") == present.path]
            if not same:
                return
            present = same[0]
        self.say(f"{one.service}: take back {add.root.path}")
        client.remove(present)
        self._record([other for other in self.record if other != one])

    def _record(self, record: list[Added]) -> None:
        self.record = record
        disk.remember(self.home, record)


def _told(failure: UsenetError, made: int, left: Sequence[str]) -> UsenetError:
    """The failure, with what became of the rest of the run."""
    if left:
        rest = f"; added before that and still there: {', '.join(left)}"
    else:
        rest = "; what was added before that was taken back" if made else ""
    told = UsenetError(failure.message + rest, hint=failure.hint, where=failure.where)
    told.code = failure.code
    return told
