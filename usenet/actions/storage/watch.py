"""The watch over the drives of a stack: what comes is mounted, what dies is taken away, and everybody is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from usenet.actions.storage import change
from usenet.actions.storage.relief import Relief
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts, signatures
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import guards, look, pulse, uevents, watching
from usenet.adapters.storage.uevents import Bell, Uevent
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.alerts import sentence
from usenet.domain.storage.converge import converge
from usenet.domain.storage.events import Kind, Turn, sights, turn
from usenet.domain.storage.steps import BindDirectory, MountDrive, Step, describe

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
    shelf = observe(home.require())
    seen = sights(shelf.drives, shelf.seen, _tokens(shelf))
    return _due(shelf, turn(watching.load(home).known, seen, time.time()))


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


class _Watch:
    """The loop, and what it keeps between two rounds."""

    def __init__(self, home: Home, tell: Tell) -> None:
        self.home, self.tell = home, tell
        self.bell: Bell
        self.memory = watching.load(home)
        self.relief = Relief(self.memory, self.say)
        self.table: tuple[Mounted, ...] = ()
        self.pulse = pulse.Pulse(self.answers)
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
        return not self.failures and (self._written() != self.written or self._unmounted() or bool(self.pulse.silent()))

    def _unmounted(self) -> bool:
        """Whether a drive that was there is mounted no more: the kernel's bell may ring while nobody listens."""
        there = (name for name, one in (self.memory.known or {}).items() if one.state == "there")
        targets = {f"{self.data}/drives/{name}" for name in there}
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
            shelf = self.look()
            next_ = self.note(shelf)
            if _due(shelf, next_):
                shelf = self.mend(next_.mount)
            self.follow(shelf)
            self.failures = 0
        except UsenetError as failure:
            if not self.failures:
                self.say(_line(failure.message, failure.hint))
            self.failures += 1
            self.again = time.time() + min(TICK * 2 ** (self.failures - 1), LONGEST)

    def look(self) -> Shelf:
        self.bell.begin()
        return observe(self.home)

    def mend(self, ready: Collection[str]) -> Shelf:
        """Take away what is dead, mount those of `ready`; the drives after that."""
        with files.lock(self.home.path, "storage watch"):
            waiting = set(self.memory.known or ()) - set(ready)
            done = change.apply(self.home, say=lambda step: self.say(describe(step)), leave=waiting)
        for finding in done.findings:
            if finding.drive in ready:
                self.say(_line(f"{finding.drive}: {finding.what}", finding.cure))
        shelf = self.look()
        self.note(shelf, tried=ready)
        return shelf

    def note(self, shelf: Shelf, tried: Collection[str] = ()) -> Turn:
        """Compare with what is remembered; what happened is remembered and told. `tried`: those just mounted."""
        next_ = turn(self.memory.known, sights(shelf.drives, shelf.seen, _tokens(shelf)), time.time(), tried)
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

    def follow(self, shelf: Shelf) -> None:
        """Feel the pulse of what is mounted now."""
        self.data, self.table = shelf.seen.data, mounts.look()
        held = {name: place.held for name, place in shelf.seen.places.items() if name in shelf.drives}
        devices = {name: one.source for name, one in held.items() if one and shelf.drives[name].uuid}
        self.pulse.follow(devices)

    def answers(self, name: str) -> bool:
        """Whether a mounted drive answers; in a thread of the pulse."""
        target = f"{self.data}/drives/{name}"
        rows = [row for row in self.table if row.mount.target == target]
        held = look.places(Path(self.data), {name: True}, rows)[name].held
        return bool(held and held.alive)


def _line(what: str, cure: str) -> str:
    return f"{what}; {cure}" if cure else what


def _tokens(shelf: Shelf) -> dict[str, str]:
    return pulse.tokens((*_devices(shelf), *(drive.path for drive in shelf.drives.values() if drive.path)))


def _devices(shelf: Shelf) -> list[str]:
    wanted = {drive.uuid for drive in shelf.drives.values()} - {""}
    return [one.device for one in shelf.seen.offers if one.uuid in wanted]


def _due(shelf: Shelf, next_: Turn) -> list[Step]:
    """The steps towards what usenet.yaml wants, without the drives that must wait."""
    steps = converge(shelf.drives, shelf.seen).steps
    return [step for step in steps if not isinstance(step, MountDrive | BindDirectory) or step.name in next_.mount]
