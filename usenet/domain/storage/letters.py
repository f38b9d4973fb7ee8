"""What happened to a drive, on its way to those who are to know: tried again later and later, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from usenet.domain.storage.events import Event

Way = Literal["hooks", "webhook"]
WAYS: tuple[Way, ...] = get_args(Way)

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0
# Given up after a day, but not before it was tried a few times: the machine may have been off, or its clock wrong.
OLDEST, LEAST_TRIES, MOST_TRIES = 86400.0, 5, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One event for one of those ways. `tries`: how often in vain; `after`: when again, in seconds since 1970."""

    way: Way
    event: Event
    tries: int = 0
    after: float = 0.0


def pause(letter: Letter, now: float) -> float:
    """The seconds until it is tried; never more than the longest, whatever the clock did meanwhile."""
    wait = letter.after - now
    return max(wait, 0.0) if wait <= LONGEST_PAUSE else 0.0


def again(letter: Letter, now: float) -> Letter | None:
    """The letter after one more try in vain; None where it is given up."""
    tries = letter.tries + 1
    if tries >= MOST_TRIES or (tries >= LEAST_TRIES and now - letter.event.at > OLDEST):
        return None
    return replace(letter, tries=tries, after=now + min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE))
