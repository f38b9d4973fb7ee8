"""Before services start: which drives, and whether the pool, are there; what a person is told of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.making import service
from tests.unit.storage_desk import Desk
from tests.unit.storage_kernel import Disk
from tests.unit.storage_model import Machine
from usenet.actions.storage.present import Present, present
from usenet.adapters import settings
from usenet.adapters.storage import mergerfs
from usenet.domain.storage.pool import Mounted, PoolSeen

KNOWN = {"screen": service(role="pool-dependent", wants={"media": "read"}), "page": service()}


class Pooled(Desk):
    """A stack with the drives films, and travel, which nobody needs, and a pool of films; `pool` is what is there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        machine = Machine()
        self.films, self.travel = Disk(serial="A", uuid="u-a"), Disk(serial="B", uuid="u-b")
        machine.plug(self.films, 0)
        machine.plug(self.travel, 1)
        super().__init__(folder, machine, patch)
        self.pool = PoolSeen(installed=False, guarded=True)
        self.add("u-a", "films")
        self.add("u-b", "travel")
        text = self.home.settings.read_text().replace("serial: B", "serial: B, needed: false")
        self.home.settings.write_text(f"{text}  pool: {{drives: {{films: {{}}}}}}\n")

    def _stand_ins(self) -> dict[ModuleType, dict[str, Callable[..., object]]]:
        return {**super()._stand_ins(), mergerfs: {"look": lambda *_: self.pool}}

    def present(self) -> Present:
        self._sit_down()
        with self.lock():
            return present(self.home, settings.load(self.home), KNOWN, lambda _: None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pooled:
    return Pooled(tmp_path / "home", monkeypatch)


def test_who_sees_drives_waits_while_there_is_no_pool_and_everybody_is_told(desk: Pooled) -> None:
    found = desk.present()
    assert found.waits == {"screen": "it waits for the pool: mergerfs is not installed"}
    assert found.warnings == ("pool: mergerfs is not installed; install mergerfs",)


def test_a_pool_that_does_not_answer_is_away(desk: Pooled) -> None:
    desk.pool = PoolSeen(installed=False, mounted=Mounted(type="fuse.mergerfs", alive=False))
    assert list(desk.present().waits) == ["screen"]


def test_a_pool_of_drives_that_nobody_needs_is_waited_for_by_nobody(desk: Pooled) -> None:
    text = desk.home.settings.read_text().replace("films: {}}", "travel: {}}")
    desk.home.settings.write_text(text)
    assert desk.present().waits == {}


def test_that_a_drive_which_travels_is_away_is_no_warning_that_another_is_is_one(desk: Pooled) -> None:
    desk.machine.pull(desk.travel)
    assert not [one for one in desk.present().warnings if one.startswith("travel")]
    desk.machine.pull(desk.films)
    assert [one for one in desk.present().warnings if one.startswith("films: it is not plugged in; plug it in")]


def test_a_drive_that_is_mounted_and_silent_is_away(desk: Pooled) -> None:
    desk._sit_down()
    desk.pool = replace(desk.pool, mounted=Mounted(type="ext4"))  # and leave that of the drives alone
    real = desk.observe
    stuck = lambda home, **how: real(home, **{**how, "dead": {"films"}})  # noqa: E731
    for name in ("present", "settling", "change"):
        desk.patch.setattr(f"usenet.actions.storage.{name}.observe", stuck)
    with desk.lock():
        found = present(desk.home, settings.load(desk.home), KNOWN, lambda _: None)
    assert "the drive films" in found.waits["screen"]
