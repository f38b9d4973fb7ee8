"""What follows from drives that come and go: events, what is mounted when, what is paused and stopped."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.storage_kernel import DRIVES, Directory, Disk
from tests.unit.storage_model import Machine, foreign, run
from usenet.domain.storage.alerts import message, sentence
from usenet.domain.storage.events import WINDOW, Event, Known, Sight, duties, sights, turn
from usenet.domain.storage.intent import DriveSettings

AWAY = Sight()
WELL = Sight(mounted=True, device="sdb/1")
DEAD = Sight(mounted=True, alive=False, device="sdb/1")
LYING = Sight(device="sdb/1")  # plugged in and not mounted
AGAIN = Sight(device="sdc/2")  # plugged in anew


def walk(*sights: Sight, known: dict[str, Known] | None = None, every: float = 100.0) -> list[str]:
    """The kinds of event that a drive goes through, from a stack that was watched before."""
    known = known if known is not None else {}
    kinds: list[str] = []
    for number, sight in enumerate(sights):
        found = turn(known, {"films": sight}, number * every)
        known = dict(found.known)
        kinds += [event.kind for event in found.events]
    return kinds


@pytest.mark.parametrize(
    ("sights", "kinds"),
    [
        ([WELL, WELL], ["added"]),
        ([WELL, AWAY, AWAY, AGAIN], ["added", "lost"]),
        ([WELL, AWAY, WELL], ["added", "lost", "returned"]),
        ([WELL, DEAD, DEAD, AWAY, WELL], ["added", "lost", "returned"]),
        ([WELL, LYING, LYING, AWAY, WELL], ["added", "removed", "added"]),
        ([WELL, AGAIN, WELL], ["added", "lost", "returned"]),
        ([AWAY, AWAY], []),
        ([LYING, WELL], ["added"]),
    ],
    ids=["stays", "gone", "back", "dies", "taken out", "quick replug", "never there", "mounted by us"],
)
def test_what_happens_to_a_drive(sights: list[Sight], kinds: list[str]) -> None:
    assert walk(*sights) == kinds


def test_what_is_mounted_at_the_first_look_ever_is_no_news() -> None:
    found = turn(None, {"films": WELL, "music": LYING}, 0)
    assert found.events == ()
    assert found.mount == {"music"}
    assert turn(found.known, {"films": AWAY, "music": WELL}, 1).events == (
        Event(kind="lost", drive="films", at=1),
        Event(kind="added", drive="music", at=1),
    )


def test_a_drive_that_leaves_the_stack_is_removed_once() -> None:
    known = turn({}, {"films": WELL}, 0).known
    gone = turn(known, {}, 1)
    assert [event.kind for event in gone.events] == ["removed"]
    assert turn(gone.known, {}, 2).events == ()


def test_a_drive_that_a_person_unmounted_is_left_alone_until_it_is_plugged_in_anew() -> None:
    known = turn(turn({}, {"films": WELL}, 0).known, {"films": LYING}, 1).known
    assert turn(known, {"films": LYING}, 10_000).mount == frozenset()
    assert turn(known, {"films": AGAIN}, 10_000).mount == {"films"}


def test_after_a_restart_of_the_machine_it_is_mounted_whatever_was() -> None:
    known = turn({}, {"films": Sight(mounted=True, device="boot1 sdb")}, 0).known
    assert turn(known, {"films": Sight(device="boot2 sdb")}, 1).mount == {"films"}


def test_a_drive_with_a_loose_cable_must_stay_for_longer_and_longer() -> None:
    known: dict[str, Known] = {}
    waits = []
    for number in range(8):
        now = number * 20.0
        known = dict(turn(known, {"films": WELL}, now).known)
        lost = turn(known, {"films": AWAY}, now + 10)
        back = turn(lost.known, {"films": AGAIN}, now + 11)
        waits.append(0.0 if back.mount else (back.again or 0) - (now + 11))
        known = dict(back.known)
    assert waits[:2] == [0, 0]
    assert all(a < b or b == waits[-1] for a, b in pairwise(waits[1:]))
    assert turn(known, {"films": AGAIN}, 171 + waits[-1]).mount == {"films"}
    quiet = turn(known, {"films": WELL}, 200).known
    calm = turn(turn(quiet, {"films": WELL}, 200 + WINDOW).known, {"films": AWAY}, 210 + WINDOW)
    assert turn(calm.known, {"films": AGAIN}, 211 + WINDOW).mount == {"films"}, "it is forgiven"


def test_what_could_not_be_mounted_waits_unless_it_is_plugged_in_anew() -> None:
    first = turn({}, {"films": LYING}, 0)
    failed = turn(first.known, {"films": LYING}, 1, tried=first.mount)
    assert failed.mount == frozenset()
    assert failed.again is not None
    assert turn(failed.known, {"films": LYING}, failed.again).mount == {"films"}
    assert turn(failed.known, {"films": AGAIN}, 2).mount == {"films"}


drives = st.fixed_dictionaries({}, optional={n: st.sampled_from([AWAY, WELL, DEAD, LYING, AGAIN]) for n in "abc"})
lives = st.lists(st.tuples(drives, st.floats(0.1, 1000)), max_size=30)


@given(lives)
def test_whatever_happens_events_tell_a_life_and_nothing_well_is_touched(life) -> None:
    known, now, there = {}, 0.0, {}
    for seen, pause in life:
        now += pause
        found = turn(known, seen, now)
        known = found.known
        assert set(known) == set(seen)
        for event in found.events:
            before = there.get(event.drive, "removed")
            allowed = {"removed": {"added"}, "lost": {"returned", "removed"}}.get(before, {"lost", "removed"})
            assert event.kind in allowed
            there[event.drive] = event.kind
        for name in found.mount:
            assert seen[name].device
            assert not seen[name].well
        assert found.again is None or found.again > now
        for name, sight in seen.items():
            assert (known[name].state == "there") == sight.well


def looked(machine: Machine) -> Sight:
    """What the watch makes of the drive films; its device is told apart by each plugging-in."""
    places = {device: f"{device} {number}" for device, number in machine.devices.values()}
    return sights(machine.settings, machine.seen(), {**places, "/mnt/nas": "nas"})["films"]


def with_films() -> tuple[Machine, Disk]:
    machine, disk = Machine(), Disk(serial="A", uuid="u-a")
    machine.plug(disk, 0)
    run(machine.add("u-a", "films"))
    return machine, disk


def test_a_drive_is_there_only_while_what_is_mounted_is_the_one() -> None:
    machine, disk = with_films()
    assert looked(machine) == Sight(mounted=True, device="/dev/sda1 1")
    disk.marker = foreign("u-a")
    assert not looked(machine).well, "another stack has taken it meanwhile"
    machine, disk = with_films()
    machine.pull(disk)
    machine.plug(disk, 1)
    assert looked(machine) == Sight(mounted=True, alive=False, device="/dev/sdb1 2")
    machine.unmount(DRIVES + "films", lazy=True)
    assert looked(machine) == Sight(alive=False, device="/dev/sdb1 2")


def test_a_drive_beside_its_copy_or_that_the_machine_uses_is_not_there_to_be_mounted() -> None:
    machine, disk = with_films()
    machine.plug(Disk(serial="COPY", uuid="u-a", marker=disk.marker), 4)
    assert looked(machine) == Sight(mounted=True)
    machine, disk = with_films()
    machine.mounts = []
    machine.mounted_by_hand(disk, "/var/lib/docker")
    assert looked(machine) == Sight(alive=False)


def test_a_directory_is_there_while_it_is_not_gone_from_the_machine() -> None:
    machine = Machine(directories={"/mnt/nas": Directory("/mnt/nas")})
    run(machine.add_directory("/mnt/nas", "films"))
    assert looked(machine) == Sight(mounted=True, device="nas")
    machine.directories = {}
    assert not looked(machine).well


def drive(**changes) -> DriveSettings:
    return DriveSettings(uuid="1", **changes)


def states(**given_) -> dict[str, Known]:
    return {name: Known(state=state) for name, state in given_.items()}


@pytest.mark.parametrize(
    ("wanted", "known", "pause", "stop"),
    [
        ({"a": drive()}, {"a": "there"}, False, False),
        ({"a": drive()}, {"a": "lost"}, True, True),
        ({"a": drive(), "b": drive()}, {"a": "lost", "b": "there"}, True, False),
        ({"a": drive(), "b": drive()}, {"a": "lost", "b": "away"}, True, True),
        ({"a": drive()}, {"a": "out"}, False, False),
        ({"a": drive()}, {"a": "away"}, False, False),
        ({"a": drive(role="backup"), "b": drive()}, {"a": "lost", "b": "there"}, False, False),
        ({"a": drive(), "b": drive(role="backup")}, {"a": "lost", "b": "there"}, True, True),
        ({"a": drive(read_only=True), "b": drive()}, {"a": "lost", "b": "there"}, False, False),
        ({"a": drive(needed=False)}, {"a": "lost"}, False, False),
    ],
)
def test_what_lost_drives_ask_for(wanted, known, pause, stop) -> None:
    found = duties(wanted, states(**known))
    assert (found.pause, found.stop) == (pause, stop)


def test_the_webhook_is_told_where_and_what() -> None:
    event = Event(kind="lost", drive="films", at=5.0)
    told = message(event, stack="media", path="/data/drives/films", uuid="1-2")
    assert {"event": "lost", "drive": "films", "path": "/data/drives/films", "uuid": "1-2", "at": 5.0}.items() <= (
        told.items()
    )
    assert sentence(event) in str(told["text"])
