"""What goes wrong around `up`: held ports, an engine that goes, Ctrl-C, kill, a full disk, two at once."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.conftest import Stack, answers, free_port, interrupt, two

pytestmark = pytest.mark.engine


def test_port_held_by_a_process(stack: Stack) -> None:
    two(stack)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        stack.settings({"back": {"port": port}})
        done = stack.run("services", "up", code=5)
    assert f"port {port}/tcp for back is held by" in done.stderr
    assert "process" in done.stderr
    assert "usenet config set services.back.port" in done.stderr
    assert not (stack.home / "stack").exists()


def test_port_held_by_a_container(stack: Stack, make_stack: Callable[..., Stack]) -> None:
    other = make_stack()
    back, _ = two(other)
    other.run("services", "up")
    stack.service("mine")
    stack.settings({"mine": {"port": back}})
    assert f"is held by container {other.name}-back-1" in stack.run("services", "up", code=5).stderr


def test_no_engine(stack: Stack) -> None:
    two(stack)
    stack.environment["DOCKER_HOST"] = f"unix://{stack.home}/none.sock"
    done = stack.run("services", "up", code=5)
    assert "no container engine answers" in done.stderr
    assert not (stack.home / "stack").exists()
    for words in (("hardware", "list"), ("services", "list"), ("config", "show")):
        stack.run(*words)


def test_engine_that_goes_away_during_up(stack: Stack, socket_path: Path) -> None:
    stack.service("slow", body='command: ["sleep", "600"]')
    stack.settings({"slow": {"port": free_port()}})
    door = Door(socket_path)
    stack.environment["DOCKER_HOST"] = f"unix://{door.path}"
    process = stack.begin("services", "up")
    until_runs(stack, "slow")
    door.shut()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 5, out + err
    assert "no container engine answers" in err
    assert "Traceback" not in err
    stack.environment.clear()
    stack.service("slow")
    stack.run("services", "up")


def test_interrupt_during_up_leaves_a_stack_that_goes_on(stack: Stack) -> None:
    stack.service("slow", body='command: ["sleep", "600"]')
    stack.settings({"slow": {"port": free_port()}})
    process = stack.begin("services", "up")
    until_runs(stack, "slow")
    interrupt(process)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert [p.name for p in stack.home.rglob("*~")] == []
    stack.service("slow")
    stack.run("services", "up")


def test_second_up_at_the_same_time_says_who_is_at_it(stack: Stack) -> None:
    stack.service("slow", body='command: ["sleep", "600"]')
    stack.settings({"slow": {"port": free_port()}})
    process = stack.begin("services", "up")
    until_line(process, "slow: starting")
    done = stack.run("services", "up", code=1)
    interrupt(process)
    process.communicate(timeout=120)
    assert f"(process {process.pid})" in done.stderr
    assert "services up" in done.stderr


def test_kill_9_during_up_and_the_next_one_goes_on(stack: Stack) -> None:
    stack.service("slow", body='command: ["sleep", "600"]')
    stack.settings({"slow": {"port": free_port()}})
    process = stack.begin("services", "up")
    until_line(process, "slow: starting")
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    stack.service("slow")
    assert "1 of 1 services are healthy" in stack.run("services", "up").stdout


@pytest.mark.parametrize("instant", [0.3, 0.5, 0.6, 0.7, 0.8, 1.0, 1.4])
def test_kill_9_at_any_moment_leaves_a_stack_that_starts(stack: Stack, instant: float) -> None:
    back, front = two(stack)
    process = stack.begin("services", "up")
    time.sleep(instant)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    file = stack.home / "stack" / "compose.yaml"
    if file.exists():
        check = ["docker", "compose", "-f", str(file), "config", "-q"]
        assert subprocess.run(check, capture_output=True).returncode == 0
    stack.run("services", "up")
    assert answers(back)
    assert answers(front)
    assert [p.name for p in stack.home.rglob("*~")] == []


@pytest.mark.skipif(not shutil.which("unshare"), reason="a small disk of one's own needs unshare")
def test_full_disk_while_rendering(stack: Stack) -> None:
    for name in (names := [f"web{n}" for n in range(40)]):
        stack.service(name)
    stack.settings({name: {"port": free_port()} for name in names})
    folder = stack.home / "stack"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=16k none {folder} || exit 99; "$@"; code=$?; ls -A {folder}; exit $code'
    # A slave, so that what others unmount meanwhile is not kept mounted there.
    alone = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"]
    argv = [*alone, sys.executable, "-m", "usenet", "--home", str(stack.home)]
    done = subprocess.run([*argv, "services", "up"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 99:
        pytest.skip("a small disk of one's own needs root")
    assert done.returncode == 5, done.stderr
    assert "no space left to write" in done.stderr
    assert done.stdout.rstrip().endswith("stack/plan.json")  # and `ls` has nothing to list
    assert stack.containers() == {}


def until_runs(stack: Stack, service: str) -> None:
    """Return once its container was started: from then on `up` waits for its answer."""
    never = ("", "0001-01-01T00:00:00Z")
    for _ in range(600):
        if stack.containers().get(service, never)[1] != never[1]:
            return
        time.sleep(0.1)
    raise AssertionError(f"{service} was not started")


def until_line(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}: {process.stderr.read() if process.stderr else ''}")


class Door:
    """A way to the real engine that can be shut."""

    def __init__(self, path: Path) -> None:
        self.path, self._open, self._lock = path, True, threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._peers: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near = self._server.accept()[0]
                far = socket.socket(socket.AF_UNIX)
                with self._lock:  # nobody slips through while it is shut
                    if not self._open:
                        near.close()
                        return
                    far.connect("/var/run/docker.sock")
                    self._peers += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def shut(self) -> None:
        with self._lock:
            self._open = False
            self._server.close()
            self.path.unlink()
            for peer in self._peers:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
