"""storage add and remove as they are, on a machine in memory: what fails changes nothing, what is killed is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.unit.storage_desk import Desk, Killed
from tests.unit.storage_kernel import DRIVES, STACK, Directory, Disk, known
from tests.unit.storage_model import Machine, foreign, run
from tests.unit.storage_settled import settled, shown, without_markers
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.storage.converge import drive_of
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, text
from usenet.domain.storage.steps import Guard, MountDrive, Step, Unmark, Unmount


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """Makes a machine with one drive in the stack and another beside it."""
    numbers = count()

    def make(*, shared: bool = True, kind: str = "ext4") -> Desk:
        machine = Machine(shared=shared, directories={"/mnt/nas": Directory("/mnt/nas")})
        machine.plug(Disk(serial="A", uuid="u-a"), 0)
        machine.plug(Disk(serial="B", uuid="u-b", type=kind), 1)
        made = Desk(tmp_path / str(next(numbers)), machine, monkeypatch)
        made.add("u-a", "films")
        return made

    return make


def disk(desk: Desk, serial: str) -> Disk:
    (found,) = [one for one in desk.machine.devices if one.serial == serial]
    return found


def state(desk: Desk) -> tuple[str, Mapping[str, Any]]:
    return desk.home.settings.read_text(), desk.machine.state()


def finished(desk: Desk) -> Mapping[str, Any]:
    desk.left, desk.after = None, lambda: None
    desk.apply()
    settled(desk.machine)
    return without_markers(desk.machine.state())


VERBS: dict[str, tuple[Callable[[Desk], None], Callable[[Machine], Iterator[None]]]] = {
    "add": (lambda d: d.add("u-b", "shows"), lambda m: m.add("u-b", "shows")),
    "add read-only": (
        lambda d: d.add("u-b", "shows", read_only=True),
        lambda m: m.add("u-b", "shows", read_only=True),
    ),
    "make read-only": (
        lambda d: d.add("u-a", "films", read_only=True),
        lambda m: m.add("u-a", "films", read_only=True),
    ),
    "remove": (lambda d: d.remove("films"), lambda m: m.remove("films")),
}


@pytest.mark.parametrize("shared", [True, False], ids=["systemd", "without"])
@pytest.mark.parametrize("kind", ["ext4", "exfat"])
@pytest.mark.parametrize("verb", VERBS)
def test_killed_after_any_operation_it_is_ended_by_the_next_run(
    desk: Callable[..., Desk], verb: str, kind: str, shared: bool
) -> None:
    real, _ = VERBS[verb]
    before, after = desk(shared=shared, kind=kind), desk(shared=shared, kind=kind)
    real(after)
    ends = [finished(one) for one in (before, after)]
    assert ends[0] != ends[1]
    for number in count():
        made = desk(shared=shared, kind=kind)
        made.left = number
        made.after = lambda made=made: made.machine.exposed() == [] or pytest.fail("a write would fill the root disk")
        try:
            real(made)
        except Killed:
            assert finished(made) in ends
        else:
            break
    assert number >= 4


@pytest.mark.parametrize("shared", [True, False], ids=["systemd", "without"])
@pytest.mark.parametrize("verb", VERBS)
def test_each_operation_is_that_of_the_model(desk: Callable[..., Desk], verb: str, shared: bool) -> None:
    """What is shown of the model, over long lives, holds for the verbs only while they do the same."""
    real, modelled = VERBS[verb]
    ours, models = desk(shared=shared), desk(shared=shared)
    did: list[Mapping[str, Any]] = []
    ours.after = lambda: did.append(ours.machine.state())
    real(ours)
    expected: list[Mapping[str, Any]] = []
    run(modelled(models.machine), after=lambda: expected.append(models.machine.state()))
    assert did == expected


def test_what_is_only_shown_changes_nothing(desk: Callable[..., Desk]) -> None:
    made = desk()
    before = state(made)
    made.add("u-b", "shows", dry_run=True)
    made.remove("films", dry_run=True)
    assert state(made) == before


def test_a_drive_of_another_stack_is_not_touched_unless_it_is_taken_over(desk: Callable[..., Desk]) -> None:
    made = desk()
    disk(made, "B").marker = foreign("u-b")
    before = state(made)
    for dry_run in (True, False):
        with pytest.raises(ValidationError, match="belongs to another stack"):
            made.add("u-b", "shows", dry_run=dry_run)
    made.machine.mounted_by_hand(disk(made, "B"), "/media/anna/B")
    with pytest.raises(ValidationError, match="belongs to another stack"):
        made.add("u-b", "shows")
    made.machine.mounts.pop()
    assert state(made) == before
    made.add("u-b", "shows", adopt=True)
    assert shown(made.machine) == {"films": "A", "shows": "B"}


def test_a_drive_that_takes_no_marker_stays_outside(desk: Callable[..., Desk]) -> None:
    made = desk()
    disk(made, "B").full_or_dying = True
    before = state(made)
    with pytest.raises(SystemFailure, match="can't be written"):
        made.add("u-b", "shows")
    assert state(made) == before


def test_a_drive_that_is_in_use_stays_and_one_that_leaves_bears_no_marker(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.machine.open = {disk(made, "A")}
    before = state(made)
    with pytest.raises(SystemFailure, match="busy"):
        made.remove("films")
    assert state(made) == before
    made.machine.open = set()
    made.remove("films")
    assert (shown(made.machine), known(disk(made, "A").marker)) == ({}, None)
    assert DRIVES + "films" in made.machine.guarded


def test_who_removes_a_drive_that_is_gone_waits_for_nothing_to_be_written_to_it(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.machine.pull(disk(made, "A"))
    made.refuse = lambda step: None if not isinstance(step, Unmount) else pytest.fail("it would hang")
    made.remove("films")
    assert shown(made.machine) == {}
    assert "films:" not in made.home.settings.read_text()


def test_a_drive_that_is_only_read_keeps_whatever_marker_it_has(desk: Callable[..., Desk]) -> None:
    made = desk()
    disk(made, "B").marker = foreign("u-b")
    made.add("u-b", "theirs", read_only=True, adopt=True)
    assert shown(made.machine)["theirs"] == "B"
    made.remove("theirs")
    assert disk(made, "B").marker == foreign("u-b")


def test_the_marker_of_another_stack_stays_when_the_drive_leaves(desk: Callable[..., Desk]) -> None:
    """It was taken over, came back, and fstab mounted it, which knows no markers."""
    made = desk()
    disk(made, "A").marker = foreign("u-a")
    made.refuse = lambda step: None if not isinstance(step, Unmark) else pytest.fail(f"it is not ours: {step}")
    made.remove("films")
    assert shown(made.machine) == {}
    assert disk(made, "A").marker == foreign("u-a")


def failing(name: str, kind: type[Step]) -> Callable[[Step], None]:
    """What refuses this kind of step for one drive."""

    def refuse(step: Step) -> None:
        if isinstance(step, kind) and (getattr(step, "target", "") or getattr(step, "path", "")) == DRIVES + name:
            raise SystemFailure(f"{name} is not empty", hint="look at it")

    return refuse


@pytest.mark.parametrize("kind", [Guard, MountDrive])
def test_what_fails_for_one_drive_ends_its_steps_alone(desk: Callable[..., Desk], kind: type[Step]) -> None:
    made = desk()
    made.add("u-b", "shows")
    made.machine.mounts, made.machine.guarded = [], set()
    made.refuse = failing("films", kind)
    told = made.apply()
    assert shown(made.machine) == {"shows": "B"}
    assert [(one.drive, one.what, one.cure) for one in told.findings] == [("films", "films is not empty", "look at it")]
    assert not [one for one in told.steps if isinstance(one, kind) and drive_of(one, made.machine.seen()) == "films"]
    with pytest.raises(SystemFailure, match="films is not empty"):
        made.apply(must="films")


def test_a_place_with_files_in_it_is_not_covered(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.machine.littered = {DRIVES + "shows"}
    with pytest.raises(SystemFailure, match="shows is not empty"):
        made.add("u-b", "shows")
    assert shown(made.machine) == {"films": "A"}
    made.machine.littered = set()
    made.apply()
    assert shown(made.machine) == {"films": "A", "shows": "B"}


def test_a_directory_that_is_in_use_stays(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.machine.settings["nas"] = DriveSettings(path="/mnt/nas")
    made.home.settings.write_text(made.home.settings.read_text() + "    nas: {path: /mnt/nas}\n")
    made.machine.directories["/mnt/nas"].marker = text(Marker(stack=STACK, name="nas"))
    made.apply()
    made.machine.open = {made.machine.directories["/mnt/nas"]}
    before = state(made)
    with pytest.raises(SystemFailure, match="busy"):
        made.remove("nas")
    assert state(made) == before


def test_what_is_no_drives_is_not_passed_over(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.machine.lines = ()

    def refuse(step: Step) -> None:
        raise SystemFailure("no room for fstab")

    made.refuse = refuse
    with pytest.raises(SystemFailure, match="no room for fstab"):
        made.apply()


def test_drives_that_must_wait_are_guarded_and_not_mounted(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.add("u-b", "shows")
    made.machine.mounts, made.machine.guarded = [], set()
    made.apply(leave={"films"})
    assert shown(made.machine) == {"shows": "B"}
    assert DRIVES + "films" in made.machine.guarded


def test_adding_again_leaves_the_file_of_a_person_alone(desk: Callable[..., Desk]) -> None:
    made = desk()
    made.home.settings.write_text(made.home.settings.read_text() + "# mine\n")
    before = state(made)
    made.refuse = lambda step: pytest.fail(f"nothing is to be done: {step}")
    made.add("u-a", "films")
    assert state(made) == before
