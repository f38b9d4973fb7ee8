"""Two hands on one file, and a clock that is set back: nothing is written over, nothing is taken from who writes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.integration.recorder_rig.desk import Desk, abandoned
from tests.integration.recorder_rig.media import GOP, VIDEO, tracks
from tests.integration.recorder_rig.power import FLUSHES
from tests.integration.recorder_rig.takes import Camera, Studio, Take, studio
from tests.waiting import wait
from usenet.recorder import commit as commits
from usenet.recorder.errors import Busy, RecorderError
from usenet.recorder.io import Files
from usenet.recorder.lease import Lease
from usenet.recorder.recovery import recover
from usenet.recorder.segment import Segment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def actors() -> Iterator[Studio]:
    with studio() as made:
        yield made


# the clock


def test_a_clock_that_is_set_back(tmp_path):
    """No file is written over, none is lost, and no time runs backwards."""
    start = 1_780_000_000 * 10**9
    now = iter([start, start + 10**9, start - 3600 * 10**9, start, start])
    ticks = {"now": start}
    desk = Desk(tmp_path / "desk", rotate_s=0.1, more={"clock": lambda: ticks["now"]})
    for each in now:
        ticks["now"] = each
        desk.take(GOP)
    desk.close()
    names = sorted(path.name for path in desk.folder.iterdir())
    assert len(names) == 5
    assert [name.removeprefix("20260528T202640.000Z") for name in names if name.startswith("20260528T202640.000Z")] == [
        "-2.mp4",
        "-3.mp4",
        ".mp4",
    ]
    verdict = desk.judge()
    assert verdict.breaches == []
    assert verdict.kept["camera", VIDEO] == set(range(5 * GOP))


# two hands on one file


def test_two_recorders_that_want_the_same_name(tmp_path):
    """Both ask whether it is free, both hear that it is: each gets one of its own."""
    folder = tmp_path / "desk"

    class Blind(Files):
        """Sees no file that was made less than a moment ago."""

        def exists(self, path: str) -> bool:
            return asked.append(path) or (len(asked) > 4 and super().exists(path))

    asked: list[str] = []
    clock: Callable[[], int] = lambda: 1_780_000_000 * 10**9  # noqa: E731
    one = Desk(folder, more={"clock": clock}, log=tmp_path / "one.log")
    one.take(GOP)
    two = Desk(folder, Blind(), more={"clock": clock}, log=tmp_path / "two.log")
    two.take(GOP)
    assert two.errors == []
    one.close()
    two.close()
    assert sorted(path.name for path in folder.iterdir()) == ["20260528T202640.000Z-2.mp4", "20260528T202640.000Z.mp4"]


def test_a_segment_that_is_recovered_while_it_is_made(tmp_path):
    """Between its making and its lock: it is never recorded into a file that has no name any more.

    A recovery takes an empty part for a crash's where its name is a time; with any other name it may be anybody's.
    """
    path = tmp_path / "20261121T172229.250Z.mp4"

    class Crossed(Files):
        def lock(self, handle: int) -> bool:
            if not crossed:
                crossed.append(recover(path).state)
            return super().lock(handle)

    crossed: list[str] = []
    with pytest.raises(RecorderError, match="recovery"):
        Segment.create(str(path), tracks(sound=False), io=Crossed())
    assert crossed == ["nothing"]
    assert list(tmp_path.iterdir()) == []

    crossed.clear()
    path = tmp_path / "door.mp4"
    Segment.create(str(path), tracks(sound=False), io=Crossed()).close()
    assert crossed == ["kept"]
    assert Path(f"{path}.part").exists()


@pytest.fixture
def recording(tmp_path: Path, actors: Studio) -> Iterator[tuple[int, Path]]:
    """A process that records, and its part."""
    camera = Camera("a", str(tmp_path / "a"), asdict(FLUSHES["40 ms, 100 ms"]), 60, sound=False)
    Path(camera.directory).mkdir()
    log = tmp_path / "log"
    pid = actors.begin(Take("busy", str(log), (camera,)))
    try:
        wait(lambda: log.read_text().count("\nh\ta\t") > 20)
        (part,) = Path(camera.directory).glob("*.part")
        yield pid, part
    finally:
        actors.kill(pid)


class NoLocks(Files):
    """A filesystem without flock."""

    def lock(self, handle: int) -> bool:
        return True


@pytest.mark.parametrize("by", ["lock", "lease"])
def test_what_is_being_recorded_is_not_recovered(recording, by):
    """By its lock alone, when the commit is lost, and by its lease alone, where there are no locks."""
    _, part = recording
    io = Files() if by == "lock" else NoLocks()
    if by == "lock":
        part.with_suffix(".commit").unlink()
    before = part.stat().st_ino
    with pytest.raises(Busy, match="being written"):
        recover(part, io=io)
    assert part.stat().st_ino == before
    with pytest.raises(FileExistsError):
        Segment.create(str(part).removesuffix(".part"), tracks(sound=False))
    assert part.stat().st_ino == before


@pytest.mark.parametrize(
    "stale", [{"boot": "of last week"}, {"host": "another"}, {"started": 1}], ids=["boot", "host", "reused number"]
)
def test_a_lease_that_is_nobodys_any_more(tmp_path, recording, stale):
    """Its process number lives, but it is another process: of another boot or host, or begun at another time."""
    pid, _ = recording
    desk = abandoned(tmp_path / "left")
    (name,) = desk.seen().segments()
    _lease(name, Lease._of(pid))
    with pytest.raises(Busy):
        recover(name, io=NoLocks())
    _lease(name, replace(Lease._of(pid), **stale))
    assert recover(name, io=NoLocks()).state == "finished"
    assert desk.judge().breaches == []


def _lease(name: str, lease: Lease) -> None:
    """As if that process had written it."""
    handle = os.open(f"{name}.commit", os.O_RDWR)
    said = commits.read(Files(), handle)
    assert said
    commits.write(Files(), handle, replace(said, lease=lease))
    os.close(handle)
