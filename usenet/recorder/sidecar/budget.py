"""Whether a new segment may begin, and which finished ones go for it. Pure: an inventory in, a decision out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from usenet.recorder.sidecar.wishes import Budget

Verdict = Literal["go", "refuse", "stop"]


class Held(NamedTuple):
    """One recording on the drive. `began`: its name, which sorts by time. `ours`: name and content both say so."""

    path: str
    began: str
    bytes: int
    finished: bool = True
    protected: bool = False
    ours: bool = True
    uploaded: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """The filesystem in bytes, as a program without special rights sees it."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Decision:
    """`evict`: what may be deleted, the oldest first. `verdict` holds once that is gone; `because` says why."""

    verdict: Verdict
    evict: tuple[str, ...] = ()
    over: int = 0
    because: str = ""


def over(budget: Budget, used: int, room: Room) -> tuple[int, str]:
    """By how many bytes the limits are passed, and which one by most; 0 where all hold."""
    passed = [(budget.min_free - room.free, f"{budget.min_free} bytes of the drive are to stay free, {room.free} are")]
    if budget.max_bytes is not None:
        passed.append((used - budget.max_bytes, f"the recordings may take {budget.max_bytes} bytes and take {used}"))
    if budget.max_percent is not None:
        share = int(room.total * budget.max_percent / 100)
        text = f"the recordings may take {budget.max_percent:g} % of the drive, {share} bytes, and take {used}"
        passed.append((used - share, text))
    return max((0, ""), *passed, key=lambda one: one[0])


def may_go(held: Held, budget: Budget) -> bool:
    """Whether a recording may ever be deleted for room."""
    known = held.ours and held.finished and not held.protected
    return known and (held.uploaded or not budget.uploaded_first)


def decide(budget: Budget, inventory: Sequence[Held], room: Room, *, right_drive: bool) -> Decision:
    """What the budget asks for now. On a drive that is not the right one nothing is deleted, whatever is on it."""
    if not right_drive:
        return Decision("refuse", because="the drive is not the right one")
    used = sum(one.bytes for one in inventory if one.ours)
    excess, why = over(budget, used, room)
    if excess <= 0:
        return Decision("go")
    if budget.policy != "evict":
        return Decision(budget.policy, over=excess, because=why)
    gone: list[str] = []
    for one in sorted((o for o in inventory if may_go(o, budget)), key=lambda o: (o.began, o.path)):
        if excess <= 0:
            break
        gone.append(one.path)
        excess -= one.bytes
    if excess <= 0:
        return Decision("go", tuple(gone), because=why)
    return Decision("refuse", (), excess, f"{why}; all that may be deleted would not be enough, so nothing is")
