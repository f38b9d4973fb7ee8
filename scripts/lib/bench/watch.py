"""What the watch over the drives costs while nothing happens, and how soon it shows a drive that is plugged in."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bench.drives import FILE, _late, _Shelf, _shelf, _until
from bench.scratch import Stack
from bench.timing import Figure, Series, run

if TYPE_CHECKING:
    from bench.figures import Round

TICKS = os.sysconf("SC_CLK_TCK")


def watch(now: Round) -> Iterator[Figure]:
    """A stack with one drive that comes and goes, and the watch beside it."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        print("left out: watch: it needs root and loop devices")
        return
    stack = now.scratch.stack((1,), checked=False)
    with _shelf(stack, now.scratch.folder / "watched.img") as place:
        hand = Series(tuple(place.by_hand() for _ in range(now.times(50, 4))))
        device = place._plug()
        run(stack.usenet("storage", "add", device, "--name", "bench"))
        with _watching(stack) as (process, told):
            busy, memory = _idle(process.pid, now.times(60, 10)), _memory(process.pid)
            ours = Series(tuple(_appears(place, told) for _ in range(now.times(50, 4))))
        run(stack.usenet("storage", "remove", "bench"))
    yield _late("watch, attach → visible inside", ours, hand, 1.0)
    yield _limit("watch, idle, processor", busy, f"{busy * 100:.2f} %", "≤ 0.5 %", busy <= 0.005)
    yield _limit("watch, memory", memory / 2**20, f"{memory / 2**20:.0f} MiB", "≤ 60 MiB", memory <= 60 * 2**20)
    stack.clear()


@dataclass(frozen=True, slots=True)
class _Amount(Series):
    """One number that is no time."""

    words: str

    def __str__(self) -> str:
        return self.words


def _limit(name: str, value: float, shown: str, goal: str, reached: bool) -> Figure:
    return Figure(name, _Amount((value,), shown), "the goal itself", None, value, shown, goal, reached)


@contextmanager
def _watching(stack: Stack) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """The watch, and what it tells, once its first look is done."""
    process = subprocess.Popen(stack.usenet("--json", "storage", "watch"), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        _heard(process.stdout, "watching")
        yield process, process.stdout
    finally:
        process.terminate()
        process.wait(30)


def _heard(told: IO[str], what: str) -> None:
    for line in told:
        news = json.loads(line)
        if what in (news["event"], news["text"]):
            return
    raise RuntimeError(f"the watch ended before it told: {what}")


def _appears(place: _Shelf, told: IO[str]) -> float:
    """Take the drive out as a careful person does, plug it in; seconds until its files are seen inside."""
    target = place.stack.home / "data" / "drives" / "bench"
    device = run(["findmnt", "-n", "-o", "SOURCE", str(target)])[1].strip()
    run(["umount", str(target)])
    _heard(told, "removed")
    run(["losetup", "--detach", device])
    time.sleep(0.5)  # it hears of that too, and is at rest again
    began = time.perf_counter()
    place._plug()
    seen = _until(place.inside / "drives" / "bench" / FILE)
    _heard(told, "added")
    return seen - began


def _idle(pid: int, seconds: int) -> float:
    """Part of one processor that the process and those it started took, while nothing happened."""
    time.sleep(2)
    before = _spent(pid)
    time.sleep(seconds)
    return (_spent(pid) - before) / seconds


def _spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmRSS:"))
