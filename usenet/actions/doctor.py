"""What is wrong with the machine and the stack, in one look, and what mends each thing. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from usenet.actions import config, difference, status
from usenet.actions import plan as planning
from usenet.actions.hardware import Looking
from usenet.actions.storage import status as storage
from usenet.adapters import engine, measurements, settings, stack, transcoders
from usenet.adapters.home import Home
from usenet.domain.errors import UsenetError
from usenet.domain.hardware.drift import CURE, Granted, drifts

Check = Callable[[Home, Looking], Iterator["Finding"]]
_WELL = frozenset({"healthy", "running", "starting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer. `ok`: nothing to do; `note`: worth knowing; `wrong`: needs the cure."""

    about: str
    state: Literal["ok", "note", "wrong"]
    said: str
    cure: str = ""


def look(home: Home) -> tuple[Finding, ...]:
    """All checks at the same time, their answers in a fixed order. ConfigError where there is no usenet.yaml."""
    home.require()
    begun = Looking()  # each tool is asked once, whoever wants to know
    with ThreadPoolExecutor(len(_CHECKS)) as pool:
        asked = [(about, pool.submit(_answered, about, check, home, begun)) for about, check in _CHECKS.items()]
        found = [(about, answer.result()) for about, answer in asked]
    return tuple(
        one for about, all_ in found for one in all_ or [Finding(about=about, state="ok", said=_NOTHING[about])]
    )


def _answered(about: str, check: Check, home: Home, begun: Looking) -> list[Finding]:
    try:
        return list(check(home, begun))
    except UsenetError as failure:
        return [Finding(about=about, state="wrong", said=str(failure), cure=failure.hint)]


def _settings(home: Home, _: Looking) -> Iterator[Finding]:
    found = config.check(home)
    for one in found.problems:
        yield Finding(about="settings", state="wrong", said=f"{one.where}: {one.message}", cure=one.hint)
    for text in found.warnings:
        yield Finding(about="settings", state="note", said=text)


def _engine(_: Home, begun: Looking) -> Iterator[Finding]:
    there = begun.host().engine
    if not there:
        engine.ping()  # raises, with the reason and the cure
    elif not there.compose:
        said = "Docker Compose is not installed"
        yield Finding(about="engine", state="wrong", said=said, cure="install docker-compose-plugin, or: scripts/start")


def _stack(home: Home, begun: Looking) -> Iterator[Finding]:
    """The stack as it was written against what would be written now, and the cards that it was given."""
    stack.load(home)
    if not begun.host().engine:  # who has the ports can't be told then, not even that it is this stack itself
        said = "what would be written now can't be told while the engine does not answer"
        yield Finding(about="stack", state="note", said=said)
        return
    situation = planning.look(home, begun=begun)
    decision = planning.decide(situation, available=True)
    written = [
        Granted(service=one.service, encoder=one.encoder, devices=one.devices, groups=one.groups, gpus=one.gpus)
        for one in transcoders.planned(home)
    ]
    for drift in drifts(written, decision.plan.grants.values()):
        yield Finding(about="stack", state="wrong", said=f"{drift.service} {drift.said}", cure=CURE)
    found = difference.find(home, decision)
    if found.text or found.changed or found.extra:
        names = ", ".join((*found.changed, *found.extra))
        said = "what is written is not what would be written now" + (f": {names}" if names else "")
        yield Finding(about="stack", state="note", said=said, cure="see: usenet services plan")


def _services(home: Home, _: Looking) -> Iterator[Finding]:
    for one in status.look(home):
        if one.health not in _WELL:
            said = f"{one.service} is {one.health}" + (f": {one.reason}" if one.reason else "")
            cure = "usenet services up" if one.health == "stopped" else f"see: usenet services logs {one.service}"
            yield Finding(about="services", state="wrong", said=said, cure=cure)


def _drives(home: Home, _: Looking) -> Iterator[Finding]:
    if not settings.load(home).storage.drives:
        return
    found = storage.look(home)
    for one in found.drives:
        if not one.well:
            said = f"{one.drive} is {one.state}" + (f": {one.why}" if one.why else "")
            yield Finding(about="drives", state="wrong", said=said, cure="see: usenet storage check")
    if found.pool and found.pool.state != "mounted":
        said = f"the pool is {found.pool.state}"
        yield Finding(about="drives", state="wrong", said=said, cure="see: usenet storage check")


def _machine(home: Home, begun: Looking) -> Iterator[Finding]:
    for unseen in begun.host().unseen:
        if unseen.what == "engine":
            continue  # that is told above
        yield Finding(about="machine", state="note", said=f"{unseen.what}: {unseen.why}", cure=unseen.cure)
    for record in measurements.verified(home):
        if record.reason:
            said = f"{record.service} transcodes in software: {record.reason}"
            yield Finding(about="machine", state="note", said=said, cure="try again with: usenet hardware verify")


_CHECKS: dict[str, Check] = {
    "settings": _settings,
    "engine": _engine,
    "stack": _stack,
    "services": _services,
    "drives": _drives,
    "machine": _machine,
}
_NOTHING = {
    "settings": "usenet.yaml says what this version understands",
    "engine": "it answers, and has Compose",
    "stack": "it is written as it would be written now",
    "services": "each one that is to run answers",
    "drives": "all of the stack are there",
    "machine": "what can be known of it is known",
}
