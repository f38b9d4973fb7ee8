"""Who may start now, and who never will: the order of `up` while it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from usenet.domain.plan import Grant

State = Literal["waiting", "starting", "healthy", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where one service is. `seconds` since `up` began; `reason` and `log` when it failed."""

    service: str
    state: State = "waiting"
    seconds: float = 0.0
    reason: str = ""
    log: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        return self.state in ("healthy", "failed", "skipped")


def ready(grants: Mapping[str, Grant], now: Mapping[str, Progress]) -> tuple[str, ...]:
    """The waiting services whose needs are healthy and whose `after` are settled; only names in `now` count."""
    return tuple(
        name
        for name, progress in now.items()
        if progress.state == "waiting"
        and all(now[n].state == "healthy" for n in grants[name].needs if n in now)
        and all(now[a].settled for a in grants[name].after if a in now)
    )


def blocked(grants: Mapping[str, Grant], now: Mapping[str, Progress]) -> dict[str, str]:
    """Waiting service → the service it needs that failed or was skipped."""
    lost = {name for name, progress in now.items() if progress.state in ("failed", "skipped")}
    return {
        name: needed
        for name, progress in now.items()
        if progress.state == "waiting"
        for needed in grants[name].needs
        if needed in lost
    }
