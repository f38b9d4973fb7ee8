"""Which services are asked for: those that are on, and what they need."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from usenet.domain import meant, order
from usenet.domain.errors import ValidationError
from usenet.domain.plan import Choice
from usenet.domain.service import Service
from usenet.domain.settings import Settings

SOCKET_PROXY = "socket-proxy"


def needs(service: Service) -> tuple[str, ...]:
    """What must run and be healthy before it; who wants the engine gets it through the socket proxy only."""
    return (*service.needs, SOCKET_PROXY) if service.wants.engine else service.needs


def services(settings: Settings, catalog: Mapping[str, Service]) -> tuple[tuple[str, ...], list[Choice]]:
    """The names to plan for, each once, and a reason for those that nobody typed.

    Raises ValidationError for unknown names and for needs that are switched off.
    """
    for name in settings.services:
        known(name, catalog, where=f"usenet.yaml: services/{name}")
    names = order.closure(settings.enabled, {n: needs(s) for n, s in catalog.items()})
    on = frozenset(settings.enabled)
    choices = []
    for name in (n for n in names if n not in on):
        who = ", ".join(n for n in names if name in needs(catalog[n]))
        if name in settings.services:
            raise ValidationError(
                f"{name} is switched off, and {who} can't run without it",
                where=f"usenet.yaml: services/{name}/enabled",
                hint=f"usenet services enable {name}, or: usenet services disable {who}",
            )
        choices.append(Choice(name, "added", f"{who} needs it"))
    choices += [Choice(n, "retired", catalog[n].retired) for n in names if catalog[n].retired]
    return names, choices


def known(name: str, catalog: Collection[str], *, where: str = "") -> None:
    """ValidationError with the nearest names unless `name` is in the catalog."""
    if name not in catalog:
        raise meant.unknown(name, catalog, where=where)
