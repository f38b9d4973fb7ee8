"""Programs that run for long: their lines, their exit codes, and Ctrl-C; and one that is fed and read in bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from usenet.adapters import shell, together
from usenet.domain.errors import SystemFailure

WAITS = "trap 'echo canceled >&2; exit 1' INT; echo ready; sleep 60 & wait"


def test_relay_says_each_line_and_returns_the_code() -> None:
    said: list[str] = []
    assert shell.relay(["sh", "-c", "echo one; echo two >&2; exit 7"], said.append) == 7
    assert said == ["one", "two"]


def test_each_command_is_told_before_it_is_run() -> None:
    told: list[tuple[str, ...]] = []
    me = threading.get_ident()  # a thread that another test has left behind may run something too
    shell.watch(lambda arguments: told.append(tuple(arguments)) if threading.get_ident() == me else None)
    shell.run(["true", "a b"])
    shell.hand_over(["false"])
    shell.watch(lambda _: None)
    assert told == [("true", "a b"), ("false",)]


@pytest.mark.parametrize(
    "call", [f"shell.hand_over(['sh', '-c', {WAITS!r}])", f"shell.relay(['sh', '-c', {WAITS!r}], say)"]
)
def test_ctrl_c_ends_it_without_a_word(call: str, tmp_path: Path) -> None:
    program = (
        "import sys; from usenet.adapters import shell\n"
        "def say(text): sys.stdout.write(text + '\\n'); sys.stdout.flush()\n"
        f"sys.exit({call})"
    )
    errors = (tmp_path / "errors").open("w")
    # A session of its own stands for the terminal: Ctrl-C there reaches every process in front.
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert (tmp_path / "errors").read_text() == ""


def test_bytes_go_in_and_come_out_as_they_are() -> None:
    data = bytes(range(256)) * 1000
    assert shell.piped(["sh", "-c", "cat; echo said >&2; exit 5"], data) == (5, data, "said\n")
    assert shell.piped(["true"], data)[0] == 0  # one that does not read


def test_one_that_is_late_is_killed() -> None:
    with pytest.raises(SystemFailure, match="did not end within"):
        shell.piped(["sleep", "600"], b"", timeout=0.2)


class Interrupted(subprocess.Popen):
    """Ctrl-C comes when its process has begun, and nobody but Popen knows of that yet."""

    begun: list[int] = []

    def _execute_child(self, *arguments: Any) -> None:
        super()._execute_child(*arguments)  # type: ignore[misc] # the one moment between the fork and Popen's end
        self.begun.append(self.pid)
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The processes that began as Ctrl-C came."""
    monkeypatch.setattr(Interrupted, "begun", pids := [])
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


LONG = ["sleep", "600"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: shell.run(LONG),
        lambda: shell.Begun(LONG),
        lambda: shell.left(LONG, timeout=60, cwd=Path("/"), environment={}),
        lambda: shell.piped(LONG, b""),
        lambda: together.run([LONG], begun=bool, patience=60, window=60, grace=60, tick=lambda: None),
    ],
    ids=["run", "begun", "left", "piped", "together"],
)
def test_ctrl_c_while_it_begins_leaves_nothing_behind(call: Callable[[], object], begun: list[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        call()
    gone(begun)


@pytest.mark.parametrize("call", [shell.hand_over, lambda line: shell.relay(line, str)], ids=["hand_over", "relay"])
def test_ctrl_c_while_a_long_one_begins_is_its_code(call: Callable[[list[str]], int], begun: list[int]) -> None:
    assert call(LONG) == 130
    gone(begun)


def gone(begun: list[int]) -> None:
    """The process is no more, and the next Ctrl-C is heard."""
    [pid] = begun
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_who_ignores_ctrl_c_or_is_no_main_thread_runs_programs_as_well() -> None:
    """As started in the background by a shell: what it runs is to ignore it too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert shell.run(["sh", "-c", "kill -INT $$; echo on"]).out == "on\n"
    finally:
        signal.signal(signal.SIGINT, before)
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(shell.run(["echo", "here"]).out))
    thread.start()
    thread.join()
    assert said == ["here\n"]
