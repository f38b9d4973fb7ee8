"""What Python's own modules import and seldom use stays away until it is asked for, and is whole then."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import peers
from usenet.cli.later import NAMES

HEAVY = {"typing", "enum", "re", "json", "socket", "pathlib", "dataclasses", "urllib.parse"}
HEAVY |= {"ipaddress", "difflib", "shutil", "subprocess", "typer", "rich", "pydantic", "usenet.domain.plan"}
HEAVY |= {"ast", "dis"} if sys.version_info < (3, 12) else set()  # of inspect, which dataclasses asks from then on


PROBE = {"kind": "http", "address": "127.0.0.1", "port": 1, "path": "/", "status": []}
WEB = {"title": "Web", "group": "other", "image": "web:1", "ports": [], "probe": PROBE}


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


def engine(home: Path) -> peers.Behaviour:
    """An engine with one container, of the service web: it runs since ten days and was started again seven times."""
    labels = {"project": "x", "service": "web", "project.working_dir": str(home / "stack")}
    listed = {"Id": "c0", "State": "running", "Status": "Up", "Image": "web:1"}
    listed |= {"Labels": {f"com.docker.compose.{key}": value for key, value in labels.items()}}
    since = datetime.now(UTC) - timedelta(days=10, hours=5, minutes=30)
    seen = {"Id": "c0", "RestartCount": 7, "State": {"StartedAt": since.isoformat()}}

    def behave(peer: socket.socket) -> None:
        path = peer.recv(65536).split()[1]
        body = json.dumps([listed] if path.startswith(b"/containers/json") else seen).encode()
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return behave


def test_status_loads_nothing_heavy(tmp_path: Path, socket_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    plan = {"project": "x", "grants": {"web": WEB}, "files": []}
    (tmp_path / "stack" / "plan.json").write_text(json.dumps(plan))
    begin = ("-X", "importtime", "-c", "from usenet.cli.main import main; main()")
    with peers.listening(engine(tmp_path), path=socket_path):
        where = {"DOCKER_HOST": f"unix://{socket_path}"}
        asked = python(*begin, "--home", str(tmp_path), "services", "status", **where)
        typers = python(*begin, f"--home={tmp_path}", "services", "status", **where)
    assert asked.stdout.splitlines()[1].split()[:4] == ["web", "unhealthy", "10d", "5h"]
    assert imported(asked.stderr) & HEAVY == set()
    assert imported(asked.stderr) >= {"datetime", "usenet.actions.standing"}
    assert typers.stdout == asked.stdout
    assert imported(typers.stderr) >= {"ast", "typer", "typing"}


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
