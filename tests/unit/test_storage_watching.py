"""storage watch as it is, round by round on a machine in memory: what it mounts, leaves alone and tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.making import service
from tests.unit.storage_desk import Desk
from tests.unit.storage_kernel import DRIVES, Disk
from tests.unit.storage_model import Machine
from tests.unit.storage_settled import shown
from usenet.actions.storage import watch
from usenet.actions.storage.present import present
from usenet.adapters import settings
from usenet.adapters.storage import pulse
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.events import FIRST_WAIT
from usenet.domain.storage.steps import MountDrive, Step


class Watched(Desk):
    """A stack with the drives films and music, and a watch over it; `now` is the time."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.films, self.music = Disk(serial="A", uuid="u-a"), Disk(serial="B", uuid="u-b")
        machine = Machine()
        machine.plug(self.films, 0)
        machine.plug(self.music, 1)
        super().__init__(folder, machine, patch)
        self.add("u-a", "films")
        self.add("u-b", "music")
        self.now, self.boot = 1000.0, "first"
        self.told: list[watch.News] = []
        self.after = lambda: self.machine.exposed() == [] or pytest.fail("a write would fill the root disk")
        patch.setattr(watch, "Relief", lambda *_: SimpleNamespace(look=lambda *_: None))
        patch.setattr(watch, "time", SimpleNamespace(time=lambda: self.now))
        self.begin()

    def _stand_ins(self) -> dict[ModuleType, dict[str, Callable[..., object]]]:
        return {**super()._stand_ins(), pulse: {"tokens": self.tokens, "boot": lambda: self.boot}}

    def tokens(self, devices: Iterable[str], *_: object) -> dict[str, str]:
        there = {name: f"{name} {number}" for name, number in self.machine.devices.values()}
        return {one: there[one] for one in devices if one in there}

    def begin(self) -> None:
        """Another watch: the one before was killed."""
        self._sit_down()
        self.loop = watch._Watch(self.home, self.told.append)
        self.loop.bell = SimpleNamespace(begin=lambda: None)  # type: ignore[assignment]
        self.round()

    def round(self, seconds: float = 1.0) -> None:
        self.now += seconds
        self.loop.round()

    def events(self) -> list[str]:
        return [f"{one.event} {one.drive}" for one in self.told if one.event]

    def pull(self, disk: Disk) -> None:
        self.machine.pull(disk)
        self.round()

    def plug(self, disk: Disk, port: int) -> None:
        self.machine.plug(disk, port)
        self.round()


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(tmp_path / "home", monkeypatch)


def test_a_drive_that_goes_is_taken_away_and_shown_when_it_is_back(watched: Watched) -> None:
    watched.pull(watched.films)
    assert (shown(watched.machine), watched.events()) == ({"music": "B"}, ["lost films"])
    watched.plug(watched.films, 5)
    assert shown(watched.machine) == {"films": "A", "music": "B"}
    watched.round()
    assert watched.events() == ["lost films", "returned films"]


def test_a_drive_that_was_pulled_while_written_to_is_told_once_before_it_is_mounted(watched: Watched) -> None:
    def refuse(step: Step) -> None:
        if isinstance(step, MountDrive):
            raise SystemFailure("wrong fs type, bad superblock")

    watched.pull(watched.films)
    watched.films.unclean, watched.refuse = True, refuse  # it can't be mounted, and is tried again
    watched.plug(watched.films, 5)
    watched.round(FIRST_WAIT * 2)
    told = [one.text for one in watched.told if "e2fsck -n /dev/sda1" in one.text]
    assert len(told) == 1, watched.told
    assert told[0].startswith("films: its filesystem was left in the middle of writing")
    watched.refuse = lambda _: None
    watched.round(FIRST_WAIT * 4)
    assert shown(watched.machine) == {"films": "A", "music": "B"}


def test_what_a_person_unmounted_is_left_alone_though_another_drive_comes(watched: Watched) -> None:
    watched.machine.unmount(DRIVES + "films")
    watched.round()
    assert watch.preview(watched.home) == []
    watched.pull(watched.music)
    watched.plug(watched.music, 6)
    assert shown(watched.machine) == {"music": "B"}
    assert watched.events() == ["removed films", "lost music", "returned music"]
    watched.pull(watched.films)
    watched.plug(watched.films, 0)
    assert shown(watched.machine) == {"films": "A", "music": "B"}


def test_a_drive_on_a_loose_cable_waits_though_another_comes(watched: Watched) -> None:
    for port in (2, 3):
        watched.pull(watched.films)
        watched.plug(watched.films, port)
    assert "films" in shown(watched.machine)
    watched.pull(watched.films)
    watched.plug(watched.films, 4)
    watched.pull(watched.music)
    watched.plug(watched.music, 6)
    assert shown(watched.machine) == {"music": "B"}
    watched.round(FIRST_WAIT)
    assert shown(watched.machine) == {"films": "A", "music": "B"}


def failing(step: Step) -> None:
    if isinstance(step, MountDrive):
        raise SystemFailure("bad superblock")


def test_what_can_not_be_mounted_is_told_and_tried_again_later(watched: Watched) -> None:
    tried: list[Step] = []
    watched.refuse = lambda step: (tried.append(step), failing(step))
    watched.pull(watched.films)
    tried.clear()
    watched.plug(watched.films, 5)
    watched.round()
    assert len([one for one in tried if isinstance(one, MountDrive)]) == 1, "not at each look"
    assert [one.text for one in watched.told if "superblock" in one.text] == ["films: bad superblock"]
    watched.refuse = lambda _: None
    watched.round(FIRST_WAIT)
    assert "films" in shown(watched.machine)


def test_a_watch_that_was_killed_tells_nothing_twice(watched: Watched) -> None:
    watched.pull(watched.films)
    watched.begin()
    watched.plug(watched.films, 5)
    watched.begin()
    assert watched.events() == ["lost films", "returned films"]


def test_while_another_verb_is_at_work_it_waits_and_says_so_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as busy:

        def held(*_: object) -> None:
            raise UsenetError("storage balance holds the lock")

        busy.setattr(watch.files, "lock", held)
        for _ in range(3):
            watched.pull(watched.films)
        assert [one.text for one in watched.told if "holds the lock" in one.text] == ["storage balance holds the lock"]
    watched.round()
    assert shown(watched.machine) == {"music": "B"}


def test_a_drive_of_which_the_pulse_is_silent_is_taken_away_though_a_glance_finds_it_well(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.round()
    with monkeypatch.context() as silent:
        silent.setattr(watched.loop.pulse, "silent", lambda: frozenset({"films"}))
        assert watched.loop.due()
    watched.round()
    texts = [one.text for one in watched.told]
    assert [one for one in texts if "it does not answer" in one], texts
    assert "lost films" in watched.events()
    assert shown(watched.machine) == {"films": "A", "music": "B"}, "it is there, and is tried once more"
    assert not watched.loop.dead


def test_a_drive_that_does_not_come_with_the_machine_is_awaited_until_it_is_there(watched: Watched) -> None:
    watched.pull(watched.films)
    watched.begin()
    assert watched.loop.memory.awaited == [], "it was lost while services ran, and they went on"
    watched.boot = "second"
    watched.machine.boot(lambda disks: disks)
    watched.begin()
    assert watched.loop.memory.awaited == ["films"]
    watched.begin()  # that watch was killed
    assert watched.loop.memory.awaited == ["films"]
    watched.plug(watched.films, 5)
    assert watched.loop.memory.awaited == []


def test_nobody_waits_for_a_drive_that_travels_after_a_start(watched: Watched) -> None:
    text = watched.home.settings.read_text().replace("serial: A", "serial: A, needed: false")
    watched.home.settings.write_text(text)
    watched.machine.pull(watched.films)
    watched.boot = "second"
    watched.machine.boot(lambda disks: disks)
    watched.begin()
    assert watched.loop.memory.awaited == []


def test_what_the_machine_refuses_does_not_end_the_watch(watched: Watched) -> None:
    def refuses(_: Step) -> None:
        raise OSError(28, "No space left on device")

    watched.refuse = refuses
    for _ in range(3):
        watched.pull(watched.films)
    assert [one.text for one in watched.told if "No space" in one.text] == ["[Errno 28] No space left on device"]
    watched.refuse = lambda _: None
    watched.round()
    assert shown(watched.machine) == {"music": "B"}


def test_who_needs_a_drive_that_is_away_waits_for_it_and_not_for_one_that_is_there(watched: Watched) -> None:
    known = {"screen": service(role="pool-dependent", wants={"media": "read"})}

    def waiting() -> dict[str, str]:
        with watched.lock():
            return dict(present(watched.home, settings.load(watched.home), known, lambda _: None).waits)

    assert waiting() == {}
    watched.machine.pull(watched.films)
    assert waiting() == {"screen": "it waits for the drive films: it is not plugged in"}
    watched.machine.plug(watched.films, 5)
    watched.refuse = failing
    assert waiting() == {"screen": "it waits for the drive films: bad superblock"}
    watched.refuse = lambda _: None
    assert waiting() == {}
