"""The real verbs of the drives, with a machine in memory below them instead of mounts, guards and fstab."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.storage_kernel import STACK, Refused, known
from tests.unit.storage_model import Machine
from usenet.actions import catalog, storage
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import files, settings
from usenet.adapters.home import Home
from usenet.adapters.settings import together
from usenet.adapters.storage import fstab, guards, look, markers, marks, mounting, tree
from usenet.adapters.storage.mounting import Found
from usenet.domain.errors import SystemFailure
from usenet.domain.settings import Settings
from usenet.domain.storage.converge import Converged
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.seen import Place
from usenet.domain.storage.steps import Detach, Guard, Persist, Share, Step, Unmount


class Killed(BaseException):
    """The process is gone: nobody handles it."""


class Desk:
    """A stack directory and a machine. `left`: how many operations are done before the run is killed.

    Nothing may be changed without the lock. `after` is called after each operation, `refuse` before each step.
    """

    def __init__(self, folder: Path, machine: Machine, patch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        self.home, self.machine, self.patch = Home(folder), machine, patch
        self.home.settings.write_text("name: films\n")
        self.left: int | None = None
        self.locked, self.dry = False, False
        self.after: Callable[[], object] = lambda: None
        self.refuse: Callable[[Step], object] = lambda step: None

    def _sit_down(self) -> None:
        """Let the verbs work on this machine from now on, in whichever module they are."""
        for name, module in list(sys.modules.items()):
            if name.startswith("usenet.actions.storage") and hasattr(module, "observe"):
                self.patch.setattr(module, "observe", self.observe)
        for owner, stand_ins in self._stand_ins().items():
            for name, stand_in in stand_ins.items():
                self.patch.setattr(owner, name, stand_in)

    def _stand_ins(self) -> dict[ModuleType, dict[str, Callable[..., object]]]:
        return {
            mounting: {
                "mark": self.take,
                "unmark": self.take,
                "show_drive": self.take,
                "show_directory": self.take,
                "unmount": lambda target: self.take(Unmount(target=str(target))),
                "detach": lambda target: self.take(Detach(target=str(target), because="")),
                "share": lambda path, *_: self.take(Share(path=str(path))),
                "peek": self.peek,
                "tidy": self.machine.sweep,
            },
            look: {
                "device": lambda word, _: word,
                "make_stack_id": lambda _: STACK,
                "is_directory": self.machine.directories.__contains__,
            },
            settings: {"together": self.changing(together)},
            catalog: {"load": lambda _: ({}, ())},
            files: {"lock": self.lock},
            guards: {"guard": lambda path, *_: self.take(Guard(path=str(path)))},
            fstab: {"write": self.write},
            markers: {"look": lambda root, *_: (self.marker(str(root)), True)},
            tree: {"look": dict.fromkeys},
            marks: {"look": self.unclean},
        }

    @contextmanager
    def lock(self, *_: object) -> Iterator[None]:
        assert not self.locked
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def observe(self, _: Home, *, dead: Collection[str] = (), **__: object) -> Shelf:
        settings, seen = self._read(), self.machine.seen()
        gone = {
            n: Place(held=replace(one.held, alive=False)) for n, one in seen.places.items() if one.held and n in dead
        }
        return Shelf(self.home, settings, self.machine.host(), replace(seen, places={**seen.places, **gone}))

    def take(self, step: Step) -> None:
        """Take a step on the machine, one operation after the other."""
        self.refuse(step)
        walk = self.machine.take(step)
        try:
            while True:
                self._operation(lambda: next(walk))
        except StopIteration:
            return
        except Refused as refused:
            raise SystemFailure(str(refused)) from refused

    def changing(self, real: Callable[..., object]) -> Callable[..., None]:
        def changed(*arguments: object) -> None:
            real(*arguments)
            self._read()

        return lambda *arguments: self._operation(lambda: changed(*arguments))

    def _read(self) -> Settings:
        wanted = settings.load(self.home)
        self.machine.settings = dict(wanted.storage.drives)
        return wanted

    def _operation(self, do: Callable[[], object]) -> None:
        assert self.locked, "it is changed without the lock"
        if self.left == 0:
            raise Killed
        do()
        self.left = None if self.left is None else self.left - 1
        self.after()

    def write(self, stack: str, lines: tuple[str, ...]) -> None:
        assert stack == STACK
        self.take(Persist(lines=lines))

    def peek(self, device: str, *_: object) -> Found:
        if not self.dry:
            assert self.locked, "it is looked at before the lock is taken, and may change until then"
        (disk,) = [disk for disk, (name, _) in self.machine.devices.items() if name == device]
        return Found(marker=known(disk.marker))

    def unclean(self, device: str, *_: object) -> bool:
        (disk,) = [disk for disk, (name, _) in self.machine.devices.items() if name == device]
        assert all(one.of is not disk for one in self.machine.mounts), "it is mounted, which marks it too"
        return disk.unclean

    def marker(self, place: str) -> Marker | None:
        above = self.machine.top(place)
        return known(above.of.marker if above else self.machine.directories[place].marker)

    # --- the verbs ---

    def add(
        self, drive: str, name: str, *, read_only: bool | None = None, adopt: bool = False, dry_run: bool = False
    ) -> None:
        self._sit_down()
        wish = storage.Wish(drive=drive, name=name, read_only=read_only, adopt=adopt)
        self.dry = dry_run
        storage.add(self.home, wish, dry_run=dry_run, say=lambda _: None)

    def remove(self, name: str, *, dry_run: bool = False) -> None:
        self._sit_down()
        storage.remove(self.home, name, dry_run=dry_run, say=lambda _: None)

    def apply(self, **how: object) -> Converged:
        self._sit_down()
        with self.lock():
            return storage.apply(self.home, say=lambda _: None, **how)  # type: ignore[arg-type]
