"""Units of our own in systemd."""

from __future__ import annotations

import os
from pathlib import Path

from usenet.adapters import files, shell, templates
from usenet.domain.errors import SystemFailure

UNITS = Path("/etc/systemd/system")
RUNNING = Path("/run/systemd/system")
PATIENCE = 60.0


def require() -> None:
    """SystemFailure where systemd does not run this machine."""
    if not RUNNING.is_dir():
        raise SystemFailure(
            "systemd does not run this machine", hint="let what starts programs here run this as root: usenet agent run"
        )


def template() -> str:
    """The unit of the agent, before it is filled in."""
    return (templates.root() / "systemd" / "usenet-agent.service.j2").read_text()


def commands(name: str) -> tuple[tuple[str, ...], ...]:
    """What makes systemd run a unit whose file is new, now and at each start of the machine."""
    return ("systemctl", "daemon-reload"), ("systemctl", "enable", name), ("systemctl", "restart", name)


def current(name: str, text: str) -> bool:
    """Whether the unit is installed as it should be, and runs."""
    path = UNITS / name
    try:
        same = path.read_text() == text
    except OSError:
        return False
    return same and shell.run(("systemctl", "is-active", "--quiet", name), timeout=PATIENCE).ok


def install(name: str, text: str) -> None:
    """Write the unit and let systemd run it. SystemFailure in systemctl's own words, or where only root may."""
    if os.geteuid() != 0:
        raise SystemFailure(f"only root can write {UNITS / name}", hint="run it with sudo")
    files.write(UNITS / name, text, mode=0o644)
    for command in commands(name):
        shell.checked(command, timeout=PATIENCE)
