"""A drive that fails, is pulled, turns read-only or is unmounted."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.recorder_rig.desk import Desk, abandoned
from tests.integration.recorder_rig.disks import MAKERS, Disk, call, disk
from tests.integration.recorder_rig.faulty import ALL, Faulty, steps
from tests.integration.recorder_rig.media import GOP, VIDEO, number_of
from tests.integration.recorder_rig.power import FLUSHES
from tests.integration.recorder_rig.witness import NEVER
from tests.recorder_crash.player import play
from tests.waiting import wait
from usenet.recorder import commit as commits
from usenet.recorder.errors import Poisoned, RecorderError
from usenet.recorder.io import Files
from usenet.recorder.recovery import recover

pytestmark = pytest.mark.slow


@pytest.fixture
def may_mount() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    if not Path("/dev/loop-control").exists() or not Path("/dev/fuse").exists():
        pytest.skip("this machine has no loop devices or no FUSE")


# EIO, once


def _stands() -> int:
    """A clock that stands still: the next segment would like the name that the last one had."""
    return 10**18


def _story(folder: Path, io: Faulty, clock: Callable[[], int] = time.time_ns) -> Desk:
    """A segment of two GOPs, and a second that ends while the drive is well again."""
    desk = Desk(folder, io, rotate_s=0.3, inline=True, more={"clock": clock})
    desk.take(3 * GOP)
    desk.take(2 * GOP)
    desk.close()
    return desk


@pytest.mark.parametrize("clock", [time.time_ns, _stands])
def test_any_call_of_a_recorder_may_fail_once(clock, tmp_path):
    """What was written is there, a failing fsync is not tried again, and the next key frame finds a new segment."""
    count = steps(ALL, lambda io: _story(tmp_path / "whole", io, clock))
    hit = set()
    for first in range(1, count + 1):
        io = Faulty(errno.EIO, first, ALL, once=True)
        desk = _story(tmp_path / str(first), io, clock)
        hit.add(io.hit)
        where = f"call {first}, {io.hit}"
        assert all(isinstance(error, Poisoned) and error.hint for error in desk.errors), where
        assert _retried(desk) == [], where
        verdict = desk.judge()
        assert verdict.breaches == [], where
        missing = set(range(5 * GOP)) - verdict.kept["camera", VIDEO]
        assert len(missing) <= 2 * GOP, f"{where}: it did not go on"
    assert hit >= {"open new", "pwrite", "allocate", "sync", "rename", "unlink", "punch", "syncdir"}


def _retried(desk: Desk) -> list[str]:
    """Files that were synced again after that had failed. One that was removed since, and made anew, is another."""
    failed: set[str] = set()
    again = []
    for each in desk.seen().calls.values():
        if each.name == "sync" and each.path in failed:
            again.append(each.path)
        if each.name == "sync" and each.error:
            failed.add(each.path)
        if each.name == "unlink" and not each.error:
            failed.discard(each.path)
    return again


def test_any_call_of_a_recovery_may_fail_once(tmp_path):
    """It says so in a sentence, and the next one gets all that the first would have got."""
    desk = abandoned(tmp_path / "left")
    (name,) = desk.seen().segments()
    whole = _copy(desk, name, tmp_path / "whole")
    count = steps(ALL, lambda io: recover(whole, io=io))
    shown = play(whole.read_bytes())
    assert len(shown[VIDEO]) == 3 * GOP
    told: list[RecorderError] = []
    for first in range(1, count + 1):
        mine = _copy(desk, name, tmp_path / str(first))
        io = Faulty(errno.EIO, first, ALL, once=True)
        try:
            report = recover(mine, io=io)
        except RecorderError as error:
            told.append(error)
        else:
            assert report.state == "finished", f"call {first}, {io.hit}: {report}"
        recover(mine)
        assert play(mine.read_bytes()) == shown, f"call {first}, {io.hit}"
        assert list(mine.parent.iterdir()) == [mine], f"call {first}, {io.hit}"
    assert told
    assert all(isinstance(error, Poisoned) and error.hint for error in told)


def test_a_drive_that_can_not_be_read_is_not_taken_for_an_empty_one(tmp_path):
    """From any read on none succeeds, while all else does: what is recorded is not thrown away."""
    desk = abandoned(tmp_path / "left")
    (name,) = desk.seen().segments()
    reads = frozenset({"pread", "open read"})
    count = steps(reads, lambda io: recover(_copy(desk, name, tmp_path / "whole"), io=io))
    for first in range(1, count + 1):
        mine = _copy(desk, name, tmp_path / str(first))
        with contextlib.suppress(Poisoned):
            report = recover(mine, io=Faulty(errno.EIO, first, reads, once=False))
            assert report.state != "nothing", f"read {first}: {report}"
        assert mine.exists() or Path(f"{mine}.part").exists(), f"read {first}"


def _copy(desk: Desk, name: str, folder: Path) -> Path:
    shutil.copytree(desk.folder, folder)
    return folder / Path(name).name


def test_a_segment_whose_fsync_failed_is_read_from_the_drive(tmp_path):
    """Its commit says poisoned; recovery believes no cached page and no watermark."""
    forgotten: list[int] = []

    class Forgetting(Files):
        def forget(self, handle: int) -> None:
            forgotten.append(handle)
            super().forget(handle)

    desk = Desk(tmp_path / "desk", Faulty(errno.EIO, 5, frozenset({"sync"}), once=True))  # the first after its head's
    desk.take(GOP)
    segment = desk.recorder._segment
    assert segment
    segment.cut()
    assert segment.sync() == 2
    desk.take(GOP)
    segment.cut()
    with pytest.raises(Poisoned):
        segment.sync()
    desk.take(1)
    assert [type(error) for error in desk.errors] == [Poisoned]
    desk.settled()
    handle = os.open(f"{segment.path}.commit", os.O_RDONLY)
    said = commits.read(Files(), handle)
    os.close(handle)
    assert said
    assert (said.state, said.poison_from) == ("poisoned", 3)
    report = recover(segment.path, io=Forgetting())
    assert forgotten
    assert report.chunks_verified == report.chunks_kept == segment.seq
    desk.close()


def test_who_writes_nothing_more_is_told_of_a_failing_drive(tmp_path):
    """By the one who syncs, at once: not by the next sample, that may never come."""
    io = Faulty(errno.EIO, 4, frozenset({"sync"}), once=False)
    desk = Desk(tmp_path / "desk", io, flush=FLUSHES["40 ms, 100 ms"])
    desk.take(1)  # a second one could come too late
    wait(lambda: desk.told)
    assert isinstance(desk.told[0], Poisoned)
    assert desk.errors == []
    desk.take(1)
    assert [(type(error), bool(error.hint)) for error in desk.errors] == [(Poisoned, True)]
    desk.close()


# a drive in trouble


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("trouble", ["fail flush", "fail write flush", "fail read write flush", "pulled"])
def test_a_drive_that_fails_or_is_pulled(kind, trouble, tmp_path):
    """Every error is one of ours, and what was durable is on the drive when it is back."""
    with disk(kind, "cache", tmp_path / "disk") as made:
        desk = Desk(made.at / "desk", flush=FLUSHES["40 ms, 100 ms"], rotate_s=0.5, log=tmp_path / "log")
        made.settle()
        try:
            desk.until(lambda: _durable(desk, NEVER) > 4 * GOP)
            moment = _break(made, trouble)
            desk.until(lambda: desk.errors, most=3000)
            desk.take(3 * GOP)
        finally:
            desk.close()
        assert all(isinstance(error, RecorderError) and error.message for error in desk.errors + desk.told)
        made.down()
        made.tell("on")
        made.up()
        promised = _durable(desk, moment)
        verdict = desk.judge(moment, power=True)
        assert verdict.breaches == []
        assert verdict.kept["camera", VIDEO] >= set(range(promised + 1))


def _durable(desk: Desk, moment: int) -> int:
    seen = desk.seen()
    return max((seen.durable(path, moment).get(VIDEO, -1) for path in seen.segments()), default=-1)


def _break(made: Disk, trouble: str) -> int:
    if trouble == "pulled":
        return made.cut(random.Random(0))
    moment = time.monotonic_ns()
    made.tell(trouble)
    return moment


@pytest.mark.usefixtures("may_mount")
def test_a_filesystem_that_turns_read_only(tmp_path):
    """As ext4 does after an error: the .part plays as it is, a recovery says that it can't, and later it can."""
    with disk("ext4", "shutdown", tmp_path / "disk", options="noatime,errors=remount-ro") as made:
        desk = Desk(made.at / "desk", flush=FLUSHES["40 ms, 100 ms"], log=tmp_path / "log")
        desk.until(lambda: _durable(desk, NEVER) > 4 * GOP)
        moment = time.monotonic_ns()
        promised = _durable(desk, moment)
        (name,) = desk.seen().segments()
        Path(f"/sys/fs/ext4/{Path(made.device).name}/trigger_fs_error").write_text("of a test")
        desk.until(lambda: desk.errors)
        desk.take(2 * GOP)
        desk.close()
        assert [
            repr(error) for error in desk.errors + desk.told if not isinstance(error, Poisoned) or not error.hint
        ] == []
        assert {number_of(each.data, VIDEO) for each in play(Path(f"{name}.part").read_bytes())[VIDEO]} >= set(
            range(promised + 1)
        )
        with pytest.raises(Poisoned, match="Read-only file system"):
            recover(name)
        made.down()
        made.up()
        verdict = desk.judge(moment, power=True)
        assert verdict.breaches == []
        assert verdict.kept["camera", VIDEO] >= set(range(promised + 1))


@pytest.mark.usefixtures("may_mount")
def test_a_drive_that_is_unmounted_under_a_recorder(tmp_path):
    """umount --lazy: nothing is written to the place where it was, and all is there when it is back."""

    def marked(folder: Path) -> None:
        if not (folder.parent / "marker").exists():
            raise RecorderError("the drive is away", code=5)

    with disk("ext4", "shutdown", tmp_path / "disk") as made:
        (made.at / "marker").touch()
        desk = Desk(made.at / "desk", log=tmp_path / "log", rotate_s=0.5, more={"before_segment": marked})
        desk.take(2 * GOP)
        call("umount", "--lazy", str(made.at))
        desk.take(6 * GOP)
        desk.close()
        assert {str(error) for error in desk.errors} == {"the drive is away"}
        assert all(isinstance(error, Poisoned) for error in desk.told)
        assert len(desk.told) == 1, "the segment that was open could not get its name"
        assert list(made.at.iterdir()) == []
        wait(lambda: not Path(f"/sys/fs/ext4/{Path(made.device).name}").exists())
        made.mount()
        verdict = desk.judge()
        assert verdict.breaches == []
        assert verdict.kept["camera", VIDEO] == set(range(3 * GOP))
