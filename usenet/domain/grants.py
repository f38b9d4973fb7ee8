"""What one service is granted: identity, environment, rights, devices and binds put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from usenet.domain import asked, binds, encoders, health, images
from usenet.domain.encoders import EncoderGrant
from usenet.domain.host import Host
from usenet.domain.images import ImageChoice
from usenet.domain.plan import Choice, Grant, Limits, Measured
from usenet.domain.reach import Publication
from usenet.domain.service import Family, Service
from usenet.domain.settings import ServiceSettings, Settings

NOBODY = "65534:65534"
ENGINE_NETWORK = "engine"  # the socket proxy asks nobody for a password: only those who want the engine see it
_S6 = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID")
_CAPABILITIES: Mapping[Family, tuple[str, ...]] = {
    "linuxserver": _S6,
    "hotio": _S6,
    "plex": _S6,
    "root": ("DAC_OVERRIDE",),  # its root must write into directories that belong to the media user
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What was decided for one service before its grant is put together."""

    home: str
    data: str
    propagation: str
    image: ImageChoice
    limits: Limits
    published: tuple[Publication, ...]
    disproved: str = ""
    measured: Measured | None = None


def grant(
    name: str, service: Service, settings: Settings, host: Host, offers: Mapping[str, Offer]
) -> tuple[Grant, tuple[Choice, ...]]:
    """The grant of one service of the plan (`offers` has all of them), and the reasons that are its own."""
    offer = offers[name]
    # An image that is only made here is as its service file says; any other recipe follows the contract of recipes.
    family: Family = "built" if offer.image.build and not images.made_here(service.image) else service.family
    own = settings.services.get(name) or ServiceSettings()
    encoder = encoders.grant(name, host, own.gpu, offer.disproved) if service.wants.encoder else EncoderGrant(None)
    many, transcodes = encoders.workers(name, service.workers, encoder.encoder, offer.measured)
    image = Choice(f"{name}.image", offer.image.reference, offer.image.because)
    granted = Grant(
        service=name,
        title=service.title,
        group=service.group,
        role=service.role,
        image=offer.image.reference,
        build=offer.image.build,
        user=_user(service, family, settings),
        groups=encoder.groups,
        environment=_environment(service, family, settings) | encoder.environment | many | own.environment,
        ports=offer.published,
        binds=binds.binds(name, service, settings, offer.home, offer.data, offer.propagation, host=host),
        devices=(*service.wants.devices, *_drives(service, host), *encoder.devices),
        gpus=encoder.gpus,
        encoder=encoder.encoder,
        capabilities=_capabilities(service, family),
        limits=offer.limits,
        network=service.wants.network,
        networks=_networks(name, service),
        needs=asked.needs(service),
        after=tuple(a for a in service.after if a in offers),
        check=health.check(service, family),
        self_checking=health.self_checking(service, family),
        start_period=service.health.start_period,
        probe=health.probe(service, offer.published, service.wants.network),
        secrets=tuple(service.secrets),
    )
    return granted, tuple(choice for choice in (image, encoder.choice, transcodes) if choice)


def _user(service: Service, family: Family, settings: Settings) -> str:
    """Empty for images that take the owner of the data in variables, or begin as root."""
    if family not in ("official", "built"):
        return ""
    return NOBODY if service.wants.account == "nobody" else f"{settings.user.uid}:{settings.user.gid}"


def _networks(name: str, service: Service) -> tuple[str, ...]:
    """The networks of the stack that a service joins; empty: only the one that all of them are on."""
    if name == asked.SOCKET_PROXY:
        return (ENGINE_NETWORK,)
    return ("default", ENGINE_NETWORK) if service.wants.engine else ()


def _capabilities(service: Service, family: Family) -> tuple[str, ...]:
    """Recipes are made to need none."""
    wanted = () if family == "built" else (*_CAPABILITIES.get(family, ()), *service.wants.capabilities)
    return tuple(sorted(set(wanted)))


def _drives(service: Service, host: Host) -> tuple[str, ...]:
    return tuple(drive.path for drive in host.drives if drive.bus != "loop") if service.wants.drives else ()


def _environment(service: Service, family: Family, settings: Settings) -> dict[str, str]:
    uid, gid, mask = str(settings.user.uid), str(settings.user.gid), settings.user.umask
    by_family: Mapping[Family, dict[str, str]] = {
        "linuxserver": {"PUID": uid, "PGID": gid, "UMASK": mask},
        "hotio": {"PUID": uid, "PGID": gid, "UMASK": mask},
        "plex": {"PLEX_UID": uid, "PLEX_GID": gid},
        "built": {"UMASK": mask},
    }
    proxy = {"DOCKER_HOST": f"tcp://{asked.SOCKET_PROXY}:2375"} if service.wants.engine else {}
    own = {key: value.replace("{uid}", uid).replace("{gid}", gid) for key, value in service.environment.items()}
    return {"TZ": settings.timezone} | by_family.get(family, {}) | proxy | own
