"""The long-running process of a stack: installed, so that it runs whenever the machine does, and taken away again."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

from usenet.adapters import settings, systemd
from usenet.adapters.home import Home
from usenet.compose import unit
from usenet.domain.errors import ValidationError

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The unit that systemd runs. `replaced`: units of this stack under other names, as it had another name before.

    `commands`: what was run for all that, or would be; none where all is as it should be.
    """

    unit: str
    path: str
    text: str
    replaced: tuple[str, ...]
    commands: Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The units that were taken away, or would be, and what is run for it."""

    units: tuple[str, ...]
    commands: Commands


def install(home: Home, *, dry_run: bool = False) -> Installed:
    """Let systemd run the agent of this stack, now and at each start. Done again, it changes nothing.

    ValidationError: the unit's place is taken by a file that is not this stack's. SystemFailure: systemd does not run
    here, or only root may.
    """
    name = f"usenet-{settings.load(home.require()).name}-agent.service"
    systemd.require()
    command = (sys.executable, "-P", "-m", "usenet", "--home", str(home.path), "agent", "run")
    text = unit.render(systemd.template(), name=name, home=str(home.path), command=command)
    _free(name, home)
    replaced = tuple(one for one in _units(home) if one != name)
    due = () if systemd.current(name, text) else systemd.commands(name)
    if not dry_run:
        for one in replaced:
            systemd.remove(one)
        if due:
            systemd.install(name, text)
    gone = tuple(words for one in replaced for words in systemd.removal(one))
    return Installed(unit=name, path=str(systemd.UNITS / name), text=text, replaced=replaced, commands=(*gone, *due))


def remove(home: Home, *, dry_run: bool = False) -> Removed:
    """End the agent of this stack, and let systemd forget it, whatever the stack was called when it was installed.

    The stack directory itself need not be there any more. SystemFailure: systemd does not run here, or only root may.
    """
    systemd.require()
    units = _units(home)
    if not dry_run:
        for one in units:
            systemd.remove(one)
    return Removed(units=units, commands=tuple(words for one in units for words in systemd.removal(one)))


def _units(home: Home) -> tuple[str, ...]:
    """The units of this stack, which it may have had other names for."""
    return tuple(name for name, text in systemd.agents().items() if unit.home(text) == str(home.path))


def _free(name: str, home: Home) -> None:
    """ValidationError where the unit's file is somebody else's."""
    text = systemd.read(name)
    other = "" if text is None else unit.home(text)
    if text is None or other == str(home.path):
        return
    path = str(systemd.UNITS / name)
    if not other:
        raise ValidationError("this file is there, and not from usenet", hint="move it away", where=path)
    raise ValidationError(
        f"this is the agent of the stack in {other}, which has the same name",
        hint=f"give one of them another: usenet config set name …; or: usenet --home {shlex.quote(other)} agent remove",
        where=path,
    )
