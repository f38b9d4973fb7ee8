"""What was decided and why: grants per service, choices with reasons, steps that can be printed before they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from usenet.domain.reach import Probe, Publication

NOTHING_ON = "no service is on: switch one on with: usenet services enable NAME; see them with: usenet services list"


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision: `about` is `service.topic` or a topic of the whole stack."""

    about: str
    value: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A host path in a container. `directory`: made beforehand with the right owner; else it must exist.

    `relabel`: SELinux is to let every container of the stack in; only for what is the stack's own.
    """

    source: str
    target: str
    read_only: bool = False
    propagation: str = ""
    directory: bool = True
    relabel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes and CPUs; None: no limit can or need be set."""

    memory: int | None = None
    reservation: int | None = None
    cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """NVIDIA cards by UUID, through CDI or the engine's own driver."""

    driver: Literal["cdi", "nvidia"]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What transcodes for a service that wants an encoder, and with which card it was planned.

    `gpu` is the card's PCI path, `driver` its kernel driver with the version where that is known, `device` the node
    that the application is told of; all empty for software. `decode`, `encode`: as probed; None: not probed.
    """

    kind: Literal["software", "nvenc", "vaapi", "qsv", "v4l2m2m"]
    gpu: str = ""
    driver: str = ""
    device: str = ""
    decode: tuple[str, ...] | None = None
    encode: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """All that one service gets. `build` names a directory of templates/images when the image is made here.

    `check` is Compose's healthcheck test; `self_checking` also holds for images that bring a check of their own.
    `networks`: those of the stack that it joins; empty: the one that all of them are on.
    """

    service: str
    title: str
    group: str
    role: str
    image: str
    build: str = ""
    user: str = ""
    groups: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Publication, ...] = ()
    binds: tuple[Bind, ...] = ()
    devices: tuple[str, ...] = ()
    gpus: Gpus | None = None
    encoder: Encoder | None = None
    capabilities: tuple[str, ...] = ()
    limits: Limits = Limits()
    network: Literal["stack", "host"] = "stack"
    networks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
    self_checking: bool = False
    start_period: int = 60
    probe: Probe = Probe(kind="running")  # noqa: RUF009 - frozen
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A service that was asked for and can't be had, and why."""

    service: str
    because: str


def by_reason(left_out: Iterable[LeftOut]) -> tuple[str, ...]:
    """`tv, node: example.org does not answer`: one line for each reason, with all services that it holds for."""
    services: dict[str, list[str]] = {}
    for out in left_out:
        services.setdefault(out.because, []).append(out.service)
    return tuple(f"{', '.join(names)}: {why}" for why, names in services.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole decision for one stack. `home` and `data` are absolute host paths; `waves` the order of starting."""

    project: str
    home: str
    data: str
    uid: int
    gid: int
    umask: str
    timezone: str
    grants: Mapping[str, Grant]
    waves: tuple[tuple[str, ...], ...]
    choices: tuple[Choice, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    secrets: Mapping[str, Literal["hex32", "password", "given"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHolder:
    """Who listens on a host port now. `owner` is a process or a container; `service` is set if it is this stack's."""

    port: int
    protocol: str
    owner: str
    address: str = "0.0.0.0"  # noqa: S104 - a fact, not a choice
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How many 1080p H.264 streams at once kept up, by kind of encoder, with which card, and when."""

    time: str
    gpu: str
    driver: str
    streams: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the machine holds at this moment and a plan must respect.

    `images`: references in the engine's store. `reachable`: registry → whether it answered; a registry that
    was not asked is missing. `refused`: reference → why its registry did not give it. `buildable`: service →
    reference of the image that can be made here. `addresses`: the IPv4 addresses of the machine; empty if unknown.
    `disproved`: service → why `hardware verify` could not transcode on the card that it is to get. `measured`: by the
    last `hardware benchmark`.
    """

    ports: tuple[PortHolder, ...] = ()
    images: frozenset[str] = frozenset()
    reachable: Mapping[str, bool] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    buildable: Mapping[str, str] = field(default_factory=dict)
    addresses: frozenset[str] = frozenset()
    disproved: Mapping[str, str] = field(default_factory=dict)
    measured: Measured | None = None
