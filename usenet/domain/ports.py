"""Which host port each container port gets, and who is in the way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from usenet.domain.errors import SystemFailure, UsenetError, ValidationError
from usenet.domain.plan import PortHolder
from usenet.domain.reach import Publication
from usenet.domain.service import Service
from usenet.domain.settings import ServiceSettings, Settings, publish_address

ANY = "0.0.0.0"  # noqa: S104 - compared with, not bound

_Wanted = tuple[str, Publication]


class Held(SystemFailure):
    """Somebody else has a port that a service wants."""


def publications(name: str, service: Service, settings: Settings) -> tuple[Publication, ...]:
    """The ports of one service on the host: as set, else as the catalog proposes.

    On the host's own network they are what the container listens on, on every address.
    """
    if service.wants.network == "host":
        return tuple(
            Publication(address=ANY, host=p.container, container=p.container, protocol=p.protocol, use=p.use)
            for p in service.ports
        )
    own = settings.services.get(name) or ServiceSettings()
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
    """Raise when two services want one port (ValidationError) or when somebody else has it (Held).

    All conflicts are named at once, each with its owner and a free port.
    """
    wanted: dict[tuple[int, str], list[_Wanted]] = {}
    for name, its in published.items():
        for port in its:
            wanted.setdefault((port.host, port.protocol), []).append((name, port))
    held: dict[tuple[int, str], list[PortHolder]] = {}
    for holder in holders:
        if not holder.service:
            held.setdefault((holder.port, holder.protocol), []).append(holder)
    cures = _Cures(published, {number for number, _ in (*wanted, *held)})
    _raise(ValidationError, [_between(a, b, cures) for same in wanted.values() for a, b in _clashes(same)])
    _raise(
        Held,
        [
            f"port {port.host}/{port.protocol} for {name} is held by {holder.owner}" + cures.one(name, port)
            for key, same in wanted.items()
            for name, port in same
            for holder in held.get(key, ())
            if _overlap(holder.address, port.address)
        ],
    )


def _clashes(same: Iterable[_Wanted]) -> Iterator[tuple[_Wanted, _Wanted]]:
    """Every two of those that want one number that do so on one address."""
    return (pair for pair in combinations(same, 2) if _overlap(pair[0][1].address, pair[1][1].address))


def _overlap(a: str, b: str) -> bool:
    return a == b or ANY in (a, b)


def _between(a: _Wanted, b: _Wanted, cures: _Cures) -> str:
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
