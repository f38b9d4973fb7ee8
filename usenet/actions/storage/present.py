"""The drives before services start: mounted as far as they are there, and who waits for the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from usenet.actions.storage import settling
from usenet.actions.storage.change import Say, apply
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError
from usenet.domain.service import Service
from usenet.domain.settings import Settings
from usenet.domain.storage import health
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.intent import POOL
from usenet.domain.storage.waiting import needed, waiting


@dataclass(frozen=True, slots=True)
class Present:
    """Service → why it waits for a drive, or the pool, that is away; and what a person should know of the drives."""

    waits: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def present(home: Home, settings: Settings, services: Mapping[str, Service], say: Say) -> Present:
    """Mount the drives of the stack, and see who waits. Call it under the lock.

    A drive that can't be mounted or does not answer, for whatever reason, is away, and the pool so too.
    """
    if not settings.storage.drives:
        return Present({})
    otherwise, findings = "it is not mounted", tuple[Finding, ...]()
    try:
        findings = apply(home, say=say).findings
        warnings: tuple[str, ...] = ()
    except UsenetError as failure:
        otherwise = failure.message
        warnings = (f"drives: {failure.message}; {failure.hint}" if failure.hint else f"drives: {failure.message}",)
    shelf = observe(home, wake=False)
    why = {name: "; ".join(one.what for one in findings if one.drive == name) for name in (*shelf.drives, POOL)}
    away = {name: why[name] or otherwise for name in _away(shelf)}
    return Present(waiting(services, shelf.drives, away), (*warnings, *_lines(findings, shelf)))


def _away(shelf: Shelf) -> Iterable[str]:
    """The drives that are not there, and the pool, if it shows a drive that is needed."""
    for name in shelf.drives:
        held = shelf.seen.places[name].held if name in shelf.seen.places else None
        if held is None or not held.alive:
            yield name
    if POOL in needed(shelf.settings.storage):
        there = settling.seen_of(shelf).mounted
        if there is None or not there.alive:
            yield POOL


def _lines(findings: Iterable[Finding], shelf: Shelf) -> Iterable[str]:
    """One line for each finding; that a drive which travels is away is none."""
    for one in findings:
        drive = shelf.drives.get(one.drive)
        if not drive or not health.well(health.state(drive, one.drive, shelf.seen)[0], drive):
            yield f"{one.drive}: {one.what}" + (f"; {one.cure}" if one.cure else "")
