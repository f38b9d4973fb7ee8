"""Whatever happens to a machine with drives, each has one place, nothing is written beside it, a killed run is ended.

The walk does to a machine in memory what people, cables, power and other stacks do to a real one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.storage_kernel import DRIVES, Directory, Disk
from tests.unit.storage_model import Machine, foreign, fork, run
from tests.unit.storage_settled import outside, settled, without_markers


def of_others(state: Mapping[str, Any], places: Collection[str]) -> dict[str, Any]:
    """A state but for what is shown at these places, and for serials.

    Who puts a copy in a drive's place and is killed after the marker has the copy shown, and the old serial until the
    next time that it is added.
    """
    shown = {place: what for place, what in state["shown"].items() if place not in places}
    drives = {name: drive.model_copy(update={"serial": ""}) for name, drive in state["settings"].items()}
    return {**without_markers(state), "shown": shown, "settings": drives}


NAMES = ("films", "shows", "music", "travel")
DISKS = (
    ("WD1", "u-films", "ext4"),
    ("WD2", "u-shows", "xfs"),
    ("WD3", "u-music", "btrfs"),
    ("SANDISK", "7FE3-E9B5", "exfat"),
    ("COPY", "u-films", "ext4"),  # somebody cloned the first
    ("", "u-card", "ext4"),  # many card readers and USB bridges tell no serial
    ("", "u-card", "ext4"),  # another card, cloned from that one
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

    @rule()
    def play_from_the_share(self) -> None:
        nas = self.machine.directories["/mnt/nas"]
        if any(one.of is nas and one.target.startswith(DRIVES) for one in self.machine.mounts):
            self.machine.open ^= {nas}

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
        # Whose marker was deleted is not mounted a second time: a person has to say that it is the one.
        lost = {disk.uuid for disk in self.machine.devices if not disk.marker}
        waits = {DRIVES + n for n, drive in ended["settings"].items() if drive.uuid in lost and not drive.read_only}
        assert of_others(ended, waits) in (of_others(whole.state(), waits), of_others(never.state(), waits))

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
