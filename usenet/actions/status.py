"""What each service does now."""

from __future__ import annotations

import time
from collections.abc import Sequence

from usenet.actions import ours
from usenet.adapters import cgroups, engine, probes, stack
from usenet.adapters.home import Home
from usenet.domain.reach import at

TYPE_CHECKING = False
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
    memory = {name: cgroups.memory(c.id) for name, c in running.items()}
    inspected, answers = inspecting.found(), asked.answers()
    time.sleep(max(0.0, WINDOW - (time.monotonic() - began)))
    after, elapsed = cgroups.processors(), time.monotonic() - began
    cpu = {id_: max(after[id_] - before[id_], 0.0) / elapsed for id_ in after.keys() & before.keys()}
    result = []
    for name in chosen:
        container = found.get(name)
        known = container.id if container else ""
        told = standing.Told(inspected.get(known), answers.get(name), memory.get(name), cpu.get(known))
        result.append(standing.status(rendered.services[name], container, told))
    return tuple(result)
