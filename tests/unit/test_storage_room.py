"""What is told of a pool before a drive joins it, and of one that takes no new file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.storage_desk import Desk
from tests.unit.storage_kernel import DRIVES, Disk
from tests.unit.storage_model import Machine
from usenet.actions import storage
from usenet.actions.storage import check, pool
from usenet.actions.storage.room import full
from usenet.adapters import mounts
from usenet.adapters.storage import mergerfs
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.pool import Mounted, PoolSeen, no_room
from usenet.domain.storage.steps import MountPool

GIB = 2**30


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([(100 * GIB, 50 * GIB), (GIB // 5, GIB // 5)], ""),
        ([(100 * GIB, GIB)], "it is full"),
        ([(GIB // 5, GIB // 5), (4 * GIB, 4 * GIB)], "no drive of it is larger than what is to stay free (4 GiB)"),
        ([], "none of its drives takes new files"),
    ],
)
def test_a_pool_that_takes_no_file_is_told_with_the_reason(sizes: list[tuple[int, int]], told: str) -> None:
    found = [one.what for one in no_room(sizes, 4 * GIB)]
    assert found == ([f"{told}: every new file fails with 'No space left on device'"] if told else [])


def test_only_drives_that_take_new_files_count(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"/d/small": (GIB, 0, GIB), "/d/large": (100 * GIB, 0, 100 * GIB)}
    monkeypatch.setattr(mounts, "usage", sizes.__getitem__)
    assert full(["/d/small=RW", "/d/large=RW"], 4 * GIB) == ()
    assert full(["/d/small=RW", "/d/large=NC"], 4 * GIB)


def test_nothing_is_said_of_a_drive_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: str) -> None:
        raise SystemFailure("stat did not end")

    monkeypatch.setattr(mounts, "usage", silent)
    assert full(["/d/films=RW"], 4 * GIB) == ()


class Beside(Desk):
    """A stack with the drives films and shows, of 200 MiB each, and one more; mergerfs is there, and no pool."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        machine = Machine()
        for port, uuid in enumerate(("u-a", "u-b", "u-c")):
            machine.plug(Disk(serial=uuid, uuid=uuid), port)
        super().__init__(folder, machine, patch)
        self.pool = PoolSeen(guarded=True)
        self.add("u-a", "films")
        self.add("u-b", "shows")

    def _stand_ins(self) -> dict[ModuleType, dict[str, Callable[..., object]]]:
        return {
            **super()._stand_ins(),
            mergerfs: {
                "look": lambda *_: self.pool,
                "require": lambda: None,
                "mount": self.mount,
                "closed": lambda *_: None,
            },
            mounts: {"usage": lambda *_: (200 * 2**20, 0, 190 * 2**20)},
        }

    def mount(self, step: MountPool, _: str) -> None:
        self.pool = PoolSeen(
            mounted=Mounted(type="fuse.mergerfs", branches=step.branches, policy="mfs", min_free=4 * GIB)
        )
        self.machine.lines = step.lines

    def create(self, *, dry_run: bool = False) -> list[str]:
        self._sit_down()
        made = pool.create(self.home, (), policy="mfs", min_free="4G", dry_run=dry_run, say=lambda _: None)
        return [one.what for one in made.findings]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    return Beside(tmp_path / "home", monkeypatch)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_pool_of_drives_that_are_too_small_says_so_when_it_is_made(desk: Beside, *, dry_run: bool) -> None:
    (told,) = desk.create(dry_run=dry_run)
    assert "no drive of it is larger than what is to stay free (4 GiB)" in told


def test_the_look_at_everything_sees_it_too(desk: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.create()
    for part in ("_tree", "_silent"):
        monkeypatch.setattr(check, part, {"_tree": lambda _: ((), None, ()), "_silent": lambda *_: {}}[part])
    monkeypatch.setattr(check.inside, "look", lambda *_, **__: ((), ()))
    found = [f"{one.about}: {one.what}" for one in check.look(desk.home).problems]
    assert [one for one in found if one.startswith("pool: no drive of it is larger")], found


def test_before_a_drive_is_added_it_is_told_that_it_joins_the_pool(desk: Beside) -> None:
    desk.create()
    desk.pool = PoolSeen(guarded=True)
    desk.dry = True
    wish = storage.Wish(drive="u-c", name="music")
    planned = storage.add(desk.home, wish, dry_run=True, say=lambda _: None)
    (made,) = [one for one in planned.steps if isinstance(one, MountPool)]
    assert made.branches == tuple(f"{DRIVES}{name}=RW" for name in ("films", "shows", "music"))
    alone = storage.add(
        desk.home, storage.Wish(drive="u-c", name="music", role="backup"), dry_run=True, say=lambda _: None
    )
    (made,) = [one for one in alone.steps if isinstance(one, MountPool)]
    assert "music" not in "".join(made.branches)
