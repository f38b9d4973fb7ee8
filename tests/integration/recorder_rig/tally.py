"""What came of many cuts or kills, as a row of a table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .judge import Verdict


@dataclass
class Tally:
    """What came of many cuts or kills."""

    name: str
    count: int = 0
    breaches: list[str] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)  # of what the policy allows
    policies: dict[str, list[float]] = field(default_factory=dict)  # losses
    finished: int = 0
    recovered: int = 0
    during: Counter[str] = field(default_factory=Counter)
    recovery_ms: list[float] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.count += 1
        self.breaches += verdict.breaches
        self.losses += verdict.losses.values()
        self.share += [loss / verdict.allowed[camera] for camera, loss in verdict.losses.items()]
        for camera, policy in verdict.policies.items():
            self.policies.setdefault(policy, []).append(verdict.losses[camera])
        self.finished += verdict.finished
        self.recovered += verdict.recovered
        self.during.update(verdict.during)
        self.recovery_ms += verdict.recovery_ms

    def row(self) -> str:
        median, most = statistics.median(self.losses), max(self.losses)
        return (
            f"| {self.name} | {self.count} | {self.finished} | {self.recovered} | {median:.3f} | {most:.3f} | "
            f"{max(self.share):.0%} | {max(self.recovery_ms, default=0):.0f} | {len(self.breaches)} |"
        )


HEADER = (
    "| | times | closed segments | recovered | loss, median s | most s | most of what is allowed | "
    "slowest recovery ms | breaches |\n|---|---|---|---|---|---|---|---|---|"
)


def table(name: str, tallies: Sequence[Tally], say: Callable[[str], None]) -> None:
    say(f"\n{name}\n\n{HEADER}")
    for tally in tallies:
        say(tally.row())
    _by_policy(tallies, say)
    for tally in tallies:
        landed = ", ".join(f"{what} {count}" for what, count in tally.during.most_common(12))
        say(f"\n{tally.name} landed in: {landed or 'no call'}")
        for breach in tally.breaches:
            say(f"BREACH {tally.name}: {breach}")


def _by_policy(tallies: Sequence[Tally], say: Callable[[str], None]) -> None:
    say("\n| policy | recordings | loss, median s | most s |\n|---|---|---|---|")
    for policy in sorted({policy for tally in tallies for policy in tally.policies}):
        losses = [loss for tally in tallies for loss in tally.policies.get(policy, [])]
        say(f"| {policy} | {len(losses)} | {statistics.median(losses):.3f} | {max(losses):.3f} |")
