"""kill -9 at any moment: what was written is there, and what lies there plays without any tool of ours."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Event

import av
import pytest

from tests.integration.conftest import docker
from tests.integration.recorder_rig import kills, media, tally
from tests.integration.recorder_rig.desk import Desk
from tests.integration.recorder_rig.judge import Verdict, judge
from tests.integration.recorder_rig.media import GOP
from tests.integration.recorder_rig.power import FLUSHES
from tests.integration.recorder_rig.takes import PROGRAM, Camera, Studio, Take, studio
from tests.integration.recorder_rig.witness import NEVER
from tests.waiting import wait
from usenet.adapters import engine, images
from usenet.recorder.recovery import recover_all

pytestmark = pytest.mark.slow
KILLS, CONTAINERS = 100, 5
TESTS = Path(__file__).parents[1]


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
    assert found.recovered > KILLS / 4, "the kills came when nothing was being recorded"
    assert found.finished > 0, "no segment was finished before a kill"


@pytest.mark.parametrize("defect", ["slow chunks", "wrong byte", "wrong time"])
def test_a_recorder_with_a_defect_is_found(defect, tmp_path, actors):
    rng = random.Random(defect)
    for _ in range(150):
        if kills.kill(tmp_path, actors, rng, broken=defect).breaches:
            return
    raise AssertionError(f"150 kills, and nobody saw: {defect}")


@pytest.mark.engine
def test_a_container_that_is_killed(tmp_path):
    """The image's own Python and its own recorder, ended by the engine, as a container is."""
    image = images.built_reference("recorder")
    if image not in engine.images():
        images.build("recorder", tag=image, base=images.base(str), report=str)
    rng, found = random.Random(7), tally.Tally("docker kill")
    for _ in range(CONTAINERS):
        found.add(_killed(image, tmp_path, rng))
    tally.table("containers", [found], print)
    assert found.breaches == []
    assert found.recovered + found.finished > CONTAINERS


def _killed(image: str, folder: Path, rng: random.Random) -> Verdict:
    name = f"ut-rig-{uuid.uuid4().hex[:8]}"
    made = kills.take(rng, folder, broken="")
    words = ["docker", "run", "--interactive", "--rm", "--name", name, "--user", f"{os.getuid()}:{os.getgid()}"]
    words += ["--env", "PYTHONPATH=/rig", "--volume", f"{TESTS}:/rig/tests:ro", "--volume", f"{folder}:{folder}"]
    try:
        with studio(*words, "--entrypoint", "/opt/recorder/bin/python", image, "-m", PROGRAM) as inside:
            inside.begin(made)
            inside.moment(made, rng.uniform(0.1, 1.5))
            docker("kill", name)
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True)
    verdict = judge(made, time.monotonic_ns(), power=False)
    for camera in made.cameras:
        shutil.rmtree(camera.directory)
    return verdict


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
