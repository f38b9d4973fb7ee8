"""What each service does now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from usenet.actions import ours
from usenet.adapters import cards, cgroups, engine, probes, stack
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.adapters.stack import RenderedService
from usenet.domain import health
from usenet.domain.reach import at

WINDOW = 0.025  # seconds between two readings of processor time, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One service now. `cpu`: processors in use during the look; None where nothing runs or it can't be read.

    `page`: the port on the host of the one that a person clicks; it is among `ports` too.
    """

    service: str
    group: str
    state: str
    health: str
    reason: str = ""
    uptime: float | None = None
    restarts: int = 0
    ports: tuple[str, ...] = ()
    page: int | None = None
    image: str = ""
    memory: int | None = None
    cpu: float | None = None


def look(home: Home, names: Sequence[str] = (), group: str = "") -> tuple[Status, ...]:
    """What each service does now: the engine's list, our own probes and the cgroup files, in one look."""
    rendered = stack.load(home)
    listing = engine.Listing(rendered.project)
    chosen = ours.choose(home, rendered, names, group)
    containers = ours.containers(home, rendered.project, listing)
    found = {name: containers[name] for name in chosen if name in containers}
    running = {name: container for name, container in found.items() if container.state == "running"}
    inspecting = engine.Inspecting(c.id for c in found.values())
    before, began = {name: cgroups.processor(c.id) for name, c in running.items()}, time.monotonic()
    asked = probes.Asked({n: at(rendered.services[n].probe, c.addresses) for n, c in running.items()}, timeout=3)
    answers, inspected = asked.answers(), inspecting.found()
    time.sleep(max(0.0, WINDOW - (time.monotonic() - began)))
    after, elapsed = {name: cgroups.usage(c.id) for name, c in running.items()}, time.monotonic() - began
    result = []
    for name in chosen:
        base = _stopped(rendered.services[name], found.get(name))
        if name in found and found[name].id in inspected:
            base = _running(base, rendered.services[name], inspected[found[name].id], answers.get(name))
        old, new = before.get(name), after.get(name)
        if old is not None and new:
            base = replace(base, memory=new.memory, cpu=round((new.cpu - old) / elapsed, 3))
        result.append(_with_drift(base, rendered.services[name]))
    return tuple(result)


def _with_drift(base: Status, service: RenderedService) -> Status:
    """A card that changed since the stack was written is told beside what else is wrong."""
    said = cards.moved(service.nodes, service.groups, service.driver) if service.driver else ""
    return replace(base, reason="; ".join(filter(None, (base.reason, f"{said}: usenet deploy")))) if said else base


def _stopped(service: RenderedService, container: Container | None) -> Status:
    ports = tuple(f"{p.address}:{p.host}→{p.container}/{p.protocol}" for p in service.ports)
    state = container.state if container else "absent"
    return Status(
        service=service.name,
        group=service.group,
        state=state,
        health=health.verdict(state, answers=None, age=0, start_period=0),
        reason=container.status if container and state != "running" else "",
        ports=ports,
        page=next((p.host for p in service.ports if p.use == "page"), None),
        image=container.image if container else service.image,
    )


def _running(base: Status, service: RenderedService, seen: Mapping[str, Any], answer: str | None) -> Status:
    age = engine.age(seen)
    base = replace(base, restarts=seen["RestartCount"])
    if base.state != "running" or answer is None:
        return base
    answers = None if service.probe.kind == "running" else answer == ""
    verdict = health.verdict("running", answers=answers, age=age, start_period=service.probe.start_period)
    return replace(base, health=verdict, reason=answer, uptime=age)
