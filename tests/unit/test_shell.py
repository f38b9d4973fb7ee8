"""Programs that run for long: their lines, their exit codes, and Ctrl-C; and one that is fed and read in bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from usenet.adapters import shell
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
