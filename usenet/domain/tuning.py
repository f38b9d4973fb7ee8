"""tune: what the machine offers, what the person set and what the services want → a Plan, with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from usenet.domain import asked, binds, images, limits, mounts, order, ports
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.grants import Offer, grant
from usenet.domain.host import Host
from usenet.domain.images import ImageChoice
from usenet.domain.plan import Choice, Grant, LeftOut, Observed, Plan, by_reason
from usenet.domain.service import Service
from usenet.domain.settings import Settings, data_root


def tune(
    host: Host,
    settings: Settings,
    services: Mapping[str, Service],
    observed: Observed,
    *,
    home: str,
    available: bool = False,
) -> Plan:
    """Decide everything for one stack; `services` is the whole catalog, `home` the absolute stack directory.

    With `available`, services whose image can't be had are left out; else they are a SystemFailure.
    ValidationError: unknown services, circles, two on one port, an address of another machine,
    configuration on a filesystem that can't hold it.
    SystemFailure: a port held by somebody else.
    """
    mounts.check_config(host, home)
    names, choices = asked.services(settings, services)
    chosen = {n: image(n, services[n], settings, observed) for n in names}
    left_out = _left_out(names, services, chosen)
    if left_out and not available:
        raise _cannot_be_had(left_out)
    kept = {n: services[n] for n in names if n not in {out.service for out in left_out}}
    data = _data(settings, home)
    grants, reasons = _grants(host, settings, kept, chosen, observed, (home, data))
    return Plan(
        project=settings.name,
        home=home,
        data=data,
        uid=settings.user.uid,
        gid=settings.user.gid,
        umask=settings.user.umask,
        timezone=settings.timezone,
        grants=grants,
        waves=order.waves({n: (*g.needs, *g.after) for n, g in grants.items()}),
        choices=(*choices, *reasons),
        left_out=left_out,
        secrets={key: kind for s in kept.values() for key, kind in s.secrets.items()},
    )


def _data(settings: Settings, home: str) -> str:
    root = data_root(settings.data, home)
    if root == "/":
        raise ValidationError(
            f"{settings.data} is the root of the machine, seen from {home}",
            where="usenet.yaml: data",
            hint="give the data a directory: usenet config set data data",
        )
    return root


def _grants(
    host: Host,
    settings: Settings,
    kept: Mapping[str, Service],
    chosen: Mapping[str, ImageChoice],
    observed: Observed,
    places: tuple[str, str],
) -> tuple[dict[str, Grant], list[Choice]]:
    home, data = places
    share, profile = limits.profile(host, settings)
    propagation, shared = binds.propagation(host, data)
    allowed = limits.limits(host, settings, kept, share)
    published = {n: ports.publications(n, s, settings) for n, s in kept.items()}
    for name, service in kept.items():
        _ports_exist(name, service, settings)
    ports.check_addresses(published, settings, observed.addresses)
    ports.check(published, observed.ports)
    offers = {
        name: Offer(
            home=home,
            data=data,
            propagation=propagation,
            image=chosen[name],
            limits=allowed[name],
            published=published[name],
            disproved=observed.disproved.get(name, ""),
            measured=observed.measured,
        )
        for name in kept
    }
    granted = {n: grant(n, s, settings, host, offers) for n, s in kept.items()}
    reasons = [profile, shared, *(choice for _, own in granted.values() for choice in own)]
    return {n: g for n, (g, _) in granted.items()}, reasons


def _ports_exist(name: str, service: Service, settings: Settings) -> None:
    own = settings.services.get(name)
    for port, said in ports.without_effect(service, own).items() if own else ():
        where = f"services/{name}/ports/{port}"
        raise ValidationError(
            said, where=f"usenet.yaml: {where}", hint=f"take it out: usenet config unset {where.replace('/', '.')}"
        )


def image(name: str, service: Service, settings: Settings, observed: Observed) -> ImageChoice:
    """Where the image of one service comes from: the person's own, or the best of what can be had."""
    own = settings.services.get(name)
    if own and own.image:
        return images.own(own.image, observed)
    return images.choose(name, service.image, settings.images, observed)


def _left_out(
    names: Iterable[str], services: Mapping[str, Service], chosen: Mapping[str, ImageChoice]
) -> tuple[LeftOut, ...]:
    gone = {n: chosen[n].because for n in names if not chosen[n].reference}
    again = True
    while again:
        lost = {
            n: f"{need} is needed, and can't be had"
            for n in names
            for need in asked.needs(services[n])
            if need in gone and n not in gone
        }
        gone |= lost
        again = bool(lost)
    return tuple(LeftOut(service=n, because=why) for n, why in gone.items())


def _cannot_be_had(left_out: Sequence[LeftOut]) -> SystemFailure:
    return SystemFailure(
        f"some images can't be had: {'; '.join(by_reason(left_out))}",
        hint="leave them out with --available, as in: usenet services up --available, or: usenet deploy --available; "
        "or carry their images here with: usenet images load FILE",
    )
