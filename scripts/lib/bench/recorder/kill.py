"""What is lost when a recorder is killed with signal 9 while it records in real time."""

from __future__ import annotations

import random
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside
from bench.recorder.feed import Fed, begin, start
from bench.recorder.material import RATE, SECONDS, Material, flv
from bench.recorder.played import Played, played
from bench.recorder.recorders import Recorder, others, ours
from bench.timing import Figure, Series

READING = 0.05  # seconds: the newest picture may lie in the pipe; it was given, and is not yet the recorder's
HEAD_START = 2.0  # seconds, after the slowest has begun
Lost = dict[str, list[float]]


def kill(material: Material, folder: Path, *, waves: int, copies: int) -> Iterator[Figure]:
    """Each wave: every recorder `copies` times at once, each killed at a moment of its own."""
    default, evidence, rest = ours(material, "default"), ours(material, "evidence"), others()
    lost: Lost = defaultdict(list)
    recovered: Lost = defaultdict(list)
    wrong, unplayable = 0, 0
    for number in range(waves):
        place = folder / f"wave{number}"
        for fed, moment in _wave(material, place, [default, evidence, *rest], copies):
            given = fed.seconds_given(moment)
            found = played(fed.file, material.sums())
            lost[fed.recorder.name].append(given - found.seconds)
            if fed.recorder.ours:
                unplayable += found.seconds == 0
                again = recovered_of(fed, material)
                recovered[fed.recorder.name].append(given - again.seconds)
                wrong += found.wrong + again.wrong
        shutil.rmtree(place)
    series = {name: Series(tuple(times)) for name, times in lost.items()}
    anchors = {one.name: series[one.name] for one in rest}
    goal = Goal(0.25 + READING, "every time ≤ 0.25 s", worst=True)
    yield from beside("kill -9, default: lost as it is", series[default.name], anchors, goal)
    frame = Goal(1.05 / RATE, "every time ≤ 1 frame", worst=True)
    yield from beside("kill -9, evidence: lost as it is", series[evidence.name], anchors, frame)
    for one in (default, evidence):
        yield from beside(f"kill -9, {one.name[6:]}: lost, recovered", Series(tuple(recovered[one.name])), {})
    trials = len(lost[default.name]) + len(lost[evidence.name])
    yield from none_of("kill -9: not playable as it is", unplayable, trials)
    yield from none_of("kill -9: wrong pictures", wrong, trials)


def none_of(name: str, count: int, trials: int) -> Iterator[Figure]:
    """A count that is to be 0."""
    yield from beside(name, Amount((count,), f"of {trials}", 0), {}, Goal(0, "none"))


def _wave(material: Material, place: Path, recorders: Sequence[Recorder], copies: int) -> Iterator[tuple[Fed, float]]:
    with ExitStack() as running:
        all_fed: list[Fed] = []
        for number in range(copies):
            for place_of, recorder in enumerate(recorders):
                folder = place / f"{place_of}-{number}"
                all_fed.append(begin(recorder, folder, place / f"{place_of}-{number}.notes"))
                running.callback(all_fed[-1].stop)
        began = start(all_fed, lambda: flv(material, 600))
        moments = sorted((began + HEAD_START + random.uniform(0, SECONDS / 2), n) for n in range(len(all_fed)))
        ended = []
        for moment, number in moments:
            time.sleep(max(0.0, moment - time.monotonic()))
            ended.append((all_fed[number], all_fed[number].kill()))
    yield from ended


def recovered_of(fed: Fed, material: Material) -> Played:
    from usenet.recorder.recovery import recover

    part = fed.file
    if part.suffix == ".part":
        recover(part)
    return played(fed.file, material.sums())
