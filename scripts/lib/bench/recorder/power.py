"""What is lost when the power goes: each recorder on a filesystem of its own, cut off while it records in real time."""

from __future__ import annotations

import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.recorder.amount import Goal, beside
from bench.recorder.feed import Fed, begin, start
from bench.recorder.kill import READING, none_of, recovered_of
from bench.recorder.material import Material, flv
from bench.recorder.played import played
from bench.recorder.recorders import Recorder, others, ours
from bench.recorder.volume import Volume, kinds, volume
from bench.timing import Figure, Series

LIMITS = {"default": 1.25, "evidence": 0.25 + 1 / 30}  # seconds between two syncs, and a chunk


@dataclass
class _Found:
    lost: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    recovered: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: int = 0
    broken: int = 0  # what was promised, and is not there


def power(material: Material, folder: Path, *, long: float, short: Sequence[float], few: bool) -> Iterator[Figure]:
    """One cut after `long` seconds for everybody; for ours more of them at once, after each of `short`."""
    rest = others()[1:2] if few else others()
    mine = [ours(material, preset) for preset in LIMITS]
    found = {kind: _Found() for kind in kinds(*(("ext4", "xfs") if few else ("ext4", "xfs", "btrfs")))}
    _cut_all([(kind, one, long) for kind in found for one in (*mine, *rest)], material, folder / "long", found)
    if short:
        _cut_all([(k, one, t) for k in found for one in mine for t in short], material, folder / "short", found)
    for kind, each in found.items():
        yield from _told(kind, each, [one.name for one in rest])


def _told(kind: str, found: _Found, rest: Sequence[str]) -> Iterator[Figure]:
    anchors = {name: Series(tuple(found.lost[name])) for name in rest}
    for preset, limit in LIMITS.items():
        name, own = f"power cut, {kind}, {preset}", f"ours, {preset}"
        recovered, as_it_is = Series(tuple(found.recovered[own])), Series(tuple(found.lost[own]))
        goal = Goal(limit + READING, f"every time ≤ {limit:.2f} s", worst=True)
        yield from beside(f"{name}: lost", recovered, anchors, goal, only_best=preset != "default")
        yield from beside(f"{name}: lost as it is", as_it_is, {}, goal)
    cuts = sum(len(times) for times in found.recovered.values())
    yield from none_of(f"power cut, {kind}: promised and lost", found.broken, cuts)
    yield from none_of(f"power cut, {kind}: wrong pictures", found.wrong, cuts)


def _cut_all(
    trials: Sequence[tuple[str, Recorder, float]], material: Material, folder: Path, found: dict[str, _Found]
) -> None:
    """All at once, each on a filesystem of its own: what one makes durable is no help to another."""
    with ExitStack() as running:
        volumes = [running.enter_context(volume(kind, folder, f"v{n}")) for n, (kind, _, _) in enumerate(trials)]
        fed = []
        for number, (_, recorder, _) in enumerate(trials):
            fed.append(begin(recorder, volumes[number].place / "rec", folder / f"v{number}.notes"))
            running.callback(fed[-1].stop)
        began = start(fed, lambda: flv(material, 600))
        order = sorted((began + after + random.uniform(0, 2), n) for n, (_, _, after) in enumerate(trials))
        moments = {}
        for moment, number in order:
            time.sleep(max(0.0, moment - time.monotonic()))
            moments[number] = _cut(fed[number], volumes[number])
        for number, moment in moments.items():
            volumes[number].back()
            _looked_at(fed[number], moment, material, found[volumes[number].kind])


def _cut(fed: Fed, place: Volume) -> float:
    if place.kind == "btrfs":
        fed.process.send_signal(signal.SIGSTOP)
    moment = place.cut()
    fed.kill()
    return moment


def _looked_at(fed: Fed, moment: float, material: Material, found: _Found) -> None:
    given, promised = fed.seconds_given(moment), fed.seconds_promised(moment)
    was = played(fed.file, material.sums())
    found.lost[fed.recorder.name].append(given - was.seconds)
    if fed.recorder.ours:
        again = recovered_of(fed, material)
        found.recovered[fed.recorder.name].append(given - again.seconds)
        found.wrong += was.wrong + again.wrong
        found.broken += again.seconds < promised - 1e-6
