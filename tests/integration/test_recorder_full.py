"""The drive is full, at every step: what was recorded stays, one is told, and it goes on when there is room again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.recorder_rig.desk import Desk
from tests.integration.recorder_rig.disks import MAKERS, call, disk
from tests.integration.recorder_rig.faulty import ROOM, Faulty, steps
from tests.integration.recorder_rig.media import GOP, VIDEO, number_of
from tests.integration.recorder_rig.witness import NEVER
from tests.recorder_crash.player import play
from usenet.recorder.errors import Full, Poisoned
from usenet.recorder.policy import Flush

pytestmark = pytest.mark.slow
SIZES = {"ext4": 32, "xfs": 320, "btrfs": 128}
SPARE = (8, 40, 200, 600, 2000)  # KiB
FLUSH = Flush("time", 200, 50)


def _story(folder: Path, io: Faulty) -> Desk:
    """Two segments of two GOPs each; then there is room, and a third."""
    desk = Desk(folder, io, rotate_s=0.3, inline=True)
    try:
        desk.take(4 * GOP)
        io.mend()
        desk.take(2 * GOP)
    finally:
        desk.close()
    return desk


def test_no_room_from_any_step_on(tmp_path):
    """Each call that takes room is refused, and all after it, until the third segment."""
    count = steps(ROOM, lambda io: _story(tmp_path / "whole", io))
    assert count > 40
    hit = set()
    for first in range(1, count + 1):
        io = Faulty(errno.ENOSPC, first, ROOM, once=False)
        desk = _story(tmp_path / str(first), io)
        hit.add(io.hit)
        verdict = desk.judge()
        assert verdict.breaches == [], f"call {first}, {io.hit}"
        assert verdict.kept["camera", VIDEO] >= set(range(4 * GOP, 6 * GOP)), (
            f"call {first}, {io.hit}: it did not go on"
        )
        _are_sentences(desk, f"call {first}, {io.hit}")
        if not desk.errors + desk.told:
            assert verdict.kept["camera", VIDEO] == set(range(6 * GOP)), f"call {first}, {io.hit}: lost in silence"
    assert hit >= ROOM


def test_a_drive_so_full_that_it_takes_no_room_back(tmp_path):
    """The file is finished all the same."""
    io = Faulty(errno.ENOSPC, 1, frozenset({"punch"}), once=False)
    desk = Desk(tmp_path / "desk", io)
    desk.take(2 * GOP)
    desk.close()
    assert io.hit == "punch"
    assert desk.told == []
    assert [path.suffix for path in desk.folder.iterdir()] == [".mp4"]
    assert desk.judge().breaches == []


def _are_sentences(desk: Desk, where: str) -> None:
    for error in desk.errors + desk.told:
        if "no sample to keep" not in error.message:
            assert isinstance(error, Full | Poisoned), where
            assert "no room" in error.message or isinstance(error, Poisoned), f"{where}: {error}"
            assert error.hint, where


@pytest.fixture
def may_mount() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    if not Path("/dev/loop-control").exists():
        pytest.skip("this machine has no loop devices")


@contextmanager
def _full_but(place: Path, spare: int) -> Iterator[None]:
    """Nothing more fits but `spare` bytes, until the end."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4 << 20, 1 << 18, 1 << 14, 4096, 4096):
            _fill(file.fileno(), size)
        os.ftruncate(file.fileno(), max(0, os.fstat(file.fileno()).st_size - spare))
        os.fsync(file.fileno())
    try:
        yield
    finally:
        ballast.unlink()
        call("sync", "--file-system", str(place))


def _fill(handle: int, size: int) -> None:
    while True:
        try:
            os.write(handle, bytes(size))
            os.fsync(handle)
        except OSError:
            return


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("kind", MAKERS)
def test_a_drive_that_fills_up(kind, tmp_path):
    """With so much room left that it ends in the head, in the index, in a chunk: the file is finished, or plays."""
    finished = {}
    with disk(kind, "shutdown", tmp_path / "disk", options="noatime,nodiscard", megabytes=SIZES[kind]) as made:
        for kilobytes in SPARE:
            desk = Desk(made.at / str(kilobytes), rotate_s=20, flush=FLUSH, log=tmp_path / f"{kilobytes}.log")
            try:
                with _full_but(made.at, kilobytes << 10):
                    desk.until(lambda desk=desk: len(desk.errors) > 2)
                    desk.recorder.roll()
                    desk.settled()
                    finished[kilobytes] = _plays(desk)
                begun = desk.number
                desk.take(4 * GOP)
            finally:
                desk.close()
            verdict = desk.judge()
            assert verdict.breaches == [], f"{kilobytes} KiB left"
            assert verdict.kept["camera", VIDEO] >= set(range(-(-begun // GOP) * GOP, begun + 4 * GOP)), (
                "it did not go on"
            )
            assert all(isinstance(error, Full) and error.hint for error in desk.errors), desk.errors
    assert (0, 0) in finished.values(), "each recording began"
    in_place = kind != "btrfs"  # which takes new room even for what was allocated
    assert sum(done if in_place else done + live for done, live in finished.values()) >= 2, finished
    assert not in_place or not any(live for _, live in finished.values()), "the reserve was not used"


def _plays(desk: Desk) -> tuple[int, int]:
    """Of what was recorded: how many finished files, how many that only play. None holds less than was written."""
    seen, finished, live = desk.seen(), 0, 0
    for path in seen.segments():
        part = Path(f"{path}.part")
        if not part.exists() and not Path(path).exists():
            continue
        finished, live = finished + Path(path).exists(), live + part.exists()
        content = (part if part.exists() else Path(path)).read_bytes()
        shown = {number_of(each.data, VIDEO) for each in play(content).get(VIDEO, [])}
        last = seen.written(path, NEVER).get(VIDEO, -1)
        assert set(range(min(shown, default=0), last + 1)) <= shown
    return finished, live
