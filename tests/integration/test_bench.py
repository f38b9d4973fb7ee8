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
}


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
    assert all(f"{key} " in machine for key in ("cpu", "cores", "kernel", "engine", "compose"))
    for figure, anchor in ANCHORS.items():
        assert any(line.startswith(f"{figure} ") and anchor in line for line in lines), (figure, said)
    assert all(line.endswith("reached") for line in lines if "≤" in line)
    told = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert {figure["name"] for figure in told} >= set(ANCHORS)
    assert sum(bool(figure["goal"]) for figure in told) == sum("≤" in line for line in lines) >= 10
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
