"""Look once, then decide: everything that a plan needs, and the stack that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.actions import catalog as catalogs
from usenet.actions import hardware, ours
from usenet.actions.hardware import Looking
from usenet.adapters import engine, images, measurements, secrets, settings, sockets, transcoders
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.compose.catalog import Catalog
from usenet.compose.render import Stack, render
from usenet.domain import asked, encoders, ports
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.hardware import benchmark, proof
from usenet.domain.host import Host
from usenet.domain.images import made_here, registry
from usenet.domain.plan import Encoder, Observed, Plan, PortHolder
from usenet.domain.settings import ImageSource, Settings, referred
from usenet.domain.tuning import tune


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that was looked at before deciding.

    `text`: the usenet.yaml that it was decided from; `warnings`: what was left out while looking, in sentences;
    `silent`: why no engine answers.
    """

    home: Home
    text: str
    host: Host
    settings: Settings
    catalog: Catalog
    observed: Observed
    warnings: tuple[str, ...] = ()
    silent: SystemFailure | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan and its files."""

    plan: Plan
    stack: Stack


def look(
    home: Home, *, host_file: str = "", source: ImageSource | None = None, draft: str = "", begun: Looking | None = None
) -> Situation:
    """Gather facts, settings, catalog and observed state, in parallel.

    `host_file`: plan for that saved machine; `begun`: for this one, which is looked at already; `source` in place of
    the settings' `images`; `draft`: the text of a usenet.yaml that was not written yet. ConfigError without a
    usenet.yaml.
    """
    text = draft or settings.content(home.require().settings)
    wished = settings.parse(text)
    if source:
        wished = wished.model_copy(update={"images": source})
    with ThreadPoolExecutor(4) as pool:
        host = pool.submit(begun.host) if begun else pool.submit(hardware.look, Path(host_file) if host_file else None)
        known = pool.submit(catalogs.load, home.path)
        listening = pool.submit(sockets.listening)
        running = pool.submit(_containers)
        stored = pool.submit(_stored)
    machine = host.result() if host_file else encoders.as_given(host.result(), _given(home))
    found, told = known.result()
    containers, silent = running.result()
    held = tuple(_holders(containers, home, found))
    seen = Observed(
        ports=() if host_file else (*held, *_others(listening.result(), held)),
        images=stored.result() or frozenset(),
        buildable=images.buildable(),
        addresses=frozenset() if host_file else sockets.addresses(),
    )
    if stored.result() is not None and not host_file:
        seen = replace(seen, reachable=_reachable(wished, found, seen))
    if not host_file:
        seen = _recorded(seen, home, machine, wished, found)
    return Situation(
        home=home, text=text, host=machine, settings=wished, catalog=found, observed=seen, warnings=told, silent=silent
    )


def _recorded(observed: Observed, home: Home, machine: Host, wished: Settings, known: Catalog) -> Observed:
    """With what was proven and measured on this machine before."""
    if records := measurements.verified(home):
        failed = proof.disproved(records, machine, wished, known.services, observed)
        observed = replace(observed, disproved=failed)
    if report := measurements.benchmark(home):
        observed = replace(observed, measured=benchmark.measured(report))
    return observed


def _given(home: Home) -> tuple[Encoder, ...]:
    """What the services were given of the cards when the stack was last written."""
    try:
        return tuple(one.encoder for one in transcoders.planned(home))
    except ConfigError:
        return ()


def _containers() -> tuple[tuple[Container, ...], SystemFailure | None]:
    try:
        return engine.containers(), None
    except SystemFailure as silent:
        return (), silent  # no engine: that is said where an engine is needed


def _holders(running: Iterable[Container], home: Home, known: Catalog) -> Iterator[PortHolder]:
    """The ports that containers hold; `service` is set for this stack's own, whatever its name was."""
    for container in running:
        service = container.service if ours.made_here(container, home) else ""
        owner = f"container {container.name}"
        for address, public, _, protocol in container.ports:
            yield PortHolder(port=public, protocol=protocol, owner=owner, address=address, service=service)
        if container.host_network and container.state == "running" and service in known:
            for port in known[service].service.ports:
                yield PortHolder(port=port.container, protocol=port.protocol, owner=owner, service=service)


def _others(listening: Iterable[PortHolder], held: Iterable[PortHolder]) -> Iterator[PortHolder]:
    """Without the engine's own processes, which listen for containers; their names can't be seen by everyone."""
    known = {(h.port, h.protocol) for h in held}
    return (h for h in listening if (h.port, h.protocol) not in known)


def _stored() -> frozenset[str] | None:
    try:
        return frozenset(engine.images())
    except SystemFailure:
        return None


def _reachable(wished: Settings, known: Catalog, observed: Observed) -> Mapping[str, bool]:
    """Ask each registry that an absent image would come from, once."""
    names, _ = asked.services(wished, known.services)
    wanted = [_absent(name, known.services[name].image, wished, observed) for name in names]
    return images.reachable({registry(reference) for reference in wanted if reference})


def _absent(name: str, reference: str, wished: Settings, observed: Observed) -> str:
    """The image that a registry would have to give; empty if none has to."""
    own = wished.services.get(name)
    if own and own.image:
        return "" if own.image in observed.images else own.image
    made = wished.images == "auto" and observed.buildable.get(name) in observed.images
    there = wished.images == "build" or made_here(reference) or made or reference in observed.images
    return "" if there else reference


def decide(situation: Situation, *, available: bool = False) -> Decision:
    """The plan for what was seen, rendered. Raises what `tune` and `render` raise."""
    try:
        plan = tune(
            situation.host,
            situation.settings,
            situation.catalog.services,
            situation.observed,
            home=str(situation.home.path),
            available=available,
        )
    except ports.Held as taken:
        if situation.silent is None:
            raise
        # The ports may be those of this stack's own containers: nobody can tell without the engine.
        silent = situation.silent
        raise SystemFailure(f"{silent.message}; and so it seems: {taken.message}", hint=silent.hint) from taken
    _require_variables(situation.home, plan)
    # Engines before API 1.44 refuse a container that has it.
    soon = engine_api(situation.host) >= (1, 44)
    return Decision(plan, render(plan, catalogs.templates(situation.catalog, plan.grants), start_interval=soon))


def _require_variables(home: Home, plan: Plan) -> None:
    """What a service takes from .env must be there, or be a secret of the plan: Compose would do nothing without."""
    wanted: dict[str, list[str]] = {}
    for grant in plan.grants.values():
        for name in filter(None, map(referred, grant.environment.values())):
            if name not in plan.secrets:
                wanted.setdefault(name, []).append(grant.service)
    known = secrets.read(home) if wanted else {}
    if absent := [name for name in wanted if not known.get(name)]:
        who = sorted({service for name in absent for service in wanted[name]})
        raise ConfigError(
            f"{', '.join(absent)} must be filled in by you: {', '.join(who)} can't run without",
            where=".env",
            hint=f"add a line {absent[0]}=VALUE to {home.env}",
        )


def engine_api(host: Host) -> tuple[int, ...]:
    """The engine's API version as numbers; (0,) without an engine."""
    return tuple(int(part) for part in host.engine.api.split(".")) if host.engine else (0,)
