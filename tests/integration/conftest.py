"""Real stacks on the real engine: own project names, own ports, nothing left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.integration.drives import Bench

WEB = "usenet-test/web:1"
RECIPE = "ARG BASE\nFROM ${BASE}\nRUN apt-get update -q && apt-get install -qy --no-install-recommends busybox\n"


def docker(*arguments: str, text: str | None = None, timeout: float = 300) -> str:
    """The docker command line; its stdout. The test fails with what it said."""
    done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def _ports() -> Iterator[int]:
    """Ports that nobody holds, each once and for this worker alone.

    Below those that the kernel gives to outgoing connections, and not among those that scripts/bench takes.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(30000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), 32768, workers)
    yield from filter(_is_free, random.sample(own, len(own)))


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        try:
            attempt.bind(("", port))
        except OSError:
            return False
    return True


_free = _ports()


def free_port() -> int:
    """A port that nobody holds and no other test gets."""
    return next(_free)


@pytest.fixture(scope="session")
def web_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with busybox's web server and netcat, made once."""
    import fcntl

    with (tmp_path_factory.getbasetemp().parent / "web.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not docker("images", "-q", WEB):
            base = "debian:bookworm-slim" if docker("images", "-q", "debian:bookworm-slim") else "usenet/base:bookworm"
            recipe = tmp_path_factory.mktemp("web")
            (recipe / "Dockerfile").write_text(RECIPE)
            docker("build", "-q", "-t", WEB, "--build-arg", f"BASE={base}", str(recipe))
    return WEB


@dataclass
class Stack:
    """One stack directory of a test, and `usenet` run on it as a person would."""

    home: Path
    name: str
    environment: dict[str, str] = field(default_factory=dict)

    def settings(self, services: dict[str, Any], **more: Any) -> None:
        """Write usenet.yaml."""
        text = yaml.safe_dump({"name": self.name, "services": services, **more})
        (self.home / "usenet.yaml").write_text(text)

    def service(self, name: str, body: str = "", **head: Any) -> None:
        """Write a service file of the user's own: busybox's web server on container port 8000, unless changed."""
        base: dict[str, Any] = {
            "title": name.title(),
            "about": "A test",
            "group": "other",
            "role": "local",
            "image": WEB,
            "family": "official",
            "ports": [{"container": 8000}],
            "health": {"http": "/", "start_period": 120, "status": [200, 404]},
            "wants": {"memory": "16M"},
        }
        command = 'command: ["busybox", "httpd", "-f", "-p", "8000", "-h", "/tmp"]'
        # With init, so that a process without a handler for SIGTERM stops at once.
        text = f'{yaml.safe_dump(base | head)}---\n{{% include "base.yaml.j2" %}}\ninit: true\n{body or command}\n'
        (self.home / "services").mkdir(exist_ok=True)
        (self.home / "services" / f"{name}.yaml.j2").write_text(text)

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "usenet", "--home", str(self.home), *arguments]

    def run(self, *arguments: str, code: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run usenet to its end; the exit code must be `code`."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            self.argv(*arguments),
            capture_output=True,
            text=True,
            timeout=240,
            env=environment,
            **{"stdin": subprocess.DEVNULL, **options},
        )
        assert code is None or done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run("--json", *arguments, code=code).stdout)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start usenet and don't wait."""
        environment = {**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv(*arguments), stdout=pipe, stderr=pipe, text=True, env=environment)

    def state(self, name: str) -> str:
        """What the engine says of the container of a service."""
        return docker("inspect", "--format", "{{.State.Status}}", self.containers()[name][0])

    def containers(self) -> dict[str, tuple[str, str]]:
        """Service → container id and time of its last start."""
        label = f"label=com.docker.compose.project={self.name}"
        ids = docker("ps", "-aq", "--no-trunc", "--filter", label).split()
        seen = json.loads(docker("inspect", *ids)) if ids else []
        return {c["Config"]["Labels"]["com.docker.compose.service"]: (c["Id"], c["State"]["StartedAt"]) for c in seen}


@pytest.fixture
def make_stack(tmp_path: Path, web_image: str) -> Iterator[Callable[..., Stack]]:
    """Makes stack directories; what ran in them is removed afterwards."""
    made: list[Stack] = []

    def make(name: str = "") -> Stack:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        stack = Stack(home, name or f"ut-{uuid.uuid4().hex[:8]}")
        made.append(stack)
        return stack

    yield make
    for stack in made:
        label = f"label=com.docker.compose.project={stack.name}"
        ids = docker("ps", "-aq", "--filter", label).split()
        if ids:
            docker("rm", "-f", *ids)
        for network in docker("network", "ls", "-q", "--filter", label).split():
            docker("network", "rm", network)


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    return make_stack()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Where drives are plugged in; they go at the end, with all that is mounted of them."""
    from tests.integration import drives  # which needs what stands here

    with drives.bench(tmp_path / "drives") as made:
        yield made


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)


def two(stack: Stack) -> tuple[int, int]:
    """`front` comes after `back`; both answer."""
    back, front = free_port(), free_port()
    stack.service("back")
    stack.service("front", needs=["back"])
    stack.settings({"back": {"port": back}, "front": {"port": front}})
    return back, front


def fetch(url: str) -> Any:
    """Open a page of this machine; a proxy that its owner has set would not find it."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60)


def answers(port: int) -> bool:
    try:
        with fetch(f"http://127.0.0.1:{port}/") as reply:
            return bool(reply.status)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
