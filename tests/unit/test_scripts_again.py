"""scripts/test runs what failed beside others once more, alone, and never hides that it did."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
UNSTEADY = """
from pathlib import Path
def test_once():
    there = Path(__file__).with_name("ran")
    told, _ = there.exists(), there.touch()
    assert told
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """The function of scripts/test on a folder with one file of tests."""
    (folder / "test_it.py").write_text(text)
    script = (ROOT / "scripts/test").read_text()
    function = script[script.index("\ntests() {") :].split("\n}\n")[0] + "\n}\n"
    lines = [
        "set -euo pipefail; unsteady=(); pytest=(-p no:randomly)",
        f"VENV={shlex.quote(sys.prefix)}; cd {shlex.quote(str(folder))}",
        function,
        'code=0; tests "not engine" 2 || code=$?; echo "unsteady: ${unsteady[*]-}"; exit $code',
    ]
    return subprocess.run(["bash", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=120)


def test_what_passes_alone_passes_and_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, UNSTEADY)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "unsteady: test_it.py::test_once" in done.stdout


@pytest.mark.parametrize(("failing", "times"), [(1, 2), (5, 2), (6, 1)])
def test_what_fails_fails_and_many_are_not_run_twice(failing: int, times: int, tmp_path: Path) -> None:
    body = 'open(__file__ + ".ran", "a").write("x"); assert False'
    done = run(tmp_path, "\n".join(f"def test_{number}(): {body}" for number in range(failing)))

    assert done.returncode == 1
    assert len((tmp_path / "test_it.py.ran").read_text()) == failing * times
    assert "unsteady: \n" in done.stdout


def test_one_that_fails_twice_is_not_hidden_by_one_that_does_not(tmp_path: Path) -> None:
    done = run(tmp_path, UNSTEADY + "\ndef test_always(): assert False\n")

    assert done.returncode == 1
    assert "unsteady: \n" in done.stdout
