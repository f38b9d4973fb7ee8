"""kill -9 at any moment: what was written is there, and what lies there plays without any tool of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Event

import av
import pytest

from tests.integration.recorder_rig import kills, media, tally
from tests.integration.recorder_rig.desk import Desk
from tests.integration.recorder_rig.media import GOP
from tests.integration.recorder_rig.power import FLUSHES
from tests.integration.recorder_rig.takes import Camera, Studio, Take, studio
from tests.integration.recorder_rig.witness import NEVER
from tests.waiting import wait
from usenet.recorder.recover import recover_all

pytestmark = pytest.mark.slow
KILLS = 100


@pytest.fixture(scope="module")
def actors() -> Iterator[Studio]:
    with studio() as made:
        yield made


@pytest.mark.parametrize("hundred", [1, 2])
def test_after_a_kill_all_that_was_written_is_there(hundred, tmp_path, actors):
    found = kills.kills(tmp_path, actors, KILLS, str(random.random()))
    tally.table("kills", [found], print)
    assert found.breaches == []
    assert found.count == KILLS
    assert found.recovered > KILLS / 2, "the kills came when nothing was being recorded"
    assert found.finished > 0, "no segment was finished before a kill"


@pytest.mark.parametrize("defect", ["slow chunks", "wrong byte", "wrong time"])
def test_a_recorder_with_a_defect_is_found(defect, tmp_path, actors):
    rng = random.Random(defect)
    for _ in range(60):
        if kills.kill(tmp_path, actors, rng, broken=defect).breaches:
            return
    raise AssertionError(f"60 kills, and nobody saw: {defect}")


def test_a_player_shows_every_picture_before_and_after_recovery(tmp_path, actors):
    """libav decodes the .part as the kill left it, and the finished file: each picture is the one that it should be."""
    camera = Camera("a", str(tmp_path / "a"), asdict(FLUSHES["40 ms, 100 ms"]), 60, sound=True)
    Path(camera.directory).mkdir()
    log = tmp_path / "log"
    pid = actors.begin(Take("player", str(log), (camera,)))
    wait(lambda: log.read_text().count("\nh\ta\t") > 40)
    actors.kill(pid)
    (part,) = Path(camera.directory).glob("*.part")
    before = _pictures(part)
    (report,) = recover_all(camera.directory)
    assert report.final
    assert _pictures(report.final) == before == [media.brightness(number) for number in range(len(before))]
    assert len(before) > 1


def test_the_end_of_a_segment_is_written_before_the_next_one_begins(tmp_path):
    """Whatever keeps the thread that finishes busy: a kill takes no chunk of the one and then one of the other."""
    busy, desk = Event(), Desk(tmp_path / "desk", flush=FLUSHES["default"], rotate_s=0.1)
    desk.recorder._sealing.submit(busy.wait)
    desk.take(GOP + 1)
    first, second = desk.seen().segments()
    assert desk.seen().written(first, NEVER) == {media.VIDEO: GOP - 1}
    busy.set()
    desk.close()
    assert [Path(path).exists() for path in (first, second)] == [True, True]


def _pictures(path: Path) -> list[int]:
    """The brightness of each picture in its middle, as a player shows it."""
    with av.open(str(path)) as container:
        planes = [frame.planes[0] for frame in container.decode(video=0)]
        return [round(bytes(plane)[32 * plane.line_size + 32] / 10) * 10 for plane in planes]
