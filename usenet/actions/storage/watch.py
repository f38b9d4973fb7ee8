"""The watch over the drives of a stack: what comes is mounted, what dies is taken away, and everybody is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from usenet.actions.storage import change, settling, unclean
from usenet.actions.storage.relief import Relief
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts, signatures
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import guards, look, mergerfs, pulse, uevents, watching
from usenet.adapters.storage.uevents import Bell, Uevent
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage import pool as pools
from usenet.domain.storage.alerts import sentence
from usenet.domain.storage.converge import converge
from usenet.domain.storage.events import Kind, Sight, Turn, sights, turn
from usenet.domain.storage.intent import POOL
from usenet.domain.storage.pool import PoolSeen
from usenet.domain.storage.steps import BindDirectory, MountDrive, MountPool, Step, describe
from usenet.domain.storage.waiting import needed

LONGEST = 60.0
TICK = 1.0  # seconds between two looks at the pulse of the drives


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One line of the log; `event` and `drive` are empty for what is no event of a drive."""

    at: float
    text: str
    event: Kind | str = ""
    drive: str = ""


Tell = Callable[[News], None]


def preview(home: Home) -> Sequence[Step]:
    """What a watch that begins now would do at once."""
    now = _now(home.require())
    return _due(now, turn(watching.load(home).known, _sights(now), time.time()))


def watch(home: Home, tell: Tell) -> NoReturn:
    """Watch until the process is ended. UsenetError: another watches already; SystemFailure: nothing can be heard.

    What fails on the way is told and tried again; nothing ends the loop.
    """
    shelf = observe(home.require())
    if os.geteuid() != 0:
        raise SystemFailure("only root can watch the drives: it mounts them", hint="run it with sudo")
    with watching.alone(home):
        loop = _Watch(home, tell)
        with uevents.listen(shelf.seen.data, loop.concerns) as bell:
            loop.run(bell)


@dataclass(frozen=True, slots=True)
class _Now:
    """One look: the drives, and what there is of the pool."""

    shelf: Shelf
    pool: PoolSeen


class _Watch:
    """The loop, and what it keeps between two rounds."""

    def __init__(self, home: Home, tell: Tell) -> None:
        self.home, self.tell = home, tell
        self.bell: Bell
        self.memory = watching.load(home)
        self.relief = Relief(self.memory, self.say)
        self.table: tuple[Mounted, ...] = ()
        self.pulse = pulse.Pulse(self.answers)
        self.asked: dict[str, str] = {}
        self.pool = mergerfs.Pulse()
        self.dead: set[str] = set()
        self.data = ""
        self.uuids: frozenset[str] = frozenset()
        self.devices: frozenset[str] = frozenset()
        self.written = 0.0
        self.again: float | None = None
        self.failures = 0

    def say(self, text: str) -> None:
        self.tell(News(at=time.time(), text=text))

    def run(self, bell: Bell) -> NoReturn:
        self.bell = bell
        self.round()
        self.say("watching")
        while True:
            if bell.wait(TICK) or self.due():
                self.round()

    def concerns(self, event: Uevent) -> bool:
        """Whether a device is one of the stack's, or became one; a look at all of them costs fifty times as much."""
        if not event.device or event.device in self.devices:
            return True
        try:
            return event.action != "remove" and signatures.probe(event.device).uuid in self.uuids
        except SystemFailure:  # nobody knows, so look
            return True

    def due(self) -> bool:
        """Whether there is a reason to look though nothing rang: a silent death, a time that came, a new intent."""
        if self.again is not None and self.again <= time.time():
            return True
        if self.failures:
            return False
        self.dead |= self.pulse.silent()
        return bool(self.dead) or self.pool.silent() or self._written() != self.written or self._unmounted()

    def _there(self) -> dict[str, str]:
        """What was there at the last look, the pool too: name → where."""
        return {n: f"{self.data}/drives/{n}" for n, one in (self.memory.known or {}).items() if one.state == "there"}

    def _unmounted(self) -> bool:
        """Whether a drive that was there is mounted no more: the kernel's bell may ring while nobody listens."""
        targets = set(self._there().values())
        return bool(targets) and not targets <= guards.mounted().keys()

    def _written(self) -> float:
        try:
            return self.home.settings.stat().st_mtime
        except OSError:
            return 0.0

    def round(self) -> None:
        """Look, do what is to be done, and tell. A failure is told once, and tried again later and later."""
        self.written = self._written()
        try:
            now = self.look()
            next_ = self.note(now)
            for _ in range(2):  # the pool can be mounted once its drives are
                if _due(now, next_):
                    self.warn(now.shelf, next_.mount)
                    now, next_ = self.mend(next_.mount)
            self.follow(now.shelf)
            self.expect(now.shelf)
            self.failures = 0
        except (UsenetError, OSError) as failure:
            if not self.failures:
                self.say(_line(failure.message, failure.hint) if isinstance(failure, UsenetError) else f"{failure}")
            self.failures += 1
            self.again = time.time() + min(TICK * 2 ** (self.failures - 1), LONGEST)

    def look(self) -> _Now:
        self.bell.begin()
        return _now(self.home, self.dead)

    def warn(self, shelf: Shelf, ready: Collection[str]) -> None:
        """Tell of drives that were left in the middle of writing, once for each plugging in."""
        known = self.memory.known or {}
        for finding in unclean.of(shelf, [name for name in ready if name in known and not known[name].tries]):
            self.say(_line(f"{finding.drive}: {finding.what}", finding.cure))

    def mend(self, ready: Collection[str]) -> tuple[_Now, Turn]:
        """Take away what is dead, mount those of `ready`; what is there after that, and what follows."""
        with files.lock(self.home.path, "storage watch"):
            waiting = set(self.memory.known or ()) - set(ready)
            done = change.apply(self.home, say=lambda step: self.say(describe(step)), leave=waiting, dead=self.dead)
        self.dead.clear()  # they are taken away
        for finding in done.findings:
            if finding.drive in ready:
                self.say(_line(f"{finding.drive}: {finding.what}", finding.cure))
        now = self.look()
        return now, self.note(now, tried=ready)

    def note(self, now: _Now, tried: Collection[str] = ()) -> Turn:
        """Compare with what is remembered; what happened is remembered and told. `tried`: those just mounted."""
        shelf, next_ = now.shelf, turn(self.memory.known, _sights(now), time.time(), tried)
        with self.memory.change():
            self.memory.known = next_.known
            self.memory.events += next_.events
        for event in next_.events:
            self.tell(News(at=event.at, text=sentence(event), event=event.kind, drive=event.drive))
        self.again = next_.again
        held = (place.held.source for place in shelf.seen.places.values() if place.held)
        self.uuids = frozenset(drive.uuid for drive in shelf.drives.values()) - {""}
        self.devices = frozenset((*held, *_devices(shelf)))
        self.relief.look(shelf)
        return next_

    def expect(self, shelf: Shelf) -> None:
        """After a start of the machine, which starts containers by itself: who needs a drive that is away waits."""
        memory, boot = self.memory, pulse.boot()
        start = bool(memory.boot) and memory.boot != boot
        names = needed(shelf.settings.storage) if start else memory.awaited
        awaited = sorted(name for name, one in (memory.known or {}).items() if name in names and one.state != "there")
        changed = awaited != memory.awaited
        with memory.change():
            memory.boot, memory.awaited = boot, awaited
        if changed:
            self.relief.look(shelf)

    def follow(self, shelf: Shelf) -> None:
        """Feel the pulse of what is mounted now."""
        self.data, self.table = shelf.seen.data, mounts.look()
        self.dead.clear()
        held = {name: place.held for name, place in shelf.seen.places.items() if name in shelf.drives}
        self.asked = {n: one.source if shelf.drives[n].uuid else "" for n, one in held.items() if one}
        self.pulse.follow(self.asked, [name for name, one in held.items() if one and one.unsure])
        self.pool = mergerfs.Pulse(self._there().get(POOL, ""))

    def answers(self, name: str) -> bool:
        """Whether a mounted drive answers; in a thread of the pulse."""
        target = f"{self.data}/drives/{name}"
        rows = [row for row in self.table if row.mount.target == target]
        held = look.places(Path(self.data), {name: bool(self.asked.get(name))}, rows)[name].held
        return bool(held and held.alive)


def _line(what: str, cure: str) -> str:
    return f"{what}; {cure}" if cure else what


def _now(home: Home, dead: Collection[str] = ()) -> _Now:
    shelf = observe(home, wake=False, dead=dead)
    return _Now(shelf, settling.seen_of(shelf) if settling.concerns(shelf) else PoolSeen())


def _sights(now: _Now) -> dict[str, Sight]:
    """Each drive, and the pool as if it were one: what crashes is lost, and what crashes often waits."""
    shelf, wanted = now.shelf, now.shelf.settings.storage.pool
    tokens = pulse.tokens((*_devices(shelf), mergerfs.FUSE), shelf.seen.directories)
    found = sights(shelf.drives, shelf.seen, tokens)
    if wanted:
        found[POOL] = pools.sight(wanted, shelf.drives, shelf.seen, now.pool, tokens.get(mergerfs.FUSE, ""))
    return found


def _devices(shelf: Shelf) -> list[str]:
    wanted = {drive.uuid for drive in shelf.drives.values()} - {""}
    return [one.device for one in shelf.seen.offers if one.uuid in wanted]


def _due(now: _Now, next_: Turn) -> list[Step]:
    """The steps towards what usenet.yaml wants, without the drives that must wait."""
    steps = converge(now.shelf.drives, now.shelf.seen).steps
    due = [step for step in steps if not isinstance(step, MountDrive | BindDirectory) or step.name in next_.mount]
    pool = settling.planned(now.shelf, now.pool).steps
    return [*due, *(step for step in pool if not isinstance(step, MountPool) or POOL in next_.mount)]
