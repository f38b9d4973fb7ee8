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


def read(name: str) -> str | None:
    """The text of a unit on this machine's own shelf; None where there is none. A link, as a masked unit is, is one."""
    try:
        return (UNITS / name).read_text(errors="replace")
    except FileNotFoundError:
        return "" if (UNITS / name).is_symlink() else None
    except OSError as failure:
        raise SystemFailure(f"{UNITS / name} can't be read: {failure.strerror}", hint="run it with sudo") from failure


def agents() -> dict[str, str]:
    """The text of each unit that may be an agent's, by name."""
    found = {path.name: read(path.name) for path in sorted(UNITS.glob("*-agent.service"))}
    return {name: text for name, text in found.items() if text}


def commands(name: str) -> tuple[tuple[str, ...], ...]:
    """What makes systemd run a unit whose file is new, now and at each start of the machine."""
    return ("systemctl", "daemon-reload"), ("systemctl", "enable", name), ("systemctl", "restart", name)


def removal(name: str) -> tuple[tuple[str, ...], ...]:
    """What ends a unit, and makes systemd forget it."""
    return ("systemctl", "disable", "--now", name), ("rm", str(UNITS / name)), ("systemctl", "daemon-reload")


def current(name: str, text: str) -> bool:
    """Whether the unit is installed as it should be, and runs."""
    return read(name) == text and shell.run(("systemctl", "is-active", "--quiet", name), timeout=PATIENCE).ok


def install(name: str, text: str) -> None:
    """Write the unit and let systemd run it. SystemFailure in systemctl's own words, or where only root may."""
    _root(name)
    files.write(UNITS / name, text, mode=0o644)
    for command in commands(name):
        shell.checked(command, timeout=PATIENCE)


def remove(name: str) -> None:
    """End the unit and take it away. SystemFailure in systemctl's own words, or where only root may."""
    _root(name)
    for command in removal(name):
        shell.checked(command, timeout=PATIENCE)


def _root(name: str) -> None:
    if os.geteuid() != 0:
        raise SystemFailure(f"only root can change {UNITS / name}", hint="run it with sudo")
