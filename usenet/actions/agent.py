"""The long-running process of a stack: installed, so that it runs whenever the machine does."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from usenet.adapters import settings, systemd
from usenet.adapters.home import Home
from usenet.compose import unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The unit that systemd runs. `commands`: what was run for it, or would be; none where all is as it should be."""

    unit: str
    path: str
    text: str
    commands: tuple[tuple[str, ...], ...]


def install(home: Home, *, dry_run: bool = False) -> Installed:
    """Let systemd run the agent of this stack, now and at each start. Done again, it changes nothing.

    SystemFailure: systemd does not run here, or only root may.
    """
    name = f"{settings.load(home.require()).name}-agent.service"
    systemd.require()
    command = (sys.executable, "-m", "usenet", "--home", str(home.path), "agent", "run")
    text = unit.render(systemd.template(), name=name, home=str(home.path), command=command)
    due = () if systemd.current(name, text) else systemd.commands(name)
    if due and not dry_run:
        systemd.install(name, text)
    return Installed(unit=name, path=str(systemd.UNITS / name), text=text, commands=due)
