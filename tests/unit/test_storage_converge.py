"""From what is mounted to what is wanted, on a machine in memory: killed after any operation, and case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

import pytest

from tests.unit.storage_kernel import DRIVES, STACK, Directory, Disk
from tests.unit.storage_model import Machine, cycles, foreign, run
from tests.unit.storage_settled import settled, shown, without_markers
from usenet.domain.host import Drive, Filesystem
from usenet.domain.storage.adding import notes
from usenet.domain.storage.checks import of_markers
from usenet.domain.storage.converge import converge, mark
from usenet.domain.storage.health import state
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, text
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Held, Place, Seen
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
    commands,
    describe,
)

# --- every single operation ---


def shelf(*, shared: bool = True, kind: str = "ext4") -> tuple[Machine, Disk, Disk]:
    """A machine with one drive in the stack and another beside it."""
    machine = Machine(shared=shared, directories={"/mnt/nas": Directory("/mnt/nas")})
    first, second = Disk(serial="A", uuid="u-a"), Disk(serial="B", uuid="u-b", type=kind)
    machine.plug(first, 0)
    machine.plug(second, 1)
    run(machine.add("u-a", "films"))
    return machine, first, second


def finished(machine: Machine) -> Mapping[str, Any]:
    run(machine.apply())
    settled(machine)
    return without_markers(machine.state())


VERBS: dict[str, Callable[[Machine], Iterator[None]]] = {
    "add": lambda m: m.add("u-b", "shows"),
    "add read-only": lambda m: m.add("u-b", "shows", read_only=True),
    "add a directory": lambda m: m.add_directory("/mnt/nas", "nas"),
    "make read-only": lambda m: m.add("u-a", "films", read_only=True),
    "remove": lambda m: m.remove("films"),
}


@pytest.mark.parametrize("shared", [True, False], ids=["systemd", "without"])
@pytest.mark.parametrize("kind", ["ext4", "exfat"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("reboots", [False, True], ids=["killed", "power cut"])
def test_a_run_that_is_killed_after_any_operation_is_ended_by_the_next(
    verb: str, kind: str, reboots: bool, shared: bool
) -> None:
    before, after = (shelf(shared=shared, kind=kind)[0] for _ in range(2))
    operations = len(list(VERBS[verb](after)))
    ends = [finished(machine) for machine in (before, after)]
    assert ends[0] != ends[1]
    assert operations >= 4
    for killed in range(operations):
        machine, *_ = shelf(shared=shared, kind=kind)
        run(VERBS[verb](machine), killed)
        if reboots:
            machine.boot(lambda disks: disks)
        assert machine.exposed() == []
        assert finished(machine) in ends


@pytest.mark.parametrize("step_by_step", range(9))
def test_a_drive_that_is_pulled_while_it_is_added_is_there_when_it_returns(step_by_step: int) -> None:
    machine, _, second = shelf()
    walk = machine.add("u-b", "shows")
    run(walk, step_by_step)
    machine.pull(second)
    run(walk)
    finished(machine)
    assert machine.exposed() == []
    machine.plug(second, 5)
    run(machine.add("u-b", "shows"))
    finished(machine)
    assert shown(machine) == {"films": "A", "shows": "B"}


# --- single cases, each as it would be reported ---


def test_a_drive_in_another_port_under_another_name_has_its_place() -> None:
    machine, first, second = shelf()
    run(machine.add("u-b", "shows"))
    machine.pull(first)
    machine.pull(second)
    machine.plug(second, 0)
    machine.plug(first, 1)
    assert {machine.devices[first][0], machine.devices[second][0]} & {"/dev/sda1", "/dev/sdb1"} == set()
    finished(machine)
    assert shown(machine) == {"films": "A", "shows": "B"}


def test_a_stranger_at_the_same_device_name_is_left_alone() -> None:
    machine, first, second = shelf()
    machine.pull(second)
    machine.pull(first)
    machine.boot(lambda disks: disks)
    stranger = Disk(serial="X", uuid="u-x")
    machine.plug(stranger, 0)
    assert machine.devices[stranger][0] == "/dev/sda1"
    finished(machine)
    assert shown(machine) == {}


def test_a_copy_that_is_plugged_in_takes_nothing_away() -> None:
    machine, first, _ = shelf()
    machine.plug(Disk(serial="COPY", uuid="u-a", marker=first.marker), 4)
    planned = machine.planned()
    assert planned.steps == ()
    assert [finding.drive for finding in planned.findings] == ["films"]
    assert "have the same UUID" in planned.findings[0].what


def test_a_copy_that_was_first_at_boot_goes_when_the_drive_is_there_too() -> None:
    machine, first, _ = shelf()
    machine.plug(Disk(serial="COPY", uuid="u-a", marker=first.marker), 4)
    machine.boot(lambda disks: disks[::-1])
    assert shown(machine) == {"films": "COPY"}
    finished(machine)
    assert shown(machine) == {}


def test_what_another_stack_took_meanwhile_is_not_shown() -> None:
    machine, first, _ = shelf()
    machine.pull(first)
    first.marker = foreign("u-a")
    machine.plug(first, 0)
    machine.boot(lambda disks: disks)
    assert shown(machine) == {"films": "A"}  # fstab knows no markers
    finished(machine)
    assert shown(machine) == {}
    assert first.marker == foreign("u-a")


def test_a_share_that_is_not_mounted_is_not_shown_empty() -> None:
    machine, *_ = shelf()
    run(machine.add_directory("/mnt/nas", "nas"))
    machine.boot(lambda disks: disks)
    machine.directories["/mnt/nas"].served = False
    machine.mounts.clear()
    machine.bind("/mnt/nas", DRIVES + "nas", read_only=False)  # as mount -a does, where nothing waits for the share
    run(machine.apply())
    assert "nas" not in shown(machine)
    machine.directories["/mnt/nas"].served = True
    finished(machine)
    assert shown(machine)["nas"] == "/mnt/nas"


def test_a_drive_of_another_stack_below_the_same_data_root_is_not_unmounted() -> None:
    machine, _, second = shelf()
    second.marker = foreign("u-b")
    machine.made.add(DRIVES + "theirs")
    machine.guarded.add(DRIVES + "theirs")
    machine.mount("/dev/sdb1", DRIVES + "theirs", "ext4", read_only=False)
    assert machine.planned().steps == ()
    assert [finding.drive for finding in machine.planned().findings] == ["theirs"]


def test_the_mountpoint_of_what_leaves_is_guarded_whoever_made_it() -> None:
    machine, _, second = shelf()
    second.marker = text(Marker(stack=STACK, name="shows", uuid="u-b"))
    machine.made.add(DRIVES + "shows")
    machine.mount("/dev/sdb1", DRIVES + "shows", "ext4", read_only=False)
    run(machine.apply())
    assert shown(machine) == {"films": "A"}
    assert DRIVES + "shows" in machine.guarded


def test_what_a_person_mounted_beside_the_drives_stays_and_is_told() -> None:
    machine, *_ = shelf()
    machine.made.add(DRIVES + "nas")
    machine.guarded.add(DRIVES + "nas")
    machine.bind("/mnt/nas", DRIVES + "nas", read_only=False)
    run(machine.apply())
    assert shown(machine) == {"films": "A", "nas": "/mnt/nas"}
    (finding,) = machine.planned().findings
    assert "is no drive of this stack" in finding.what


def test_a_drive_without_a_marker_that_was_taken_out_of_the_file_by_hand_leaves() -> None:
    machine, *_ = shelf()
    run(machine.add("u-b", "shows", read_only=True))
    machine.settings.pop("shows")
    finished(machine)
    assert shown(machine) == {"films": "A"}


@pytest.mark.parametrize(
    ("path", "facts", "kept"),
    [
        ("/srv/films", {"directories": {"/srv/films"}}, True),
        ("/srv/films", {}, False),  # deleted: systemd would make it
        ("/media/disk/films", {"directories": {"/media/disk/films"}, "targets": {"/", "/media/disk"}}, False),
        ("/media/disk/films", {"targets": {"/"}}, False),
        ("/mnt/nas/films", {"boot": {"/", "/mnt/nas"}}, True),
        ("/mnt/nas/films", {"boot": {"/", "/mnt/nas"}, "targets": {"/", "/mnt/nas"}}, False),
        ("/mnt/nas", {"boot": {"/", "/mnt/nas"}, "targets": {"/", "/mnt/nas"}, "silent": {"/mnt/nas"}}, True),
        ("/mnt/nasty", {"boot": {"/", "/mnt/nas"}}, False),
    ],
)
def test_no_line_binds_a_directory_that_systemd_would_make_where_its_drive_is_mounted_later(
    path: str, facts: dict[str, Any], *, kept: bool
) -> None:
    seen = Seen(data="/d", shared=True, **{name: frozenset(what) for name, what in facts.items()})
    written = [step.lines for step in converge({"films": DriveSettings(path=path)}, seen).steps if _persists(step)]
    assert written == ([(f"{path} /d/drives/films none bind,nofail 0 0",)] if kept else [])


def test_before_a_directory_is_added_it_is_told_who_shows_it_after_a_start() -> None:
    seen = Seen(data="/d", shared=True, targets=frozenset({"/", "/tank"}))
    told = [notes(DriveSettings(path=path), seen, ())[1:] for path in ("/srv/films", "/tank/films")]
    assert [len(one) for one in told] == [0, 1]
    assert "/etc/fstab does not mount what /tank/films lies on" in told[1][0]


def _persists(step: Step) -> TypeGuard[Persist]:
    return isinstance(step, Persist)


UNSURE = Held(source="/dev/sdb1", unsure="it has not answered yet")


def _seen(held: Held, *, uuid: str = "u", **facts: Any) -> Seen:
    drive = Drive(name="sdb", path="/dev/sdb", size=1)
    there = Filesystem(source="/dev/sdb1", type="ext4", uuid=uuid)
    offers = (Offer(device="/dev/sdb1", drive=drive, size=1, filesystem=there),)
    kernel = {"data": "/d", "shared": True, "drivers": frozenset({"ext4"}), "stack": STACK}
    return Seen(**{**kernel, "offers": offers, "places": {"films": Place(held=held)}, **facts})


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (_seen(UNSURE), "has not answered yet"),
        (_seen(Held(source="/dev/sdb1"), uuid=""), "only root can see which drive it is"),
    ],
)
def test_what_nobody_can_tell_yet_is_told_and_not_taken_away(seen: Seen, word: str) -> None:
    drive = DriveSettings(uuid="u", type="ext4")
    planned = converge({"films": drive}, seen)
    assert not [step for step in planned.steps if not isinstance(step, Persist)]
    assert [word in one.what for one in planned.findings] == [True]
    assert state(drive, "films", seen)[0] == "unknown"
    assert list(of_markers({"films": drive}, seen)) == []


def test_to_a_plain_user_the_marker_says_which_drive_it_is() -> None:
    drive = DriveSettings(uuid="u", type="ext4")
    seen = _seen(Held(source="/dev/sdb1", marker=Marker(stack=STACK, name="films", uuid="u")), uuid="", blind=True)
    planned = converge({"films": drive}, seen)
    assert not [step for step in planned.steps if not _persists(step)]
    assert planned.findings == ()
    assert state(drive, "films", seen)[0] == "mounted"


def test_a_plain_user_is_not_told_that_a_drive_is_away_which_only_root_can_see() -> None:
    drive = DriveSettings(uuid="u", type="ext4")
    seen = Seen(data="/d", shared=True, blind=True)
    (finding,) = converge({"films": drive}, seen).findings
    assert "only root can see" in finding.what
    assert state(drive, "films", seen) == ("unknown", "only root can see it here")


def test_no_drive_leaves_while_a_file_on_it_is_open() -> None:
    machine, first, _ = shelf()
    machine.open = {first}
    assert run(machine.remove("films"))
    assert list(machine.settings) == ["films"]
    machine.settings = {}  # in an editor
    run(machine.apply())
    assert shown(machine) == {"films": "A"}
    machine.open = set()
    run(machine.apply())
    assert shown(machine) == {}


def test_why_a_mount_is_taken_away_is_said() -> None:
    machine, first, _ = shelf()

    def because() -> list[str]:
        return [step.because for step in machine.planned().steps if isinstance(step, Detach)]

    machine.pull(first)
    assert because() == ["the drive is gone"]
    machine.plug(first, 0)
    assert because() == ["the drive is /dev/sdc1 now"]
    machine.boot(lambda disks: disks)
    first.marker = foreign("u-a")
    assert because() == ["its marker is another drive's"]


def test_what_the_machine_uses_for_itself_meanwhile_is_not_mounted_here() -> None:
    machine, first, _ = shelf()
    machine.mounts = []
    machine.mounted_by_hand(first, "/var/lib/docker")
    planned = machine.planned()
    assert planned.steps == ()
    assert [finding.what for finding in planned.findings] == ["/dev/sda1 holds /var/lib/docker of this machine"]


def test_a_drive_that_is_only_read_may_bear_the_marker_of_another() -> None:
    machine, _, second = shelf()
    second.marker = foreign("u-b")
    run(machine.add("u-b", "theirs", read_only=True, adopt=True))
    assert shown(machine) == {"films": "A", "theirs": "B"}
    assert second.marker == foreign("u-b")
    finished(machine)
    assert shown(machine) == {"films": "A", "theirs": "B"}


def test_a_drive_that_a_person_has_mounted_for_writing_is_shown_read_only_where_that_is_wanted() -> None:
    machine, _, second = shelf()
    machine.mounted_by_hand(second, "/media/anna/B")
    run(machine.add("u-b", "shows", read_only=True))
    assert machine.top(DRIVES + "shows") == replace(
        machine.top("/media/anna/B"), target=DRIVES + "shows", read_only=True
    )
    finished(machine)


def test_nobody_is_marked_while_a_copy_is_there() -> None:
    machine, first, _ = shelf()
    machine.plug(Disk(serial="COPY", uuid="u-a", marker=first.marker), 4)
    assert mark("films", machine.settings["films"], machine.seen()) is None


def test_a_lost_identity_takes_no_drive_away() -> None:
    machine, *_ = shelf()
    assert converge(machine.settings, replace(machine.seen(), stack="")).steps == ()


def test_a_deleted_marker_takes_the_drive_away_only_where_nothing_else_tells_that_it_is_the_one() -> None:
    machine, first, _ = shelf()
    first.marker = ""
    assert machine.planned().steps == ()
    first.serial = "another"
    assert any(isinstance(step, Detach) for step in machine.planned().steps)
    # Two drives that tell no serial need not be the same: a filesystem that was copied, in the same card reader.
    first.serial = ""
    machine.settings = {**machine.settings, "films": machine.settings["films"].model_copy(update={"serial": ""})}
    assert any(isinstance(step, Detach) for step in machine.planned().steps)


def test_a_marker_of_this_stack_that_is_another_drives_is_not_its_own() -> None:
    machine, first, _ = shelf()
    first.marker = text(Marker(stack=STACK, name="films", uuid="u-b"))
    assert [step.because for step in machine.planned().steps if isinstance(step, Detach)] == [
        "its marker is another drive's"
    ]


def test_nothing_is_unmounted_to_be_read_only_while_nobody_knows_what_to_mount_then() -> None:
    machine, first, _ = shelf()
    machine.settings = {"films": machine.settings["films"].model_copy(update={"read_only": True})}
    assert isinstance(machine.planned().steps[0], Unmount)
    machine.plug(Disk(serial="COPY", uuid="u-a", marker=first.marker), 4)
    assert not [step for step in machine.planned().steps if isinstance(step, Unmount | Detach)]


def test_of_a_drive_and_its_copy_none_is_taken_for_the_one_where_no_serial_is_known() -> None:
    machine, first, _ = shelf()
    machine.settings = {"films": machine.settings["films"].model_copy(update={"serial": ""})}
    machine.plug(Disk(serial="", uuid="u-a", marker=first.marker), 4)
    assert not [step for step in machine.planned().steps if isinstance(step, Detach)]
    assert shown(machine) == {"films": "A"}


def test_a_drive_that_does_not_answer_is_detached_and_mounted_anew() -> None:
    machine, first, _ = shelf()
    machine.devices[first] = (machine.devices[first][0], 99)  # the same name once more, as card readers have it
    finished(machine)
    assert machine.lives(machine.mounts[-1])
    assert shown(machine) == {"films": "A"}


def test_what_became_read_only_is_told_and_not_hidden() -> None:
    machine, *_ = shelf()
    machine.mounts = [replace(one, read_only=True) for one in machine.mounts]
    assert machine.planned().steps == ()
    assert [finding.what for finding in machine.planned().findings] == ["nothing can be written to it now"]


def test_a_drive_that_nothing_here_mounts_has_its_guard_and_its_package() -> None:
    machine = Machine(drivers=frozenset({"ext4"}))
    machine.plug(Disk(serial="A", uuid="7FE3-E9B5", type="exfat"), 0)
    machine.settings = {"travel": DriveSettings(uuid="7FE3-E9B5", type="exfat")}
    finished_guards = [step for step in machine.planned().steps if isinstance(step, Guard)]
    assert [step.path for step in finished_guards] == [DRIVES + "travel"]
    assert machine.planned().findings[0].what == "this machine can't mount exfat: install exfat-fuse"


def test_a_btrfs_stays_mounted_whichever_of_its_devices_the_kernel_names() -> None:
    held = Filesystem(source="/dev/sda", type="btrfs", uuid="u")
    pool = Offer(
        device="/dev/sda",
        drive=Drive(name="sda", path="/dev/sda", size=1),
        filesystem=held,
        size=1,
        others=("/dev/sdb",),
    )
    place_ = Place(held=Held(source="/dev/sdb", marker=Marker(stack=STACK, name="pool", uuid="u")))
    seen = Seen(
        data="/d", shared=True, offers=(pool,), places={"pool": place_}, stack=STACK, drivers=frozenset({"btrfs"})
    )
    steps = converge({"pool": DriveSettings(uuid="u", type="btrfs")}, seen).steps
    assert [type(step) for step in steps] == [Persist]


def test_no_drives_leave_nothing_behind() -> None:
    machine, *_ = shelf(shared=False)
    assert machine.lines
    run(machine.remove("films"))
    assert machine.lines == ()
    assert machine.planned() == converge({}, machine.seen())
    assert machine.planned().steps == ()


STEPS: list[tuple[Step, str]] = [
    (Share(path="/d"), "make /d a shared mount"),
    (Guard(path="/d/x"), "make the mountpoint /d/x"),
    (Mark(name="x", source="/dev/sda1", type="ext4", options=(), marker=""), "write the marker of x onto /dev/sda1"),
    (Unmark(name="x", source="/dev/sda1", type="ext4", options=(), marker=""), "take the marker of x off /dev/sda1"),
    (
        MountDrive(name="x", device="/dev/sda1", type="ext4", options=("ro",), target="/d/x"),
        "mount /dev/sda1 (ext4, ro)",
    ),
    (BindDirectory(name="x", source="/mnt/a", target="/d/x", read_only=True), "bind /mnt/a to /d/x, read-only"),
    (Unmount(target="/d/x"), "unmount /d/x"),
    (Detach(target="/d/x", because="it does not answer"), "detach /d/x: it does not answer"),
    (Persist(lines=("a", "b")), "write 2 mounts"),
    (Persist(lines=()), "take our mounts out of fstab"),
]


@pytest.mark.parametrize(("step", "words"), STEPS)
def test_a_step_says_what_it_does_and_how(step: Step, words: str) -> None:
    assert describe(step).startswith(words)
    for command in commands(step):
        assert command[0] in ("mount", "umount", "mkdir", "chattr", "sync")
        assert command[-1] in ("/d", "/d/x")


def test_many_drives_come_and_go() -> None:
    machine, done = cycles(64, 256)
    assert done == 256
    assert shown(machine) == {f"d{n}": f"S{n}" for n in range(64)}
    settled(machine)
