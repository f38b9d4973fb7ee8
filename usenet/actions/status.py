"""What each service does now."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from usenet.actions import ours
from usenet.adapters import cgroups, engine, probes, stack
from usenet.adapters.home import Home
from usenet.domain.reach import at

if TYPE_CHECKING:
    from usenet.actions.standing import Status
WINDOW = 0.025  # seconds between two readings of processor time, at least


def look(home: Home, names: Sequence[str] = (), group: str = "") -> tuple[Status, ...]:
    """What each service does now: the engine's list, our own probes and the cgroup files, in one look."""
    rendered = stack.load(home)
    listing = engine.Listing(rendered.project)
    before, began = cgroups.processors(), time.monotonic()
    from usenet.actions import standing  # while the engine answers

    chosen = ours.choose(home, rendered, names, group)
    containers = ours.containers(home, rendered.project, listing)
    found = {name: containers[name] for name in chosen if name in containers}
    running = {name: container for name, container in found.items() if container.state == "running"}
    inspecting = engine.Inspecting(c.id for c in found.values())
    asked = probes.Asked({n: at(rendered.services[n].probe, c.addresses) for n, c in running.items()}, timeout=3)
    answers, inspected = asked.answers(), inspecting.found()
    time.sleep(max(0.0, WINDOW - (time.monotonic() - began)))
    after, elapsed = {name: cgroups.usage(c.id) for name, c in running.items()}, time.monotonic() - began
    result = []
    for name in chosen:
        container, usage = found.get(name), after.get(name)
        old = before.get(container.id) if container else None
        result.append(
            standing.status(
                rendered.services[name],
                container,
                inspected=inspected.get(container.id) if container else None,
                answer=answers.get(name),
                usage=usage,
                cpu=(usage.cpu - old) / elapsed if usage and old is not None else None,
            )
        )
    return tuple(result)
