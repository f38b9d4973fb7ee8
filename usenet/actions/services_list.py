"""The services of the catalog as rows: what each is, where its page is, and whether it is on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from usenet.adapters import catalog as files

if TYPE_CHECKING:
    from usenet.adapters.home import Home
    from usenet.domain.service import Group, Service
    from usenet.domain.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`port` is the one on the host of the first published port, None without one; `retired` says why, if it is."""

    name: str
    title: str
    group: Group
    about: str
    port: int | None
    enabled: bool
    retired: str
    replaced_by: str


def names(home: Home) -> list[str]:
    """The names of all services, sorted, for completion; nothing is parsed."""
    return files.names(home.path)


def rows(home: Home) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Every service by group and then name, and a sentence for each plugin left out.

    Without a usenet.yaml there, nothing is enabled. Raises what loading the catalog and the settings raises.
    """
    from usenet.actions import catalog
    from usenet.adapters import settings

    known, warnings = catalog.load(home.path)
    own = settings.load(home).services if home.exists else {}
    return listed(known.services, own), warnings


def listed(services: Mapping[str, Service], own: Mapping[str, ServiceSettings]) -> tuple[Row, ...]:
    """The rows of these services as a person set them, by group, in the order of `Group`, and then name."""
    from usenet.domain.service import Group

    order = get_args(Group)
    found = (_row(name, service, own.get(name)) for name, service in services.items())
    return tuple(sorted(found, key=lambda row: (order.index(row.group), row.name)))


def _row(name: str, service: Service, own: ServiceSettings | None) -> Row:
    return Row(
        name=name,
        title=service.title,
        group=service.group,
        about=service.about,
        port=_port(service, own),
        enabled=own is not None and own.enabled,
        retired=service.retired,
        replaced_by=service.replaced_by,
    )


def _port(service: Service, own: ServiceSettings | None) -> int | None:
    first = next((port for port in service.ports if port.publish), None)
    if first is None:
        return None
    return (own and (own.port or own.ports.get(first.container))) or first.proposed
