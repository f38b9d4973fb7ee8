"""What can be done with the services of a stack that was written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from usenet.actions import ours
from usenet.adapters import catalog as catalog_files
from usenet.adapters import cgroups, engine, files, probes, shell, stack
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.adapters.stack import Rendered, RenderedService
from usenet.domain import health, meant
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.reach import Probe, Publication, at

if TYPE_CHECKING:
    from usenet.actions.services_list import Row

EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared
WINDOW = 0.05  # seconds between two readings of processor time, at least


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


def choose(home: Home, rendered: Rendered, names: Sequence[str], group: str = "") -> tuple[str, ...]:
    """The services meant: those named and those of a group, or all. ValidationError names what isn't in the stack."""
    groups = {name: service.group for name, service in rendered.services.items()}
    return meant.services(names, group, groups, lambda: catalog_files.names(home.path))


def status(home: Home, names: Sequence[str] = (), group: str = "") -> tuple[Status, ...]:
    """What each service does now: the engine's list, our own probes and the cgroup files, in one look."""
    rendered = stack.load(home)
    chosen = choose(home, rendered, names, group)
    found = ours.containers(home, rendered.project)
    running = {n: found[n] for n in chosen if n in found and found[n].state == "running"}
    before, began = {n: cgroups.usage(c.id) for n, c in running.items()}, time.monotonic()
    inspected, answers = _ask({n: (found[n], rendered.services[n].probe) for n in chosen if n in found})
    time.sleep(max(0.0, WINDOW - (time.monotonic() - began)))
    after, elapsed = {n: cgroups.usage(c.id) for n, c in running.items()}, time.monotonic() - began
    result = []
    for name in chosen:
        base = _stopped(rendered.services[name], found.get(name))
        if name in inspected:
            base = _running(base, rendered.services[name], inspected[name], answers.get(name))
        old, new = before.get(name), after.get(name)
        if old and new:
            base = replace(base, memory=new.memory, cpu=round((new.cpu - old.cpu) / elapsed, 3))
        result.append(base)
    return tuple(result)


def _ask(wanted: Mapping[str, tuple[Container, Probe]]) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """What the engine knows of each container, and what its probe answers if it runs, all at the same time."""
    inspected: dict[str, Mapping[str, Any]] = {}
    answers: dict[str, str] = {}

    def one(name: str, container: Container, probe: Probe) -> None:
        with suppress(SystemFailure):  # removed meanwhile
            inspected[name] = engine.inspect(container.id)
        if container.state == "running":
            answers[name] = probes.ask(at(probe, container.addresses), timeout=3)

    threads = [threading.Thread(target=one, args=(name, *pair), daemon=True) for name, pair in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return inspected, answers


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


def command(home: Home, verb: Sequence[str], names: Sequence[str], group: str = "") -> list[str]:
    """Compose's command line for a verb on the services meant; none named for the whole stack."""
    rendered = stack.load(home)
    chosen = choose(home, rendered, names, group)
    return engine.compose(home.path, rendered.project, *verb, *(chosen if names or group else ()))


def change(home: Home, verb: Sequence[str], names: Sequence[str], group: str = "") -> tuple[str, ...]:
    """Run a Compose verb on containers that are there, under the lock; the services it was run on.

    None named: all of the stack, `down` with what is off too. ValidationError: a named one has no container, or the
    containers are another stack's. SystemFailure: the engine's words.
    """
    rendered = stack.load(home)
    wanted = choose(home, rendered, names, group)
    with files.lock(home.path, f"services {verb[0]}"):
        ours.require_alone(home, rendered.project)
        there = ours.containers(home, rendered.project)
        if absent := [n for n in names if n not in there]:
            raise ValidationError(
                f"{', '.join(absent)}: there is no container",
                hint=f"make it with: usenet services up {' '.join(absent)}",
            )
        whole = verb[0] == "down"
        chosen = tuple(there) if whole else tuple(n for n in wanted if n in there)
        if chosen:
            argv = engine.compose(home.path, rendered.project, *verb, *(("--remove-orphans",) if whole else chosen))
            engine.run_compose(argv, environment=engine.without_secrets(home.path))
    return chosen


@dataclass(frozen=True, slots=True)
class Page:
    """Where to click: on this machine, and, where the page is published to all, on the others."""

    url: str
    lan: str = ""


def urls(home: Home, names: Sequence[str] = (), group: str = "") -> dict[str, Page]:
    """Service → the addresses of its page, for those that have one."""
    rendered = stack.load(home)
    chosen = [rendered.services[name] for name in choose(home, rendered, names, group)]
    pages = {s.name: p for s in chosen for p in reversed(s.ports) if p.use == "page" and p.protocol == "tcp"}
    lan = ""
    if any(page.address == EVERYWHERE for page in pages.values()):
        from usenet.adapters import sockets  # psutil, 20 ms

        lan = sockets.lan_address()
    return {name: _page(rendered.services[name], page, lan) for name, page in pages.items()}


def _page(service: RenderedService, page: Publication, lan: str) -> Page:
    def link(address: str) -> str:
        return f"{service.probe.scheme}://{address}:{page.host}/"

    everywhere = page.address == EVERYWHERE
    here = "localhost" if everywhere or page.address == "127.0.0.1" else page.address
    return Page(link(here), link(lan) if everywhere and lan else "")


def execution(home: Home, service: str, words: Sequence[str], *, terminal: bool) -> list[str]:
    """The command line that runs `words` in a service's container."""
    return [*command(home, ("exec", *(() if terminal else ("-T",))), (service,)), *words]


def execute(home: Home, service: str, words: Sequence[str], *, terminal: bool) -> int:
    """Run `words` in a service's container on our own stdin and stdout; its exit code."""
    argv = execution(home, service, words, terminal=terminal)
    ours.require_alone(home, stack.load(home).project)
    return shell.hand_over(argv, engine.without_secrets(home.path))


def logs(
    home: Home, options: Sequence[str], names: Sequence[str], group: str = "", *, say: Callable[[str], None]
) -> int:
    """Say each line that Compose prints of the logs until it ends or Ctrl-C; its exit code."""
    argv = command(home, ("logs", "--no-color", *options), names, group)
    ours.require_alone(home, stack.load(home).project)
    # Compose clears the line of a progress that isn't there, on any output.
    return shell.relay(argv, lambda text: say(text.replace("\x1b[2K", "")), engine.without_secrets(home.path))


def listed(home: Home, group: str = "") -> tuple[list[Row], tuple[str, ...]]:
    """Every service that there is, or those of a group, and warnings; ValidationError: no such group."""
    from typing import get_args

    from usenet.actions import services_list
    from usenet.domain.service import Group

    if group and group not in get_args(Group):
        raise ValidationError(f"there is no group {group!r}", hint=f"there is: {', '.join(get_args(Group))}")
    rows, warnings = services_list.rows(home)
    return [row for row in rows if group in ("", row.group)], warnings


def switched(home: Home, names: Sequence[str], group: str, *, on: bool) -> tuple[str, ...]:
    """The services that are to be turned on or off: those named and those of a group, each once.

    Of a group, those to turn on are not retired, those to turn off are on. ValidationError: no such group.
    """
    rows = listed(home, group)[0] if group else []
    inside = (row.name for row in rows if (not row.retired if on else row.enabled))
    return tuple(dict.fromkeys((*names, *inside)))


def switch(home: Home, names: Sequence[str], *, on: bool, dry_run: bool) -> tuple[str, ...]:
    """Turn services on or off in usenet.yaml; the names for which that changed something. ValidationError: unknown."""
    from usenet.actions import catalog
    from usenet.adapters import settings
    from usenet.domain import asked

    known, _ = catalog.load(home.path)
    for name in names:
        asked.known(name, known)
    before = settings.load(home).enabled
    with nullcontext() if dry_run else files.lock(home.path, "services enable" if on else "services disable"):
        (settings.enable if on else settings.disable)(home, names, dry_run=dry_run)
    return tuple(name for name in names if (name in before) != on)
