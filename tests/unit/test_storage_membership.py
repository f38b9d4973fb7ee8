"""How drives join and leave a pool that is in use, on a machine in memory: what is refused leaves all as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.storage_desk import Desk, Killed
from tests.unit.storage_kernel import DRIVES, Disk
from tests.unit.storage_model import Machine
from tests.unit.storage_settled import shown
from usenet.actions import storage
from usenet.actions.storage import membership, pool
from usenet.adapters.storage import balancing, journal, mergerfs, mounting, recovering
from usenet.adapters.storage.holders import Holder
from usenet.domain.errors import SystemFailure, UsenetError, ValidationError
from usenet.domain.storage.pool import Mounted, PoolSeen
from usenet.domain.storage.steps import MountPool, SetPool

POOL = DRIVES + "pool"
PLAYER = Holder(pid=1, command="player", container="", path=f"{POOL}/film")


class Pooled(Desk):
    """A stack whose drives d0 and d1 are in a pool. `holders`: who has files open by way of it; `asked`: the branches
    at the times when that was asked.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        machine = Machine()
        for port in range(3):
            machine.plug(Disk(serial=f"S{port}", uuid=f"u-{port}"), port)
        super().__init__(folder, machine, patch)
        self.mounted: Mounted | None = None
        self.holders: tuple[Holder, ...] = ()
        self.balancing = False
        self.stopped: str | Exception = ""
        self.asked: list[dict[str, str]] = []
        for name in ("d0", "d1"):
            self.add(f"u-{name[1]}", name)
        text = self.home.settings.read_text()
        self.home.settings.write_text(f"{text}  pool: {{drives: {{d0: {{}}, d1: {{}}}}, min_free: 1}}\n")
        self.apply()
        assert self.branches() == {"d0": "RW", "d1": "RW"}

    def _stand_ins(self) -> dict[ModuleType, dict[str, Callable[..., object]]]:
        stand_ins = super()._stand_ins()
        drives = stand_ins[mounting]["unmount"]
        stand_ins[mounting]["unmount"] = lambda target: self.end() if str(target) == POOL else drives(target)
        return {
            **stand_ins,
            mergerfs: {
                "look": lambda *_: PoolSeen(mounted=self.mounted, guarded=POOL in self.machine.guarded),
                "mount": self.begin,
                "change": self.begin,
                "require": lambda: None,
                "holding": self.holding,
            },
            balancing: {"alone": self.alone},
            journal: {"read": lambda _: self.stopped},
            recovering: {"recover": self.recover},
        }

    def begin(self, step: MountPool | SetPool, _: str) -> None:
        assert self.locked
        told = step if isinstance(step, SetPool) else self._read().storage.pool
        assert told
        self.mounted = Mounted(type="fuse.mergerfs", branches=step.branches, policy=told.policy, min_free=told.min_free)
        self.machine.lines = step.lines

    def holding(self, *_: object) -> tuple[Holder, ...]:
        self.asked.append(self.branches())
        return self.holders

    def end(self) -> None:
        assert self.locked
        if self.holders:
            raise SystemFailure("the pool is in use")
        self.mounted = None

    def recover(self, *_: object) -> str:
        if isinstance(self.stopped, Exception):
            raise self.stopped
        told, self.stopped = self.stopped, ""
        return told

    @contextmanager
    def alone(self, _: object) -> Iterator[None]:
        if self.balancing:
            raise UsenetError("files are being moved")
        yield

    def branches(self) -> dict[str, str]:
        parts = [one.rpartition("=") for one in self.mounted.branches] if self.mounted else []
        return {path.removeprefix(DRIVES): mode for path, _, mode in parts}

    def state(self) -> object:
        return self.home.settings.read_text(), self.machine.state(), self.mounted

    def leave_pool(self, name: str) -> None:
        self._sit_down()
        pool.remove(self.home, name, say=lambda _: None)

    def destroy(self) -> None:
        self._sit_down()
        pool.destroy(self.home, say=lambda _: None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pooled:
    monkeypatch.setattr(membership, "DRAINED", 0.0)
    return Pooled(tmp_path / "home", monkeypatch)


def test_a_drive_leaves_the_pool_before_it_is_unmounted(desk: Pooled) -> None:
    was: list[dict[str, str]] = []
    desk.refuse = lambda step: was.append(desk.branches())
    desk.remove("d0")
    assert was[0] == {"d1": "RW"}
    assert (desk.branches(), shown(desk.machine)) == ({"d1": "RW"}, {"d1": "S1"})
    assert "d0" not in desk.home.settings.read_text()
    assert not [line for line in desk.machine.lines if f"{DRIVES}d0" in line]


@pytest.mark.parametrize("verb", ["remove", "leave_pool"])
def test_a_drive_from_which_files_are_open_by_way_of_the_pool_stays(desk: Pooled, verb: str) -> None:
    desk.holders = (PLAYER,)
    before = desk.state()
    with pytest.raises(SystemFailure, match="open by way of the pool"):
        getattr(desk, verb)("d0")
    assert desk.state() == before


@pytest.mark.parametrize("verb", ["remove", "leave_pool"])
def test_nothing_is_put_on_a_drive_while_its_open_files_are_waited_for(desk: Pooled, verb: str) -> None:
    getattr(desk, verb)("d0")
    assert desk.asked[0] == {"d0": "NC", "d1": "RW"}


@pytest.mark.parametrize("verb", ["remove", "leave_pool"])
def test_the_last_drive_and_one_that_is_being_emptied_stay(desk: Pooled, verb: str) -> None:
    desk.balancing = True
    before = desk.state()
    with pytest.raises(UsenetError, match="are being moved"):
        getattr(desk, verb)("d0")
    assert desk.state() == before
    desk.balancing = False
    desk.remove("d0")
    before = desk.state()
    with pytest.raises(ValidationError, match="last drive of the pool"):
        getattr(desk, verb)("d1")
    assert desk.state() == before


def test_a_drive_that_could_not_be_unmounted_is_in_the_pool_again(desk: Pooled) -> None:
    (disk,) = [one for one in desk.machine.devices if one.serial == "S0"]
    desk.machine.open = {disk}
    before = desk.state()
    with pytest.raises(SystemFailure, match="busy"):
        desk.remove("d0")
    assert desk.state() == before


def test_killed_anywhere_the_next_run_has_it_in_both_or_in_none(desk: Pooled, tmp_path: Path) -> None:
    number, was = 0, True
    while was:
        made = Pooled(tmp_path / str(number), desk.patch)
        made.left = number
        try:
            made.remove("d0")
            was = False
        except Killed:
            made.left = None
            made.apply()
        there = "d0" in shown(made.machine)
        assert made.branches() == ({"d0": "RW", "d1": "RW"} if there else {"d1": "RW"}), number
        assert ("d0:" in made.home.settings.read_text()) == there, number
        number += 1
    assert number > 4


@pytest.mark.parametrize(
    ("how", "joins"),
    [({}, True), ({"role": "backup"}, False), ({"needed": False}, False), ({"read_only": True}, False)],
    ids=["media", "backup", "travels", "only read"],
)
def test_what_joins_the_stack_joins_the_pool_if_it_is_of_its_kind(
    desk: Pooled, how: dict[str, object], joins: bool
) -> None:
    desk._sit_down()
    storage.add(desk.home, replace(storage.Wish(drive="u-2", name="d2"), **how), say=lambda _: None)  # type: ignore[arg-type]
    assert shown(desk.machine)["d2"] == "S2"
    assert ("d2" in desk.branches()) == joins


def test_a_drive_that_was_taken_out_of_the_pool_is_not_put_in_by_adding_it_again(desk: Pooled) -> None:
    desk.leave_pool("d0")
    desk.add("u-0", "d0")
    assert desk.branches() == {"d1": "RW"}


def test_what_is_not_said_of_a_drive_of_the_stack_stays_as_it_was(desk: Pooled) -> None:
    desk._sit_down()
    storage.add(desk.home, storage.Wish(drive="u-2", name="d2", role="backup", needed=False), say=lambda _: None)
    before = desk.home.settings.read_text()
    storage.add(desk.home, storage.Wish(drive="u-2", name="d2"), say=lambda _: None)  # as `storage check` says it
    assert (desk.home.settings.read_text(), desk.branches()) == (before, {"d0": "RW", "d1": "RW"})
    storage.add(desk.home, storage.Wish(drive="u-2", needed=True), say=lambda _: None)
    drive = desk.observe(desk.home).drives["d2"]
    assert (drive.role, drive.needed) == ("backup", True)
    storage.add(desk.home, storage.Wish(drive="u-2", role="media"), say=lambda _: None)
    assert "d2" in desk.branches()


def test_a_drive_in_another_case_does_not_join_the_pool_it_was_taken_out_of(desk: Pooled) -> None:
    desk.leave_pool("d0")
    desk.home.settings.write_text(desk.home.settings.read_text().replace("serial: S0", "serial: S-of-the-old-case"))
    desk.add("u-0", "d0")
    assert desk.observe(desk.home).drives["d0"].serial == "S0"
    assert desk.branches() == {"d1": "RW"}


def test_a_pool_in_use_stays(desk: Pooled) -> None:
    desk.holders = (PLAYER,)
    before = desk.state()
    with pytest.raises(SystemFailure, match="in use"):
        desk.destroy()
    assert desk.state() == before
    desk.holders, desk.balancing = (), True
    with pytest.raises(UsenetError, match="are being moved"):
        desk.destroy()
    assert desk.state() == before
    desk.balancing = False
    desk.destroy()
    assert (desk.mounted, shown(desk.machine)) == (None, {"d0": "S0", "d1": "S1"})
    assert not [line for line in desk.machine.lines if "mergerfs" in line]


def test_a_dead_drive_leaves_the_mounted_pool_and_is_back_when_it_returns(desk: Pooled) -> None:
    (disk,) = [one for one in desk.machine.devices if one.serial == "S0"]
    desk.machine.pull(disk)
    desk.apply()
    assert desk.branches() == {"d1": "RW"}
    desk.machine.plug(disk, 5)
    desk.apply()
    assert desk.branches() == {"d0": "RW", "d1": "RW"}


@pytest.mark.parametrize("verb", ["remove", "leave_pool", "destroy"])
def test_what_a_stopped_balance_left_is_ended_before_a_drive_leaves(desk: Pooled, verb: str) -> None:
    def leave() -> None:
        getattr(desk, verb)(*([] if verb == "destroy" else ["d0"]))

    before = desk.state()
    desk.stopped = SystemFailure("it is open")
    with pytest.raises(SystemFailure, match="it is open"):
        leave()
    desk.stopped = "a film is on d0 and d1, and differs"  # told once
    with pytest.raises(SystemFailure, match="and differs"):
        leave()
    assert desk.state() == before
    desk.stopped = recovering.Unended("d0 fails")  # it may leave all the more
    leave()
    assert "d0" not in desk.branches()
