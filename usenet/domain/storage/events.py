"""Drives that come and go: from what was known and what is seen to events, and to what may be done now.

A drive is `there` when it is mounted and answers. One that went though nobody took it out is `lost`; one that a person
unmounted while it was plugged in is `out`, and left alone until it is plugged in anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from usenet.domain.storage.converge import converge
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.seen import Place, Seen
from usenet.domain.storage.steps import Detach

State = Literal["there", "lost", "out", "away"]
Kind = Literal["added", "removed", "lost", "returned"]

# A drive that was lost so often within the window has a loose cable: it must stay for a while before it is mounted.
FREE_LOSSES = 2
WINDOW = 600.0
FIRST_WAIT = 10.0
LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A drive now. `device`: what tells one plugging-in from the next, empty where it is not there to be mounted."""

    mounted: bool = False
    alive: bool = True
    device: str = ""

    @property
    def well(self) -> bool:
        return self.mounted and self.alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is remembered of a drive. `since`: from when on it may be counted as steady; `tries`: mounts that failed."""

    state: State
    device: str = ""
    since: float = 0.0
    tries: int = 0
    losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a drive, in seconds since 1970."""

    kind: Kind
    drive: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What follows from one look: what to remember, what happened, what may be mounted, and when to look again."""

    known: Mapping[str, Known]
    events: tuple[Event, ...] = ()
    mount: frozenset[str] = frozenset()
    again: float | None = None


def sights(drives: Mapping[str, DriveSettings], seen: Seen, tokens: Mapping[str, str]) -> dict[str, Sight]:
    """Each drive of the stack now. `tokens`: device or directory → what tells one plugging-in from the next."""
    wrong = {step.target for step in converge(drives, seen).steps if isinstance(step, Detach)}
    return {name: _sight(name, drive, seen, tokens, wrong) for name, drive in drives.items()}


def _sight(name: str, drive: DriveSettings, seen: Seen, tokens: Mapping[str, str], wrong: Collection[str]) -> Sight:
    held = seen.places.get(name, Place()).held
    if drive.path:
        device = tokens.get(drive.path, "") if drive.path in seen.directories else ""
        return Sight(mounted=bool(held), alive=bool(held and held.alive and (device or held.unsure)), device=device)
    same = seen.twins(drive.uuid)
    usable = len(same) == 1 and not same[0].why
    return Sight(
        mounted=bool(held),
        alive=bool(held and held.alive and seen.target(name) not in wrong),
        device=tokens.get(same[0].device, "") if usable else "",
    )


def turn(
    known: Mapping[str, Known] | None, sights: Mapping[str, Sight], now: float, tried: Collection[str] = ()
) -> Turn:
    """One look at the drives of the stack, in the order of `sights`. `known` None: the first look ever, where what
    is mounted already is nothing new. `tried`: drives that should have been mounted just now.
    """
    before = known or {}
    after: dict[str, Known] = {}
    events: list[Event] = []
    ready: dict[str, float] = {}
    for name, old in before.items():
        if name not in sights and old.state in ("there", "lost"):
            events.append(Event(kind="removed", drive=name, at=now))
    for name, sight in sights.items():
        kind = _happened(before.get(name), sight)
        one = _after(before.get(name), sight, kind, now)
        if name in tried and not sight.well:
            one = replace(one, since=now, tries=one.tries + 1)
        after[name] = one
        if kind and known is not None:
            events.append(Event(kind=kind, drive=name, at=now))
        if sight.device and not sight.well and one.state != "out":
            ready[name] = one.since + patience(one, now)
    return Turn(
        known=after,
        events=tuple(events),
        mount=frozenset(name for name, at in ready.items() if at <= now),
        again=min((at for at in ready.values() if at > now), default=None),
    )


def _happened(old: Known | None, sight: Sight) -> Kind | None:
    if sight.well:
        if old is None or old.state in ("out", "away"):
            return "added"
        return "returned" if old.state == "lost" else None
    if old is None or old.state != "there":
        return None
    taken_out = not sight.mounted and sight.device and sight.device == old.device
    return "removed" if taken_out else "lost"


def _after(old: Known | None, sight: Sight, kind: Kind | None, now: float) -> Known:
    old = old or Known(state="away", since=now)
    if sight.device != old.device and not (sight.well and old.state == "there"):
        old = replace(old, since=now, tries=0)
    losses = tuple(at for at in old.losses if now - at < WINDOW)
    device = sight.device
    match kind:
        case "added" | "returned":
            return replace(old, state="there", device=device, tries=0, losses=losses)
        case "lost":
            return replace(old, state="lost", device=device, since=now, losses=(*losses, now))
        case "removed":
            return replace(old, state="out", device=device, losses=losses)
    state: State = "away" if old.state == "out" and device != old.device else old.state
    return replace(old, state=state, device=device, losses=losses)


def patience(known: Known, now: float) -> float:
    """How long a drive must be plugged in before it is mounted: longer the more often it was lost or could not be."""
    losses = sum(now - at < WINDOW for at in known.losses) - FREE_LOSSES
    wait = max(losses, known.tries)
    return min(FIRST_WAIT * 2.0 ** (wait - 1), LONGEST_WAIT) if wait > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Duties:
    """What holds while drives are lost. `pause`: downloads; `stop`: services that depend on the drives."""

    pause: bool = False
    stop: bool = False


def duties(drives: Mapping[str, DriveSettings], known: Mapping[str, Known]) -> Duties:
    """What the lost drives ask for; backups, recordings and drives that nobody needs ask for nothing.

    Downloads pause while one that is written to is lost. The services that depend on the drives stop when one is lost
    and none is left: what they would find is an empty library. With one left they go on.
    """
    counted = {name: drive for name, drive in drives.items() if drive.role in ("media", "downloads") and drive.needed}
    states = {name: known[name].state for name in counted if name in known}
    lost = [name for name, state in states.items() if state == "lost"]
    return Duties(
        pause=any(not counted[name].read_only for name in lost), stop=bool(lost) and "there" not in states.values()
    )
