"""How the drives of the stack are: SMART, errors of their filesystems, and when they will be full."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from usenet.actions.storage import status
from usenet.actions.storage.shelf import Shelf, observe
from usenet.actions.storage.status import Usage
from usenet.adapters.home import Home
from usenet.adapters.storage import fill, smart
from usenet.domain.errors import UsenetError
from usenet.domain.storage import health
from usenet.domain.storage.health import Forecast, Sample, Smart, State
from usenet.domain.storage.intent import DriveSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveHealth:
    """One drive of the stack. `smart`: of each physical drive below; `errors`: None where nobody counts them.

    `problems` is what is wrong now; `signs` what a person should know besides.
    """

    drive: str
    state: State
    smart: Mapping[str, Smart]
    errors: int | None
    fill: float | None
    forecast: Forecast | None
    problems: tuple[str, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """All drives; `notes`: what could not be done, in sentences."""

    drives: tuple[DriveHealth, ...]
    notes: tuple[str, ...]


def look(home: Home, *, record: bool = True) -> Looked:
    """Ask every drive of the stack, all at once. `record`: keep how full they are, for the forecast of a later day."""
    shelf = observe(home.require(), wake=False)
    below = {name: health.beneath(drive, shelf.host) for name, drive in shelf.drives.items()}
    asked = smart.ask(drive.path for drives in below.values() for drive in drives)
    states = {name: health.state(drive, name, shelf.seen)[0] for name, drive in shelf.drives.items()}
    usable = [name for name, state in states.items() if state in ("mounted", "read-only")]
    known = status.usages(shelf.seen.target(name) for name in usable)
    usages = {name: known[at] for name in usable if (at := shelf.seen.target(name)) in known}
    samples, notes = _samples(home, shelf, usages, record=record)
    found = tuple(
        _one(shelf, name, {drive.path: asked[drive.path] for drive in below[name]}, usages.get(name), samples)
        for name in shelf.drives
    )
    return Looked(found, notes)


def _samples(
    home: Home, shelf: Shelf, usages: Mapping[str, Usage], *, record: bool
) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """The record with what was seen now, kept if it is time for that."""
    now, samples = time.time(), fill.load(home)
    new = tuple(
        Sample(at=now, drive=_identity(shelf.drives[name]), used=usage.used, size=usage.used + usage.available)
        for name, usage in usages.items()
        if health.due(samples, _identity(shelf.drives[name]), now)
    )
    all_ = health.kept((*samples, *new))
    if record and new:
        try:
            fill.store(home, all_)
        except UsenetError as failure:
            return all_, (f"how full the drives are could not be recorded: {failure.message}",)
    return all_, ()


def _identity(drive: DriveSettings) -> str:
    return drive.uuid or drive.path


def _one(
    shelf: Shelf, name: str, told: Mapping[str, Smart], usage: Usage | None, samples: tuple[Sample, ...]
) -> DriveHealth:
    drive = shelf.drives[name]
    place = shelf.seen.places.get(name)
    held = place.held if place else None
    errors = smart.filesystem_errors(held.source, drive.type, drive.uuid) if held and drive.uuid else None
    ahead = health.forecast(samples, _identity(drive), time.time())
    return DriveHealth(
        drive=name,
        state=health.state(drive, name, shelf.seen)[0],
        smart=told,
        errors=errors,
        fill=round(usage.fill, 4) if usage else None,
        forecast=ahead,
        problems=tuple(_problems(shelf, name, told, errors)),
        signs=tuple(f"{path}: {sign}" for path, one in told.items() for sign in one.signs),
    )


def _problems(shelf: Shelf, name: str, told: Mapping[str, Smart], errors: int | None) -> Iterator[str]:
    drive = shelf.drives[name]
    state, why = health.state(drive, name, shelf.seen)
    if not health.well(state, drive):
        yield f"{state}: {why}" if why else state
    for path, one in told.items():
        if one.verdict == "failing":
            yield f"{path} says that it fails: copy what is on it elsewhere, then replace it"
    if errors:
        yield f"its filesystem has counted {errors} errors: unmount it and check it with fsck"
