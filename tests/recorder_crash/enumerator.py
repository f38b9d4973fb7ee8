"""Goes through the states that a power cut may leave at every call of a story, and recovers each of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

from usenet.recorder.policy import Recovery

from .invariants import described, media, recovered, started, truthful, unrecovered
from .memory import MemIO, Op
from .player import Playing
from .states import Drive, Limits, Pick
from .workloads import Promise, Story

POLICIES: tuple[Recovery, ...] = get_args(Recovery)


Change = Callable[[list[Op]], list[Op]]


@dataclass(frozen=True, slots=True)
class Depth:
    """How far to go: `states` of a story, and of how many of them (in 1,000) more is asked than one recovery."""

    states: int = 1000
    limits: Limits = field(default_factory=Limits)
    nested: int = 10
    without: int = 100
    other: int = 200


@dataclass(slots=True)
class Tally:
    """What was looked at, and each breach: where to find it again, and what it is."""

    states: int = 0
    nested: int = 0
    without: int = 0
    breaches: list[tuple[str, str]] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.states + other.states,
            self.nested + other.nested,
            self.without + other.without,
            self.breaches + other.breaches,
        )


@dataclass(slots=True)
class Walk:
    """One story on one size of sector. Deterministic: the same arguments look at the same states."""

    story: Story
    sector: int
    depth: Depth
    seed: int = 0
    stale: Mapping[str, bytes] = field(default_factory=dict)
    enough: int = 1 << 30  # breaches after which it stops
    change: Change | None = None  # what a mutant does to the calls of a recovery
    tally: Tally = field(default_factory=Tally)
    _seen: set[int] = field(default_factory=set)

    def run(self) -> Tally:
        """As many states as asked for, or all that there are: round by round, until a round finds hardly a new one."""
        calls = len(self.story.log) + 1
        for number in range(40):
            before = self.tally.states
            left = self.depth.states - before
            most = 8 + -(-left // calls) * (1 + number)
            self._round(replace(self.depth.limits, most=most), random.Random(f"{self.seed} {number}"))
            if self._done() or self.tally.states - before < left // 50 + 1:
                break
        return self.tally

    def _done(self) -> bool:
        return self.tally.states >= self.depth.states or len(self.tally.breaches) >= self.enough

    def _round(self, limits: Limits, rng: random.Random) -> None:
        drive = Drive(self.story.start, self.sector, self.stale)
        for calls in range(len(self.story.log) + 1):
            if calls:
                drive.feed(self.story.log[calls - 1])
            promised = self.story.promised(calls)
            for pick in drive.picks(limits, rng):
                files = drive.content(pick)
                key = hash((tuple(files.items()), repr(promised)))
                if key in self._seen:
                    continue
                self._seen.add(key)
                self._state(files, promised, f"{calls}/{pick}", rng)
                if self._done():
                    return

    def _state(self, files: dict[str, bytes], promised: dict[str, Promise], where: str, rng: random.Random) -> None:
        self.tally.states += 1
        policy = rng.choice(POLICIES) if rng.randrange(1000) < self.depth.other else "skip"
        policy = self.story.policy or policy
        found, io = examine(files, self.story, promised, policy, sites=self.change is not None)
        got = media(io.files(), self.story)
        log = self.change(io.log) if self.change else io.log
        if rng.randrange(1000) < self.depth.without:
            self.tally.without += 1
            found += without(files, self.story, got, policy, rng.randrange(4))
        if rng.randrange(1000) < self.depth.nested:
            count, more = nested((files, log), self.story, got, policy, self.sector, rng)
            self.tally.nested += count
            found += more
        self.tally.breaches += [(f"{where} {policy}", breach) for breach in found]


def examine(
    files: dict[str, bytes], story: Story, promised: Mapping[str, Promise], policy: Recovery, *, sites: bool = False
) -> tuple[list[str], MemIO]:
    """Every breach of a state, as it lies there and once recovered; and the drive after that recovery."""
    found = list(unrecovered(files, story, promised))
    io, breaches = recovered(files, policy, sites=sites)
    got = media(io.files(), story)
    found += breaches
    found += truthful(got, story, promised, policy)
    found += described(io.files(), story)
    if story.outcome is not None and got != story.outcome:
        found.append("I6: recovery after a cut within recovery gives other media")
    return found, io


def without(files: dict[str, bytes], story: Story, got: dict[str, Playing], policy: Recovery, which: int) -> list[str]:
    """I5: the index, the commit or both are only there to be quick and to explain; the media are the same.

    Nor does it matter whether one segment is recovered or the whole directory.
    """
    gone = ((".index",), (".commit",), (".index", ".commit"), ())[which]
    rest = {path: data for path, data in files.items() if not (gone and path.endswith(gone))}
    io, breaches = recovered(rest, policy) if gone else started(rest, policy)
    if media(io.files(), story) != got:
        breaches.append(f"I5: without {' and '.join(gone)} recovery gives other media")
    return breaches


def nested(
    first: tuple[dict[str, bytes], list[Op]],
    story: Story,
    got: dict[str, Playing],
    policy: Recovery,
    sector: int,
    rng: random.Random,
) -> tuple[int, list[str]]:
    """I6: the power fails again at each call of the recovery; the next one ends where this one would have."""
    drive, count, found = Drive(first[0], sector), 0, []
    for calls, op in enumerate(first[1], 1):
        drive.feed(op)
        for pick in drive.picks(Limits(exhaustive=3, random=2, most=4), rng):
            count += 1
            io, breaches = recovered(drive.content(pick), policy)
            if media(io.files(), story) != got:
                breaches.append("I6: recovery after a cut within recovery gives other media")
            found += [f"{breach} (second cut {calls}/{pick})" for breach in breaches]
    return count, found


def again(
    story: Story, sector: int, where: str, policy: str, stale: Mapping[str, bytes]
) -> tuple[dict[str, bytes], list[str]]:
    """The files of a state that a breach names, "calls/pick", and all that is wrong with it."""
    calls, pick = where.split("/")
    drive = Drive(story.start, sector, stale)
    for op in story.log[: int(calls)]:
        drive.feed(op)
    files = drive.content(Pick.parse(pick))
    promised = story.promised(int(calls))
    found, io = examine(files, story, promised, policy)  # type: ignore[arg-type]
    got = media(io.files(), story)
    for which in range(4):
        found += without(files, story, got, policy, which)  # type: ignore[arg-type]
    for seed in range(10):
        found += nested((files, io.log), story, got, policy, sector, random.Random(seed))[1]  # type: ignore[arg-type]
    return files, found
