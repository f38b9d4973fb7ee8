"""Where a service is reached from the host, and how its health is asked there. Small: status imports it."""

from __future__ import annotations

from collections.abc import Sequence

from usenet.domain.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


class Publication(NamedTuple):
    """A container port on the host. `use` as in service.Port."""

    address: str
    host: int
    container: int
    protocol: str
    use: str


class Probe(NamedTuple):
    """How the host asks a service for its health; `kind` running means that there is nothing to ask.

    `address` is empty where the port is not published: the container's own address is asked then.
    `status`: the answers that mean healthy; empty: any below 400.
    """

    kind: Literal["http", "tcp", "running"]
    address: str = "127.0.0.1"
    port: int = 0
    path: str = ""
    method: str = "GET"
    scheme: str = "http"
    status: tuple[int, ...] = ()
    start_period: int = 60


def at(probe: Probe, addresses: Sequence[str]) -> Probe:
    """The probe, asked at the container's own address where its port is not published."""
    return probe if probe.address or not addresses else probe._replace(address=addresses[0])
