"""How drives are: what they say of themselves, what their filesystems counted, and when they will be full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from usenet.domain import mounts
from usenet.domain.host import Drive, Host
from usenet.domain.storage.converge import unsure
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.seen import Seen

State = Literal["mounted", "read-only", "not mounted", "away", "dead", "wrong marker", "unknown"]

DAY = 86400.0
# Below these nothing is said: a week of downloads says little about a month.
LEAST_SAMPLES = 8
LEAST_SPAN = 3 * DAY
WINDOW = 90 * DAY
KEPT = 200  # samples of one drive: with one each quarter of a day, fifty days
APART = DAY / 4
FAR = 3 * 365.0  # days; what lies further is no forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Smart:
    """What a drive says of itself. `verdict` is unknown where `why` says why; None is a number it does not give.

    `signs`: what is not a failure yet and often comes before one.
    """

    verdict: Literal["passed", "failing", "unknown"]
    why: str = ""
    temperature: int | None = None
    hours: int | None = None
    worn: int | None = None
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """SMART in a word for the physical drives below a filesystem: the worst. Empty where that is not known of each."""

    state: Literal["ok", "signs", "failing", ""] = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How full a drive was. `drive` is its UUID or path: a drive that takes another's name begins anew."""

    at: float
    drive: str
    used: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """In how many days a drive is full, and between which it lies in 19 of 20 cases if it goes on like this.

    `latest` is None where it may as well never be.
    """

    days: float
    earliest: float
    latest: float | None


def state(drive: DriveSettings, name: str, seen: Seen) -> tuple[State, str]:  # noqa: PLR0911 - one for each state
    """What a drive of the stack is now, and why."""
    place = seen.places.get(name)
    held = place.held if place else None
    twins = seen.twins(drive.uuid)
    if held is None:
        if (drive.uuid and not twins and seen.blind) or drive.path in seen.silent:
            return "unknown", "only root can see it here" if drive.uuid else "it has not answered yet"
        here = bool(twins) if drive.uuid else drive.path in seen.directories
        return ("not mounted", "see: usenet storage check") if here else ("away", "")
    if not held.alive:
        return "dead", "it does not answer"
    if why := unsure(drive, held, seen):
        return "unknown", why
    if drive.uuid and not seen.unread(held) and not any(held.source in one.devices for one in twins):
        return "dead", f"{held.source} is gone"
    if held.marker and seen.stack and (held.marker.stack, held.marker.uuid) != (seen.stack, drive.uuid):
        return "wrong marker", f"it is that of {held.marker.name} of another stack or drive"
    if held.marker is None and not drive.read_only:
        return "wrong marker", "it has none"
    if held.read_only:
        return "read-only", "as asked for" if drive.read_only else "nothing can be written to it now"
    return "mounted", ""


def well(found: State, drive: DriveSettings) -> bool:
    """Whether nothing is to be done about a drive that is so; one that travels may be away."""
    return found == "mounted" or (found == "read-only" and drive.read_only) or (found == "away" and not drive.needed)


def beneath(drive: DriveSettings, host: Host) -> tuple[Drive, ...]:
    """The physical drives that a drive of the stack lies on: several under an array, none where nothing was seen."""
    if drive.uuid:
        uuid = drive.uuid
    else:
        held = mounts.holding(host, drive.path)
        uuid = held[0].uuid if held else ""
    return tuple(one for one in host.drives if uuid and any(f.uuid == uuid for f in mounts.filesystems(one)))


def word(told: Mapping[str, Smart]) -> Word:
    """What drives say of themselves, in a word; why, where it is not that all is well."""
    failing = [f"{path} says that it fails" for path, one in told.items() if one.verdict == "failing"]
    signs = [f"{path}: {sign}" for path, one in told.items() for sign in one.signs]
    unknown = [f"{path}: {one.why}" for path, one in told.items() if one.verdict == "unknown"]
    if failing:
        return Word("failing", "; ".join((*failing, *signs)))
    if signs:
        return Word("signs", "; ".join(signs))
    return Word("ok") if told and not unknown else Word("", "; ".join(unknown))


def due(samples: Iterable[Sample], drive: str, now: float) -> bool:
    """Whether it is time for another sample of a drive."""
    return all(now - one.at >= APART or one.at > now for one in samples if one.drive == drive)


def kept(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples worth keeping: of each drive the newest."""
    counted: dict[str, int] = {}
    result = []
    for one in sorted(samples, key=lambda s: s.at, reverse=True):
        counted[one.drive] = counted.get(one.drive, 0) + 1
        if counted[one.drive] <= KEPT:
            result.append(one)
    return tuple(reversed(result))


def forecast(samples: Iterable[Sample], drive: str, now: float) -> Forecast | None:
    """When a drive is full, by the line that fits its samples best; None where they don't tell.

    They don't where there are too few or over too short a time, or where it may as well be that it does not fill.
    """
    mine = sorted((s for s in samples if s.drive == drive and now - WINDOW <= s.at <= now), key=lambda s: s.at)
    mine = [one for one in mine if one.size == mine[-1].size]
    if len(mine) < LEAST_SAMPLES or mine[-1].at - mine[0].at < LEAST_SPAN:
        return None
    slope, error = _line([(one.at / DAY, float(one.used)) for one in mine])
    low, high = slope - 2 * error, slope + 2 * error
    left = mine[-1].size - mine[-1].used
    if slope <= 0 or left / slope > FAR or low < -slope:
        return None
    return Forecast(days=left / slope, earliest=left / high, latest=left / low if low > 0 else None)


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the line of least squares, and its standard error."""
    count = len(points)
    x0, y0 = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    wide = sum((x - x0) ** 2 for x, _ in points)
    slope = sum((x - x0) * (y - y0) for x, y in points) / wide
    rest = sum((y - y0 - slope * (x - x0)) ** 2 for x, y in points)
    return slope, sqrt(rest / (count - 2) / wide)


def sentence(found: Forecast | None) -> str:
    """The forecast for a person; empty where there is none."""
    if found is None:
        return ""
    to = f" to {found.latest:.0f}" if found.latest and found.latest < FAR else " or more"
    return f"full in about {found.days:.0f} days ({found.earliest:.0f}{to}), if it goes on like this"
