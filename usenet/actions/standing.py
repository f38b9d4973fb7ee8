"""What one service does now, as a value: from what the engine, the service itself and the kernel said of it."""

from __future__ import annotations

from collections.abc import Mapping

from usenet.adapters import cards, engine
from usenet.adapters.engine import Container
from usenet.adapters.stack import RenderedService
from usenet.domain import health
from usenet.domain.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Status(NamedTuple):
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


class Told(NamedTuple):
    """What was said of one container; None where nobody said anything.

    `inspected`: by the engine; `answer`: by its probe; `memory` in bytes and `cpu` in processors: by the kernel.
    """

    inspected: Mapping[str, Any] | None
    answer: str | None
    memory: int | None
    cpu: float | None


def status(service: RenderedService, container: Container | None, told: Told) -> Status:
    """What to call it, from all that was said."""
    found = _stopped(service, container)
    if told.inspected is not None:
        found = _running(found, service, told.inspected, told.answer)
    if told.memory is not None and told.cpu is not None:
        found = found._replace(memory=told.memory, cpu=round(told.cpu, 3))
    return _with_drift(found, service)


def _with_drift(base: Status, service: RenderedService) -> Status:
    """A card that changed since the stack was written is told beside what else is wrong."""
    said = cards.moved(service.nodes, service.groups, service.driver) if service.driver else ""
    return base._replace(reason="; ".join(filter(None, (base.reason, f"{said}: usenet deploy")))) if said else base


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
    base = base._replace(restarts=seen["RestartCount"])
    if base.state != "running" or answer is None:
        return base
    answers = None if service.probe.kind == "running" else answer == ""
    verdict = health.verdict("running", answers=answers, age=age, start_period=service.probe.start_period)
    return base._replace(health=verdict, reason=answer, uptime=age)
