"""Figures that are no times, and lines that put ours beside each of the others, the best of them first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.timing import Figure, Series


@dataclass(frozen=True, slots=True)
class Amount(Series):
    """Numbers of some unit; shown as a median, the least and the most."""

    unit: str
    places: int = 2

    def __str__(self) -> str:
        middle, least, most = (f"{n:,.{self.places}f}" for n in (self.median, min(self.seconds), max(self.seconds)))
        return f"{middle} {self.unit}" if least == most else f"{middle} ({least}–{most}) {self.unit}"


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `limit` (at least, with `least`). `worst`: it speaks of the worst of ours, not of the median."""

    limit: float
    words: str
    worst: bool = False
    least: bool = False

    def value(self, measured: Series) -> float:
        ends = (min if self.least else max)(measured.seconds)
        return ends if self.worst else measured.median

    def reached(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit


def beside(
    name: str, ours: Series, others: Mapping[str, Series], goal: Goal | None = None, *, only_best: bool = False
) -> Iterator[Figure]:
    """Ours beside the best of the others, with the goal; then, unless `only_best`, beside each of the rest."""
    judge = goal or Goal(0, "")
    value = judge.value(ours)
    ranked = sorted(others.items(), key=lambda each: judge.value(each[1]), reverse=judge.least)
    words, reached = (goal.words, goal.reached(value)) if goal else ("", None)
    result = f"worst {_said(ours, value)}" if judge.worst else _said(ours, value)
    anchor, series = ranked[0] if ranked else ("the goal itself" if goal else "none", None)
    yield Figure(name, ours, anchor, series, value, result, words, reached)
    for anchor, series in [] if only_best else ranked[1:]:
        yield Figure(name, ours, anchor, series, value, result)


def length(hours: float) -> str:
    """`1 h`, `2 min`."""
    return f"{hours:g} h" if hours >= 0.5 else f"{hours * 60:g} min"


def _said(series: Series, value: float) -> str:
    if isinstance(series, Amount):
        return str(Amount((value,), series.unit, series.places))
    return str(Series((value,)))
