"""The recorder's image: as little as it may be given, killed and stopped while it records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.recorder_process import Process, pictures
from tests.integration.recorder_sender import Cameras
from tests.waiting import wait
from usenet.adapters import engine, images
from usenet.recorder.sidecar import config

pytestmark = [pytest.mark.engine, pytest.mark.slow]

USER = 1234 if os.geteuid() == 0 else os.getuid()
CHECK = ("busybox", "wget", "-q", "-O", "/dev/null")


def docker(*words: str, good: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0 or not good, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    reference = images.built_reference("recorder")
    if reference not in engine.images():
        images.build("recorder", tag=reference, base=images.base(str), report=str)
    return reference


@pytest.fixture
def cameras() -> Iterator[Cameras]:
    made = Cameras()
    yield made
    made.close()


class Container:
    """One container with its own directories, run as the stack runs it, on the host's network to reach the cameras."""

    def __init__(self, image: str, folder: Path, cameras: dict[str, dict[str, Any]]) -> None:
        self.name = f"hb-recorder-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        for part in ("config", "recordings"):
            (folder / part).mkdir()
            os.chown(folder / part, USER, -1)
        told = {"directory": "/data/recordings", "cameras": cameras}
        (folder / "config" / "recorder.yaml").write_text(json.dumps(told))
        docker(
            *("create", "--init", "--name", self.name, "--user", f"{USER}:{USER}", "--read-only", "--tmpfs", "/tmp"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host"),
            *("--env", "USENET_RECORDER_LISTEN=127.0.0.1:0", "--stop-timeout", "30"),
            *("--volume", f"{folder}/config:/config", "--volume", f"{folder}/recordings:/data/recordings"),
            image,
        )
        self.run: Process | None = None

    def start(self) -> Process:
        self.run = Process(["docker", "start", "--attach", self.name], self.folder / "config" / "token")
        return self.run

    def files(self, camera: str) -> list[str]:
        place = self.folder / "recordings" / camera
        return sorted(path.name for path in place.iterdir()) if place.exists() else []

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)
        if self.run:
            self.run.gone()


@pytest.fixture
def contained(image: str, tmp_path: Path, cameras: Cameras) -> Iterator[Container]:
    camera = {"url": cameras.url("door"), "flush": "evidence"}
    made = Container(image, tmp_path, {"door": camera})
    yield made
    made.remove()


def test_a_killed_container_recovers_before_it_is_healthy(contained: Container) -> None:
    live = contained.start().until("door", lambda one: one["frames"] > 30)
    docker("kill", contained.name)
    assert contained.run
    contained.run.gone()
    assert f"{live['segment']}.part" in contained.files("door")
    again = contained.start()
    again.ready()
    events = [line.get("event") for line in again.said]
    assert events.index("recover") < events.index("ready")
    kept = contained.folder / "recordings" / "door" / live["segment"]
    assert len(pictures(kept)) > 25
    about = kept.stat()
    assert (about.st_uid, about.st_mode & 0o007) == (USER, 0)
    docker("exec", contained.name, *CHECK, f"http://127.0.0.1:{again.port}/health/ready")


def test_stop_finishes_what_is_recorded_within_the_grace(contained: Container) -> None:
    run = contained.start()
    live = run.until("door", lambda one: one["frames"] > 10)
    docker("stop", contained.name)
    run.gone()
    state = json.loads(docker("inspect", contained.name))[0]["State"]
    assert state["ExitCode"] == 0, run.told()
    assert contained.files("door") == [live["segment"]]
    assert [line["files"] for line in run.events("stop")] == [live["segment"]]
    assert len(pictures(contained.folder / "recordings" / "door" / live["segment"])) > 5


def test_it_can_write_nowhere_else_and_is_nobody(contained: Container) -> None:
    run = contained.start()
    run.until("door", lambda one: one["frames"] > 0)
    assert docker("exec", contained.name, "id", "-u") == str(USER)
    docker("exec", contained.name, "sh", "-c", "! touch /etc/x /opt/recorder/x /x 2>/dev/null")
    status = docker("exec", contained.name, "sh", "-c", "cat /proc/1/status")
    rights = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("CapEff", "NoNewPrivs")))
    assert (int(rights["CapEff"], 16), rights["NoNewPrivs"]) == (0, "1")
    token = (contained.folder / "config" / "token").read_text().strip()
    assert token not in docker("inspect", contained.name) + docker("logs", contained.name) + run.told()


def test_without_a_configuration_it_is_healthy_and_records_nothing(image: str, tmp_path: Path) -> None:
    made = Container(image, tmp_path, {})
    (tmp_path / "config" / "recorder.yaml").unlink()
    try:
        run = made.start()
        run.ready()
        assert run.ask("GET", "/cameras") == (200, {"cameras": []})
        docker("exec", made.name, *CHECK, f"http://127.0.0.1:{run.port}/health/ready")
        assert config.load(tmp_path / "config" / "recorder.yaml", {}).cameras == {}
        assert list((tmp_path / "recordings").iterdir()) == []
    finally:
        made.remove()


def test_kills_at_any_moment_lose_no_more_than_a_chunk(contained: Container) -> None:
    """Five times; what a segment had when it was last seen is in the file that recovery makes of it."""
    for number in range(5):
        run = contained.start()
        seen = run.until("door", lambda one, least=3 + 5 * number: one["frames"] > least)
        docker("kill", "--signal", signal.SIGKILL.name, contained.name)
        run.gone()
        again = contained.start()
        again.ready()
        kept = contained.folder / "recordings" / "door" / seen["segment"]
        # The last look, and one chunk of 250 ms, at ten pictures a second.
        assert len(pictures(kept)) >= seen["frames"] - 3
        docker("stop", contained.name)
        again.gone()
    wait(lambda: not any(name.endswith(".part") for name in contained.files("door")))
