"""usenet services status, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from usenet.actions import status
from usenet.cli import console
from usenet.cli.places import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from usenet.actions.standing import Status


def show(names: Sequence[str], group: str) -> None:
    """Print what each service meant does now."""
    found = status.look(home(), names, group)

    def human() -> None:
        last = ("page",) if console.narrow() else ("ports", "image")
        columns = ("service", "health", "up", "restarts", "memory", "cpu", *last)
        console.table(columns, (_row(s) for s in found))
        for s in found:
            if s.reason:
                console.line(f"{s.service}: {s.reason}")

    console.show(found, human)


def _row(s: Status) -> tuple[object, ...]:
    uptime = "" if s.uptime is None else console.human_time(s.uptime)
    cpu = "" if s.cpu is None else f"{s.cpu:.0%}"
    ports = " ".join(port.removesuffix("/tcp") for port in s.ports)
    last = (s.page or "",) if console.narrow() else (ports, s.image)
    return s.service, s.health, uptime, s.restarts or "", console.human_bytes(s.memory), cpu, *last
