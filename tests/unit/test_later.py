"""What Python's own modules import and seldom use stays away until it is asked for, and is whole then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from usenet.cli.later import NAMES

HEAVY = {"ipaddress", "difflib", "shutil", "subprocess", "typer", "rich", "pydantic", "usenet.domain.plan"}
HEAVY |= {"ast", "dis"} if sys.version_info < (3, 12) else set()  # of inspect, which dataclasses asks from then on


def python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def imported(told: str) -> set[str]:
    """The modules that -X importtime tells of."""
    return {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}


def test_status_loads_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "plan.json").write_text('{"project": "x", "grants": {}, "files": []}')
    home = f"--home={tmp_path}"
    words = ("-X", "importtime", "-m", "usenet", "--home", str(tmp_path), "services", "status")
    asked = python(*words, DOCKER_HOST=f"unix://{tmp_path}/none")
    assert "no container engine answers" in asked.stderr
    assert imported(asked.stderr) & HEAVY == set()
    assert imported(asked.stderr) >= {"dataclasses", "usenet.actions.status"}
    typers = python(
        "-X", "importtime", "-m", "usenet", home, "services", "status", DOCKER_HOST=f"unix://{tmp_path}/none"
    )
    assert imported(typers.stderr) >= {"ast", "typer"}


@pytest.mark.parametrize(
    "program",
    [
        "import inspect; print(inspect.isclass(int))",
        "from inspect import isclass; print(isclass(int))",
        "from inspect import *; print(isclass(int))",
        "import inspect, sys; inspect.isclass; print(sys.modules['inspect'] is not inspect and inspect.isclass(int))",
        "import ipaddress, urllib.parse; print(urllib.parse.urlsplit('http://[::1]:80/').port == 80)",
        "from concurrent.futures import ThreadPoolExecutor as T; import inspect\n"
        "with T(8) as many: print(all(many.map(lambda n: inspect.isclass(int), range(64))))",
        "from dataclasses import make_dataclass; print(make_dataclass('A', ['x']).__doc__.startswith('A(x'))",
        "import inspect\ntry: inspect.nothing\nexcept AttributeError as error: print('nothing' in str(error))",
    ],
)
def test_what_is_asked_of_them_is_theirs(program: str) -> None:
    asked = python("-c", f"import usenet.cli\n{program}")
    assert (asked.stdout, asked.stderr) == ("True\n", "")


def test_threads_that_ask_at_once_get_one_module(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text("class Value: ...")
    program = f"""
import sys, threading
from usenet.cli import later
sys.path.insert(0, {str(tmp_path)!r})
sys.setswitchinterval(1e-6)
def ask():
    gate.wait()
    found.append(stand_in.Value)
for _ in range(1500):
    sys.modules["tiny"] = stand_in = later.Later("tiny")
    gate, found = threading.Barrier(4), []
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(found) == 4 and {{*found}} == {{sys.modules["tiny"].Value}}, found
"""
    asked = python("-c", program)
    assert (asked.returncode, asked.stderr) == (0, "")


def test_what_is_there_already_stays() -> None:
    names = ", ".join(NAMES)
    program = f"import {names}, sys\nbefore = [{names}]\nimport usenet.cli\n"
    asked = python("-c", f"{program}print(before == [sys.modules[n] for n in {NAMES!r}])")
    assert asked.stdout == "True\n", asked.stderr
