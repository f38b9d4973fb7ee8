"""What was found wrong, told once each and no more than a person reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_ENOUGH: Final = 10  # of one sort; the others are counted


class Finding(NamedTuple):
    """`offset`: at which byte of the file; None where it is about no single place."""

    offset: int | None
    sentence: str


@dataclass(slots=True)
class Findings:
    """Collects; `sort` is a word by which like findings are counted."""

    rows: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    _seen: Counter[str] = field(default_factory=Counter)

    def add(self, offset: int | None, sentence: str, sort: str = "") -> None:
        sort = sort or sentence
        self._seen[sort] += 1
        if self._seen[sort] <= _ENOUGH:
            self.rows.append(Finding(offset, sentence))

    def finish(self) -> tuple[Finding, ...]:
        """All of them, and how many were left out."""
        more = sum(count - _ENOUGH for count in self._seen.values() if count > _ENOUGH)
        if more:
            self.rows.append(Finding(None, f"and {more} more findings of these sorts"))
        return tuple(self.rows)
