"""scripts/bench measures every figure beside its anchor, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import docker

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, str(ROOT / "scripts" / "bench")]
pytestmark = [pytest.mark.engine, pytest.mark.slow]

ANCHORS = {
    "usenet --help": 'python -c "import typer"',
    "one completion": 'python -c "import typer"',
    "plan + render, first call, processor": "the goal itself",
    "plan + render, first call": "docker compose config -q",
    "plan + render, warm": "docker compose config -q",
    "load the catalog": "docker compose config -q",
    "render, each of 1,000": "docker compose config -q: slope",
    "plan + render 1,000": "docker compose config -q: slope",
    "services status, 30 run": "docker compose ps",
    "services up, 5 from nothing": "docker compose up -d --wait",
    "services up, nothing to do": "docker compose up -d",
    "usenet deploy, nothing to do": "docker compose up -d",
    "services up, 3 with checks inside": "docker compose up -d --wait",
    "usenet hardware list": "lsblk --json -O; docker compose version",
    "attach, storage add → visible": "losetup, mount by hand → visible",
    "mount → visible inside": "losetup, mount by hand → visible",
    "watch, attach → visible inside": "losetup, mount by hand → visible",
    "watch, idle, processor": "the goal itself",
    "watch, memory": "the goal itself",
    "model: 64 drives": "none",
    "check --fix, 3 drives": "mount, 3 times by hand",
    "storage status, 3 drives": "mount, 3 times by hand",
    "kill -9, default: lost as it is": "ffmpeg mkv",
    "kill -9, evidence: lost as it is": "ffmpeg mpegts",
    "kill -9, default: lost, recovered": "none",
    "kill -9: not playable as it is": "the goal itself",
    "kill -9: wrong pictures": "the goal itself",
    "size beside the media, 1000 ms chunks": "ffmpeg plain MP4",
    "size beside the media, 250 ms chunks": "ffmpeg plain MP4",
    "index, 250 ms chunks": "the goal itself",
    "writer, 250 ms chunks, per second of media": "libav hybrid MP4, 1 s",
    "4K60, 32 cameras: picture → page cache, p99.9": "libav fMP4, each picture",
    "4 RTSP cameras, by a core": "4 × ffmpeg -c copy, no fsync",
    "4 RTSP cameras, memory each": "4 × ffmpeg -c copy, no fsync",
    "first picture over HTTP, 1 min": "fMP4, 1 s",
    "first picture over HTTP, 1 min: requests": "faststart MP4",
    "first picture over HTTP, 1 min, of it while it records": "fMP4, 1 s",
    "finish 1 h": "ffmpeg remux, 1 min",
    "finish 1 h, written": "ffmpeg remux, 1 min",
    "finish 1 h, memory of the process": "the goal itself",
    "recover 0.5 h, 250 ms chunks, with index": "ffmpeg remux, 1 min",
    "recover 0.5 h, 1000 ms chunks, without index": "ffmpeg remux, 1 min",
    "power cut, ext4, default: lost": "ffmpeg fMP4, 1 s",
    "power cut, xfs, evidence: lost": "ffmpeg fMP4, 1 s",
    "power cut, xfs: promised and lost": "the goal itself",
    "power cut, xfs: wrong pictures": "the goal itself",
    "16 cameras, ext4: written by what was to be": "each on its own",
    "16 cameras, ext4: flushes": "each on its own",
    "full drive, 40 MiB: media that plays": "ffmpeg plain MP4",
    "full drive: not finished as plain MP4": "the goal itself",
}
# What must hold on any machine, however busy.
TRUE = (
    "kill -9: not playable as it is",
    "kill -9: wrong pictures",
    "first picture over HTTP, 1 min: requests",
    "power cut, ext4: promised and lost",
    "power cut, ext4: wrong pictures",
    "power cut, xfs: promised and lost",
    "power cut, xfs: wrong pictures",
    "full drive: not finished as plain MP4",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A run of scripts/bench; everything that it makes has `tag` in its name."""

    process: subprocess.Popen[str]
    place: Path
    tag: str

    def left(self) -> list[str]:
        """What there is of it: in the engine, and in the directory for temporary files."""
        of = f"name={self.tag}"
        return [
            *(path.name for path in self.place.iterdir()),
            *docker("ps", "-aq", "--filter", of).split(),
            *docker("network", "ls", "-q", "--filter", of).split(),
            *docker("images", "-q", f"{self.tag}/web").split(),
        ]


def begin(folder: Path, *words: str) -> Bench:
    place = folder / "tmp"
    place.mkdir()
    pipe, environment = subprocess.PIPE, {**os.environ, "TMPDIR": str(place)}
    process = subprocess.Popen([*BENCH, *words], cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe)
    until = time.monotonic() + 300
    while not (made := list(place.glob("usenet-bench-*"))) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.05)
    assert made, "it did not begin"
    return Bench(process, place, made[0].name)


@pytest.mark.timeout(2400)
def test_every_figure_stands_beside_its_anchor_and_nothing_is_left(tmp_path: Path) -> None:
    bench = begin(tmp_path, "--quick", "--json", "figures.json")
    said, complaint = bench.process.communicate(timeout=1800)
    assert bench.process.returncode == 0, complaint
    machine, *lines = said.splitlines()
    assert not [line for line in lines if line.startswith("left out: recorder, ")], complaint
    assert all(f"{key} " in machine for key in ("cpu", "cores", "kernel", "engine", "compose"))
    for figure, anchor in ANCHORS.items():
        assert any(line.startswith(f"{figure} ") and anchor in line for line in lines), (figure, said)
    assert all(line.endswith("reached") for line in lines if "≤" in line)
    assert not [line for line in lines if line.endswith("NOT reached") and line.startswith(TRUE)]
    told = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {figure["name"] for figure in told} >= set(ANCHORS)
    assert sum(bool(figure["goal"]) for figure in told) == sum(line.endswith("reached") for line in lines) >= 10
    assert bench.left() == []


def test_ctrl_c_removes_what_was_started(tmp_path: Path) -> None:
    bench = begin(tmp_path, "--quick", "status")
    until = time.monotonic() + 300
    while not docker("ps", "-q", "--filter", f"name={bench.tag}") and time.monotonic() < until:
        time.sleep(0.2)
    assert len(bench.left()) > 2, "it was not interrupted at work"
    bench.process.send_signal(signal.SIGINT)
    assert bench.process.communicate(timeout=300)[1].endswith("interrupted; what was started is removed\n")
    assert bench.process.returncode == 130
    assert bench.left() == []


def test_a_figure_that_does_not_exist_is_a_wrong_word() -> None:
    done = subprocess.run([*BENCH, "spede"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no such figure: spede" in done.stderr
