"""The stack's verbs and steps on a machine in memory, as the adapters take them on a real one.

Every verb is a walk of single operations, so that it can be killed between any two.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from typing import Any

from tests.unit.storage_kernel import DATA, DRIVES, HIDDEN, STACK, Directory, Disk, Kernel, Refused, known
from usenet.domain.errors import ValidationError
from usenet.domain.host import Filesystem
from usenet.domain.storage import adding
from usenet.domain.storage.converge import Converged, converge, drive_of, mark, unmark
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, read, text
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Guard,
    Mark,
    MountDrive,
    Persist,
    Share,
    Step,
    Unmark,
    Unmount,
)


class Machine(Kernel):
    """A machine on which this stack takes its steps."""

    # --- what the verbs do, one operation at a time ---

    def add(self, uuid: str, name: str, *, read_only: bool = False, adopt: bool = False) -> Iterator[None]:
        seen = self.seen()
        offer = adding.find(uuid, seen.offers)
        assert offer is not None
        (found,) = [one for one, (device, _) in self.devices.items() if device == offer.device]
        new = adding.settings(offer, "media", read_only=read_only)
        yield from self._join(name, new, found, seen, adopt=adopt)

    def add_directory(self, path: str, name: str) -> Iterator[None]:
        if not self.directories[path].served:
            raise ValidationError(f"{path} is empty")
        held = Filesystem(source="nas:/films", type="nfs4")
        seen = self.seen()
        adding.check_directory(path, seen, "/home/anna/stack", self.settings, held)
        new = DriveSettings(path=path, type="nfs4")
        yield from self._join(name, new, self.directories[path], seen, adopt=False)

    def _join(
        self, name: str, new: DriveSettings, what: Disk | Directory, seen: Seen, *, adopt: bool
    ) -> Iterator[None]:
        adding.joined(self.settings, name, new)
        adding.check_marker(read(what.marker), STACK, name, adopt=adopt)
        self.sweep()
        marked = mark(name, new, seen)
        if marked and read(marked.marker) != read(what.marker):
            yield from self.take(marked)
        self.settings = {**self.settings, name: new}
        yield
        yield from self.apply()

    def remove(self, name: str) -> Iterator[None]:
        seen = self.seen()
        held, own = seen.places[name].held, mark(name, self.settings[name], seen)
        uuid = self.settings[name].uuid
        self.sweep()
        if held and held.alive:
            yield from self.take(Unmount(target=seen.target(name)))
        self.settings = {one: drive for one, drive in self.settings.items() if one != name}
        yield
        ours = held and held.alive and held.marker and held.marker.whose == (STACK, uuid)
        if held and ours and not held.read_only and own:
            yield from self.take(unmark(own))
        yield from self.apply()

    def apply(self) -> Iterator[None]:
        """Take the steps. What is refused for one drive stops its steps, and no other's."""
        wrong: set[str] = set()
        seen = self.seen()
        self.sweep()
        for step in converge(self.settings, seen).steps:
            name = drive_of(step, seen)
            if name not in wrong:
                try:
                    yield from self.take(step)
                except Refused:
                    wrong.add(name)

    def sweep(self) -> None:
        """Take away what a killed run left out of sight."""
        for one in [one for one in self.mounts if one.target.startswith(HIDDEN)]:
            self.unmount(one.target, lazy=True)

    def planned(self) -> Converged:
        return converge(self.settings, self.seen())

    def take(self, step: Step) -> Iterator[None]:
        """One step as the adapters take it."""
        match step:
            case Share():
                assert step.path == DATA
                self.bound = True
                yield
                self.share_now = True
            case Guard(path=path):
                assert path.startswith(DRIVES), step
                self.made.add(path)
                yield
                self.guard(path)
            case Mark() | Unmark():
                yield from self._out_of_sight(step)
            case MountDrive() | BindDirectory():
                yield from self._shown(step)
            case Unmount(target=target):
                self.unmount(target)
            case Detach(target=target):
                while self.top(target):
                    self.unmount(target, lazy=True)
            case Persist(lines=lines):
                self.lines = lines
        yield

    def _hide(self, step: Mark | Unmark | MountDrive | BindDirectory) -> Iterator[None]:
        """Mount out of sight; what a killed run left there goes first."""
        place = HIDDEN + step.name
        while self.top(place):
            self.unmount(place)
        yield
        if isinstance(step, BindDirectory) or (isinstance(step, Mark | Unmark) and not step.type):
            self.bind(step.source, place, read_only=isinstance(step, BindDirectory) and step.read_only)
        else:
            device = step.device if isinstance(step, MountDrive) else step.source
            self.mount(device, place, step.type, read_only="ro" in step.options)
        yield

    def _out_of_sight(self, step: Mark | Unmark) -> Iterator[None]:
        place = HIDDEN + step.name
        yield from self._hide(step)
        one = self.top(place)
        try:
            if one is None or one.read_only or one.empty or (isinstance(one.of, Disk) and one.of.full_or_dying):
                raise Refused(f"{place}: can't be written")
            there, wanted = known(one.of.marker), known(step.marker)
            if isinstance(step, Mark):
                one.of.marker = step.marker
            elif there and wanted and there.whose == wanted.whose:
                one.of.marker = ""
        except Refused:
            self.unmount(place)
            raise
        yield
        self.unmount(place)

    def _shown(self, step: MountDrive | BindDirectory) -> Iterator[None]:
        place = HIDDEN + step.name
        yield from self._hide(step)
        one = self.top(place)
        found = known(one.of.marker) if one and not one.empty else None
        wanted = read(step.marker)
        if one is None or (wanted and (found is None or found.whose != wanted.whose)):
            self.unmount(place)
            raise Refused(f"{step.name}: the marker is not its own")
        if not self.top(step.target):
            drive = self.settings[step.name]
            assert step.target == DRIVES + step.name
            assert drive.read_only or found, f"{step.name} is shown for writing, and nobody knows whose it is"
            assert (drive.uuid or drive.path) == (one.of.uuid if isinstance(one.of, Disk) else one.of.path)
            self.bind(place, step.target, read_only=one.read_only)
        yield
        self.unmount(place)

    def state(self) -> Mapping[str, Any]:
        """All that must be the same whether or not a run was killed on the way."""
        return {
            "shown": {one.target: (self._known(one.of), one.read_only, self.lives(one)) for one in self.mounts},
            "guarded": set(self.guarded),
            "lines": self.lines,
            "settings": dict(self.settings),
            "markers": {disk.serial: known(disk.marker) for disk in self.devices},
        }

    def _known(self, of: Disk | Directory) -> str:
        return of.serial if isinstance(of, Disk) else of.path


def run(walk: Iterator[None], operations: int | None = None, after: Callable[[], object] = lambda: None) -> bool:
    """Do that many operations of a verb, or all; whether it was refused. `after` is called after each."""
    try:
        for _ in islice(walk, operations):
            after()
    except (Refused, ValidationError):
        return True
    return False


def fork(machine: Machine) -> Machine:
    """The same machine once more, to see what would have been."""
    pluggings = next(machine.pluggings)
    machine.pluggings = count(pluggings)
    return copy.deepcopy(machine)


def foreign(uuid: str) -> str:
    """The marker of another stack."""
    return text(Marker(stack="another", name="theirs", uuid=uuid))


def cycles(drives: int, wanted: int, hub: int = 8) -> tuple[Machine, int]:
    """A machine whose hubs are pulled and plugged in again in turn, each time with the drives in another order.

    The machine, and how often a drive was unmounted and mounted again: at least `wanted` times.
    """
    machine, done = Machine(), 0
    disks = [Disk(serial=f"S{n}", uuid=f"uuid-{n}", type=("ext4", "xfs", "btrfs")[n % 3]) for n in range(drives)]
    for port, disk in enumerate(disks):
        machine.plug(disk, port)
        run(machine.add(disk.uuid, f"d{port}"))
    for turn in count():
        if done >= wanted:
            return machine, done
        first = turn * hub % drives
        pulled = disks[first : first + hub]
        for disk in pulled:
            machine.pull(disk)
        run(machine.apply())
        for port, disk in enumerate(pulled[turn % hub :] + pulled[: turn % hub], first):
            machine.plug(disk, port)
        run(machine.apply())
        done += len(pulled)
    raise AssertionError  # count() does not end
