"""Times of several things, taken in turns so that what disturbs one disturbs the others too."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Measured = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Series:
    """Seconds, in the order measured."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        """`213 (208–230) ms`: the median, the least and the most."""
        unit, scale = ("s", 1.0) if self.median >= 2 else ("ms", 1000.0)
        places = 2 if self.median * scale < 20 else 0
        middle, least, most = (f"{s * scale:.{places}f}" for s in (self.median, min(self.seconds), max(self.seconds)))
        return f"{middle} ({least}–{most}) {unit}" if len(self.seconds) > 1 else f"{middle} {unit}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `goal`: in words, empty for a figure that is only printed; `reached` is None then.

    `value` is what the goal speaks of: measured over anchor, or what `shown` says. `anchor` None: the goal is a number.
    """

    name: str
    measured: Series
    anchor_name: str
    anchor: Series | None
    value: float
    shown: str
    goal: str = ""
    reached: bool | None = None


def ratio(name: str, measured: Series, anchor_name: str, anchor: Series, *, goal: float | None = None) -> Figure:
    """The figure `measured` ÷ `anchor`, to be at most `goal`."""
    value = measured.median / anchor.median
    words, reached = ("", None) if goal is None else (f"≤ {goal:g} ×", value <= goal)
    return Figure(name, measured, anchor_name, anchor, value, f"{value:.2f} ×", words, reached)


def in_turns(subjects: Mapping[str, Measured], repetitions: int, *, warm: bool = True) -> dict[str, Series]:
    """Call each `repetitions` times in turns, a different one first each time; with `warm` once before, not counted."""
    names = list(subjects)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    if warm:
        for name in names:
            subjects[name]()
    for number in range(repetitions):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            seconds[name].append(subjects[name]())
    return {name: Series(tuple(found)) for name, found in seconds.items()}


def run(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, cwd: Path | None = None, limit: float = 300
) -> tuple[float, str]:
    """Seconds that a command took, and its stdout; RuntimeError with what it said where it failed."""
    began = time.perf_counter()
    done = subprocess.run(
        list(command),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        timeout=limit,
    )
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def timed(command: Sequence[str], *, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> Measured:
    """The command as something to measure."""
    return lambda: run(command, environment=environment, cwd=cwd)[0]
