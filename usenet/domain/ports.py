"""Which host port each container port gets, and who is in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from usenet.domain.errors import SystemFailure, UsenetError, ValidationError
from usenet.domain.plan import PortHolder
from usenet.domain.reach import Publication
from usenet.domain.service import Service
from usenet.domain.settings import ServiceSettings, Settings, publish_address

ANY = "0.0.0.0"  # noqa: S104 - compared with, not bound


def publications(name: str, service: Service, settings: Settings) -> tuple[Publication, ...]:
    """The ports of one service on the host: as set, else as the catalog proposes.

    On the host's own network they are what the container listens on, on every address.
    """
    if service.wants.network == "host":
        return tuple(
            Publication(address=ANY, host=p.container, container=p.container, protocol=p.protocol, use=p.use)
            for p in service.ports
        )
    own = settings.services.get(name, ServiceSettings())
    address = publish_address(own.publish or settings.publish)
    return tuple(
        Publication(
            address=address,
            host=_host_port(number, port.container, port.proposed, own),
            container=port.container,
            protocol=port.protocol,
            use=port.use,
        )
        for number, port in enumerate(service.ports)
        if port.publish
    )


def _host_port(number: int, container: int, proposed: int, own: ServiceSettings) -> int:
    if number == 0 and own.port:
        return own.port
    return own.ports.get(container, proposed)


def without_effect(service: Service, own: ServiceSettings) -> dict[int, str]:
    """The container ports in `ports` that the service does not publish → what to say."""
    if service.wants.network == "host":
        return {}
    there = sorted({p.container for p in service.ports if p.publish})
    known = f"it publishes {', '.join(map(str, there))}" if there else "it publishes none"
    return {port: f"expected a port of the container; {known}" for port in own.ports if port not in there}


def check_addresses(
    published: Mapping[str, Sequence[Publication]], settings: Settings, addresses: Collection[str]
) -> None:
    """ValidationError for an address that is none of `addresses`; nothing is checked where these are not known."""
    for name, its in published.items():
        for port in its:
            if addresses and not port.address.startswith("127.") and port.address not in {ANY, *addresses}:
                own = settings.services.get(name)
                key = f"services/{name}/publish" if own and own.publish else "publish"
                raise ValidationError(
                    f"{port.address} is no address of this machine; it has {', '.join(sorted(addresses))}",
                    where=f"usenet.yaml: {key}",
                    hint=f"take one of these, or every address: usenet config set {key.replace('/', '.')} lan",
                )


def check(published: Mapping[str, Sequence[Publication]], holders: Iterable[PortHolder]) -> None:
    """Raise when two services want one port (ValidationError) or when somebody else has it (SystemFailure).

    All conflicts are named at once, each with its owner and a free port.
    """
    wanted = [(name, port) for name, ports in published.items() for port in ports]
    theirs = [h for h in holders if not h.service]
    cures = _Cures(published, {p.host for _, p in wanted} | {h.port for h in theirs})
    _raise(
        ValidationError,
        [_between(a, b, cures) for n, a in enumerate(wanted) for b in wanted[n + 1 :] if _clash(a[1], b[1])],
    )
    _raise(
        SystemFailure,
        [
            f"port {port.host}/{port.protocol} for {name} is held by {holder.owner}" + cures.one(name, port)
            for name, port in wanted
            for holder in theirs
            if (holder.port, holder.protocol) == (port.host, port.protocol) and _overlap(holder.address, port.address)
        ],
    )


def _clash(a: Publication, b: Publication) -> bool:
    return (a.host, a.protocol) == (b.host, b.protocol) and _overlap(a.address, b.address)


def _overlap(a: str, b: str) -> bool:
    return a == b or ANY in (a, b)


def _between(a: tuple[str, Publication], b: tuple[str, Publication], cures: _Cures) -> str:
    (first, _), (second, port) = a, b
    return f"{first} and {second} both want port {port.host}/{port.protocol}" + cures.one(second, port)


class _Cures:
    """The command that gives a port another number: one number for each setting, and no number twice."""

    def __init__(self, published: Mapping[str, Sequence[Publication]], taken: set[int]) -> None:
        self.published, self.taken = published, taken
        self.given: dict[str, int] = {}

    def one(self, name: str, port: Publication) -> str:
        ports = self.published[name]
        alone = sum(p.container == port.container for p in ports) == 1
        key = f"services.{name}." + ("port" if port == ports[0] and alone else f"ports.{port.container}")
        if key not in self.given:
            self.given[key] = free_port(port.host, self.taken)
            self.taken.add(self.given[key])
        return f"\x00usenet config set {key} {self.given[key]}"


def _raise(kind: type[UsenetError], problems: list[str]) -> None:
    if problems:
        said, cures = zip(*(problem.split("\x00") for problem in problems), strict=True)
        raise kind("; ".join(dict.fromkeys(said)), hint="give it a free port: " + " && ".join(dict.fromkeys(cures)))


def free_port(near: int, taken: set[int]) -> int:
    """The next port at or above `near` that is not in `taken`, staying below 65536 and above 1023."""
    start = max(near, 1024)
    candidates: tuple[int, ...] = (*range(start, 65536), *range(1024, start))
    for port in candidates:
        if port not in taken:
            return port
    raise ValidationError("every port of this machine is taken")
