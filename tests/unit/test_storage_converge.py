"""Whatever happens to a machine with drives, each has one place, nothing is written beside it, a killed run is ended.

`storage_model` is the machine. The walk below does to it what people, cables, power and other stacks do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.storage_model import (
    DRIVES,
    HIDDEN,
    STACK,
    Directory,
    Disk,
    Machine,
    cycles,
    foreign,
    fork,
    plain,
    run,
)
from usenet.domain.host import Drive, Filesystem
from usenet.domain.storage.converge import converge
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, read
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

NAMES = ("films", "shows", "music", "travel")
DISKS = (
    ("WD1", "u-films", "ext4"),
    ("WD2", "u-shows", "xfs"),
    ("WD3", "u-music", "btrfs"),
    ("SANDISK", "7FE3-E9B5", "exfat"),
    ("COPY", "u-films", "ext4"),  # somebody cloned the first
)
PORTS = st.integers(0, 7)
SOME = st.integers(0, len(DISKS) - 1)
# After how many operations the run is killed; None: never.
KILLED = st.none() | st.integers(0, 30)


class Life(RuleBasedStateMachine):
    """Drives come, go and are mixed up; runs are killed; machines start again."""

    def __init__(self, *, shared: bool = True) -> None:
        super().__init__()
        self.machine = Machine(shared=shared, directories={"/mnt/nas": Directory("/mnt/nas")})
        self.disks = [Disk(serial=serial, uuid=uuid, type=kind) for serial, uuid, kind in DISKS]
        self.before = outside(self.machine)

    @initialize(stack=st.integers(0, 4))
    def have_some(self, stack: int) -> None:
        for port, name in enumerate(NAMES[:stack]):
            self.machine.plug(self.disks[port], port)
            run(self.machine.add(self.disks[port].uuid, name))

    # --- cables and power ---

    @rule(which=SOME, port=PORTS)
    def plug(self, which: int, port: int) -> None:
        disk = self.disks[which]
        if disk not in self.machine.devices and port not in self.machine.ports:
            self.machine.plug(disk, port)

    @rule(which=SOME)
    def pull(self, which: int) -> None:
        self.machine.pull(self.disks[which])
        self.before = outside(self.machine)

    @rule(seed=st.integers(0, 9))
    def boot(self, seed: int) -> None:
        self.machine.boot(lambda disks: random.Random(seed).sample(disks, len(disks)))
        self.before = outside(self.machine)

    # --- people ---

    @rule(which=SOME, name=st.sampled_from(NAMES), read_only=st.booleans(), adopt=st.booleans(), killed=KILLED)
    def add(self, which: int, name: str, read_only: bool, adopt: bool, killed: int | None) -> None:
        uuid = self.disks[which].uuid
        self.verb(lambda m: m.add(uuid, name, read_only=read_only, adopt=adopt), killed)

    @rule(killed=KILLED)
    def add_share(self, killed: int | None) -> None:
        self.verb(lambda m: m.add_directory("/mnt/nas", "nas"), killed)

    @rule(name=st.sampled_from((*NAMES, "nas")), killed=KILLED)
    def remove(self, name: str, killed: int | None) -> None:
        if name in self.machine.settings:
            self.verb(lambda m: m.remove(name), killed)

    @rule(name=st.sampled_from(NAMES))
    def forget_in_an_editor(self, name: str) -> None:
        self.machine.settings.pop(name, None)

    @rule(which=SOME)
    def mount_by_hand(self, which: int) -> None:
        disk = self.disks[which]
        if disk in self.machine.devices and not self.machine.top(f"/media/{which}"):
            self.machine.mounted_by_hand(disk, f"/media/{which}")
            self.before = outside(self.machine)

    @rule(which=SOME)
    def unmount_by_hand(self, which: int) -> None:
        self.machine.mounts = [one for one in self.machine.mounts if one.target != f"/media/{which}"]
        self.before = outside(self.machine)

    @rule(which=SOME)
    def play_a_film(self, which: int) -> None:
        if any(one.of is self.disks[which] and one.target.startswith(DRIVES) for one in self.machine.mounts):
            self.machine.open ^= {self.disks[which]}

    # --- others ---

    @rule(which=SOME)
    def another_stack_takes_it(self, which: int) -> None:
        if self.disks[which] not in self.machine.devices:
            self.disks[which].marker = foreign(self.disks[which].uuid)

    @rule(which=SOME)
    def delete_the_marker(self, which: int) -> None:
        self.disks[which].marker = ""

    @rule()
    def clone(self) -> None:
        if self.disks[4] not in self.machine.devices:
            self.disks[4].marker = self.disks[0].marker

    @rule(served=st.booleans())
    def share(self, served: bool) -> None:
        if not any(one.of is self.machine.directories["/mnt/nas"] for one in self.machine.mounts):
            self.machine.directories["/mnt/nas"].served = served

    # --- and what is promised ---

    @rule(killed=KILLED)
    def converge(self, killed: int | None) -> None:
        self.verb(lambda m: m.apply(), killed)

    def verb(self, walk: Callable[[Machine], Iterator[None]], killed: int | None) -> None:
        """Run it to its end, or kill it and run the next: both must end alike, or as if it had never been run."""
        if killed is None:
            run(walk(self.machine), after=self.nothing_is_exposed)
            return
        whole, never = fork(self.machine), fork(self.machine)
        run(walk(whole))
        run(whole.apply())
        run(never.apply())
        run(walk(self.machine), killed, after=self.nothing_is_exposed)
        run(self.machine.apply(), after=self.nothing_is_exposed)
        ended = self.machine.state()
        wanted = {drive.uuid for drive in ended["settings"].values() if not drive.read_only}
        if any(disk.uuid in wanted and not disk.marker for disk in self.machine.devices):
            return  # whose marker was deleted is not mounted a second time: a person has to say that it is the one
        assert without_markers(ended) in (without_markers(whole.state()), without_markers(never.state()))

    @invariant()
    def nothing_is_exposed(self) -> None:
        """No byte of a container can reach the root disk, not even while a run is at work."""
        assert self.machine.exposed() == []

    @invariant()
    def the_next_run_ends_it(self) -> None:
        after = fork(self.machine)
        run(after.apply())
        settled(after)

    @invariant()
    def nothing_else_is_touched(self) -> None:
        assert outside(self.machine) == self.before


class WithoutSystemd(Life):
    """The root mount is private, as the kernel makes it."""

    def __init__(self) -> None:
        super().__init__(shared=False)


TestLife = Life.TestCase
TestWithoutSystemd = WithoutSystemd.TestCase
TestLife.settings = TestWithoutSystemd.settings = settings(max_examples=60, stateful_step_count=50)


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


def shown(machine: Machine) -> dict[str, str]:
    return {
        one.target.removeprefix(DRIVES): one.of.serial if isinstance(one.of, Disk) else one.of.path
        for one in machine.mounts
        if one.target.startswith(DRIVES)
    }


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
    machine, *_ = shelf()
    machine.made.add(DRIVES + "shows")
    machine.mount("/dev/sdb1", DRIVES + "shows", "ext4", read_only=False)
    run(machine.apply())
    assert DRIVES + "shows" in machine.guarded


def test_a_lost_identity_takes_no_drive_away() -> None:
    machine, *_ = shelf()
    assert converge(machine.settings, replace(machine.seen(), stack="")).steps == ()


def test_a_deleted_marker_takes_the_drive_away_only_where_nothing_else_tells_that_it_is_the_one() -> None:
    machine, first, _ = shelf()
    first.marker = ""
    assert machine.planned().steps == ()
    first.serial = "another"
    assert any(isinstance(step, Detach) for step in machine.planned().steps)


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
    (Unmark(name="x", source="/dev/sda1", type="ext4", options=()), "take the marker of x off /dev/sda1"),
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


def outside(machine: Machine) -> list[object]:
    """What is mounted where this stack has no business."""
    return [one for one in machine.mounts if not one.target.startswith((DRIVES, HIDDEN))]


def without_markers(state: Mapping[str, Any]) -> dict[str, Any]:
    """A killed removal may leave our marker on the drive, a killed addition too; neither is asked for again."""
    return {**state, "markers": {}}


def settled(machine: Machine) -> None:
    """After a run that nobody disturbed: what can be there is, what can't is not, and nothing is left to do."""
    assert not [one for one in machine.mounts if one.target.startswith(HIDDEN)]
    unsettled = {name for name in machine.settings if not right(machine, name)}
    for one in machine.mounts:
        name = one.target.removeprefix(DRIVES)
        if one.target.startswith(DRIVES) and name not in machine.settings:
            theirs = (found := read(one.of.marker)) and found.stack != STACK
            assert theirs or one.of in machine.open, f"{one} stays"
            unsettled.add(name)
    left = [
        step for step in machine.planned().steps if not place(step).startswith(tuple(DRIVES + n for n in unsettled))
    ]
    assert left == []
    check_fstab(machine)


def right(machine: Machine, name: str) -> bool:
    """Whether nothing more can be done for a drive. It must be shown if, and only if, it is the one."""
    drive, one = machine.settings[name], machine.top(DRIVES + name)
    if drive.path:
        found: list[Any] = [one for one in machine.directories.values() if one.served]
    else:
        found = [disk for disk in machine.devices if disk.uuid == drive.uuid]
    if len(found) > 1:  # a drive and its copy: the drive stays, the copy never does while both are there
        assert one is None or (one.of in found and machine.lives(one))
        assert one is None or one.of.serial == drive.serial or drive.serial not in {disk.serial for disk in found}
        return True
    marker = read(found[0].marker) if found else None
    known = drive.read_only or (marker is not None and (marker.stack, marker.uuid) == (STACK, drive.uuid))
    if found and marker is None and not known and drive.serial and found[0].serial == drive.serial:
        return False  # its marker was deleted: it may stay, and is not mounted anew
    if not found or not known:
        assert one is None, f"{name} is shown, and is away or another's"
        return bool(drive.uuid) and not found  # of a directory only the try tells
    if one is None and found[0] in machine.open:
        return False  # it is in use at the place that it had before
    assert one is not None, f"{name} is there and not shown"
    assert one.of is found[0]
    assert machine.lives(one)
    assert one.read_only or not drive.read_only or one.of in machine.open, f"{name} can be written"
    return one.read_only == drive.read_only


def place(step: object) -> str:
    return getattr(step, "target", getattr(step, "path", ""))


def check_fstab(machine: Machine) -> None:
    """The lines are of the drives and of nothing else, and none can stop a machine from starting."""
    lines = [[plain(word) for word in line.split(" ")] for line in machine.lines]
    for _, target, _, options, *rest in lines:
        assert "nofail" in options.split(",")
        assert rest == ["0", "0"]
        assert target.startswith(DRIVES) or "rshared" in options
    drives = {target: (source, "ro" in options.split(",")) for source, target, _, options, *_ in lines}
    wanted = {
        DRIVES + name: (drive.path or f"UUID={drive.uuid}", drive.read_only) for name, drive in machine.settings.items()
    }
    assert {target: held for target, held in drives.items() if target.startswith(DRIVES)} == wanted
