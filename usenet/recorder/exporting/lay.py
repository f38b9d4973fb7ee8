"""Which part of each source is wanted, and where in the export it comes: borders, order and gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from ..errors import RecorderError
from . import borders
from .footage import Footage, when
from .join import Cut, Join

SEAMLESS: Final = Fraction(1, 4)  # seconds between two sources that are no gap: clocks and networks are not exact
OVERLAP: Final = Fraction(1)  # seconds that two sources may overlap before somebody has to say which one is meant


def lay(given: Sequence[Footage], start_ns: int | None, end_ns: int | None, *, exact: bool, close: bool) -> Join:
    """The sources in their order, cut at the borders, one behind the other. RecorderError if nothing is left."""
    timed = sorted(given, key=lambda each: each.utc(each.start)) if all(each.zero_ns for each in given) else given
    if (start_ns is not None or end_ns is not None) and timed is given:
        raise RecorderError("a source does not say when it was recorded, so it can't be cut by time", code=2)
    taken = [each for each in timed if _in(each, start_ns, end_ns)]
    if not taken:
        raise RecorderError(f"nothing was recorded {_between(start_ns, end_ns)}", hint="usenet recorder list")
    found = Join([], [])
    for number, each in enumerate(taken):
        begin = _begin(each, start_ns, exact) if not number else each.start
        end = _end(each, end_ns, exact) if number == len(taken) - 1 else each.end
        at = -begin if not number else _next(found, each, close)
        found.cuts.append(Cut(each, begin, end, at))
    if found.end <= 0:
        raise RecorderError(f"nothing was recorded {_between(start_ns, end_ns)}", hint="usenet recorder list")
    return found


def _in(each: Footage, start_ns: int | None, end_ns: int | None) -> bool:
    return (start_ns is None or each.utc(each.end) > start_ns) and (end_ns is None or each.utc(each.start) < end_ns)


def _between(start_ns: int | None, end_ns: int | None) -> str:
    first = f"from {when(start_ns)}" if start_ns is not None else ""
    return " ".join(filter(None, (first, f"until {when(end_ns)}" if end_ns is not None else ""))) or "in these files"


def _ticks(each: Footage, utc_ns: int) -> int:
    return math.floor(Fraction(utc_ns - each.zero_ns, 10**9) * each.lead.timescale + Fraction(1, 2))


def _begin(each: Footage, start_ns: int | None, exact: bool) -> Fraction:
    if start_ns is None or start_ns <= each.utc(each.start):
        return each.start
    ticks = _ticks(each, start_ns)
    found = borders.picture_at(each.lead, ticks) if exact else borders.pts(each.lead, borders.key_at(each.lead, ticks))
    return max(each.start, Fraction(found, each.lead.timescale))


def _end(each: Footage, end_ns: int | None, exact: bool) -> Fraction:
    if end_ns is None or end_ns >= each.utc(each.end):
        return each.end
    ticks = _ticks(each, end_ns)
    if exact:
        found = borders.picture_from(each.lead, ticks)
    else:
        key = borders.key_from(each.lead, ticks)
        found = None if key is None else borders.pts(each.lead, key)
    return each.end if found is None else min(each.end, Fraction(found, each.lead.timescale))


def _next(found: Join, each: Footage, close: bool) -> Fraction:
    """What is added to the times of a source so that it follows the one before, after the gap between them."""
    before = found.cuts[-1].footage
    gap = Fraction(0)
    if each.zero_ns and before.zero_ns:
        gap = Fraction(each.utc(each.start) - before.utc(before.end), 10**9)
    if gap < -OVERLAP:
        raise RecorderError(
            f"{each.path} begins {float(-gap):.1f} s before {before.path} ends, at {when(before.utc(before.end))}",
            hint="give only one of them, or export each by itself",
            code=2,
        )
    if close or gap <= SEAMLESS:
        gap = Fraction(0)
    if gap:
        found.gaps.append((found.end, gap))
    return found.end + gap - each.start
