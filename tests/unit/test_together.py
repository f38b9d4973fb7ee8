"""Programs that run beside each other for a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait
from usenet.adapters import together

# Counts up for ever; after Ctrl-C it says so and ends.
COUNTS = "trap 'echo last; echo ended >&2; exit 255' INT; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"
TICKS: list[str] = []
DEAF = "trap '' INT TERM; echo 1; while :; do sleep 0.1; done"


def side_by_side(
    *scripts: str, window: float = 0.3, grace: float = 60.0, patience: float = 60.0, tick=lambda: TICKS.append("tick")
):
    commands = [["sh", "-c", script] for script in scripts]
    return together.run(commands, begun=bool, patience=patience, window=window, grace=grace, tick=tick)


def test_time_counts_from_when_all_have_begun() -> None:
    seconds, (quick, late) = side_by_side(COUNTS, f"sleep 0.5; {COUNTS}", window=2.0)
    assert seconds >= 2.0
    assert TICKS
    assert late.opened
    assert len(quick.opened) > len(late.opened)  # it ran while the other had not begun
    for one in (quick, late):
        assert one.closed.startswith(one.opened)
        assert len(one.closed) > len(one.opened)
        assert (one.code, one.out[-5:], one.err) == (255, "last\n", "ended\n")


def test_one_that_never_begins_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    listens = tmp_path / "listens"  # for Ctrl-C, which comes no earlier
    script = f"trap 'exit 3' INT; : > {listens}; while :; do sleep 0.05; done"
    _, (silent,) = side_by_side(script, patience=0.2, tick=lambda: wait(listens.exists))
    assert (silent.opened, silent.code) == ("", 3)


def test_one_that_ends_by_itself_ends_the_waiting() -> None:
    _, (failed,) = side_by_side("echo no >&2; exit 9", window=500, patience=500)
    assert (failed.code, failed.err) == (9, "no\n")


def test_one_that_does_not_hear_ctrl_c_is_killed() -> None:
    _, (deaf,) = side_by_side(DEAF, grace=0.3)
    assert deaf.code == -signal.SIGKILL


def test_one_that_cannot_be_killed_is_waited_for_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that waits in the kernel for a driver; it must not hold up what is measured next, nor the end."""
    monkeypatch.setattr(together, "_ENDING", 0.1)
    monkeypatch.setattr(subprocess.Popen, "kill", lambda _: None)
    script = "trap '' INT TERM; echo $$; i=0; while [ $i -lt 200 ]; do i=$((i+1)); sleep 0.1; done"
    _, (stuck,) = side_by_side(script, grace=0.1)
    try:
        assert stuck.code == -signal.SIGKILL
        os.kill(int(stuck.out), 0)  # it was not waited for
    finally:
        os.kill(int(stuck.out), signal.SIGKILL)


def test_more_output_than_a_pipe_holds_stops_nobody() -> None:
    script = "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo 0123456789012345678901234567890123456789; done; exit 4"
    _, (ran,) = side_by_side(script, window=500)
    assert (ran.code, len(ran.out)) == (4, 4000 * 41)


# It ticks when both have been started.
PROGRAM = """
import sys
from pathlib import Path
from usenet.adapters import together
tick = Path(sys.argv[2]).touch
together.run([["sh", "-c", sys.argv[1]]] * 2, begun=bool, patience=60, window=600, grace=9, tick=tick)
"""


def test_ctrl_c_leaves_none_behind(tmp_path: Path) -> None:
    pids, ticks = tmp_path / "pids", tmp_path / "ticks"
    script = f"echo $$ >> {pids}; {DEAF}"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, script, str(ticks)], stderr=subprocess.PIPE)
    wait(lambda: ticks.exists() and pids.exists() and pids.read_text().count("\n") == 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    for pid in pids.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
