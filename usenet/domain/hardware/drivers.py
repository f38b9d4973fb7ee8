"""What must be installed so that the cards of a machine can be used: `hardware install-drivers`.

Sources: the distributions' package lists, and NVIDIA's installation guide of its container toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from usenet.domain.hardware.packages import FAMILIES, Family, Need, enable, install, needs, refresh
from usenet.domain.host import Gpu, Host

Command = tuple[str, ...]
_REPOSITORY = "https://nvidia.github.io/libnvidia-container"
_KEYRING = "/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg"
_LINK = ("nvidia-ctk", "system", "create-dev-char-symlinks", "--create-all")
_RULE = f'ACTION=="add", DEVPATH=="/bus/pci/drivers/nvidia", RUN+="/usr/bin/{" ".join(_LINK)}"'
_LIST = "/etc/apt/sources.list.d/nvidia-container-toolkit.list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was seen of this machine besides the host. `packages`: installed ones; None: its package tool is unknown.

    `available`: packages that the sources in force have; None: their lists were never fetched. `user`: who is to reach
    the cards, empty for root; `groups`: that user's; `group_names`: of the cards' nodes. `char_links`: /dev/char leads
    to NVIDIA's nodes.
    """

    packages: frozenset[str] | None
    available: frozenset[str] | None = frozenset()
    codename: str = ""
    user: str = ""
    groups: frozenset[int] = frozenset()
    group_names: Mapping[int, str] = field(default_factory=dict)
    char_links: bool = False
    secure_boot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStep:
    """One thing to do, and why. No commands: only a person can do it. `then`: what a person must do afterwards."""

    what: str
    because: str
    commands: tuple[Command, ...] = ()
    done: bool = False
    then: str = ""


def steps(host: Host, found: Found) -> tuple[DriverStep, ...]:
    """All that the cards of `host` need, in order, done or not; empty where it has none that can transcode."""
    family = FAMILIES.get(host.system.distribution)
    cards = [gpu for gpu in host.gpus if gpu.vendor in ("nvidia", "amd", "intel", "raspberrypi")]
    if not cards:
        return ()
    if family is None or found.packages is None:
        return (_unknown(host),)
    if found.available is None:
        return (_lists(family),)
    made = [*_drivers(host, cards, family, found), *_kernel(cards, host)]
    if any(gpu.vendor == "nvidia" for gpu in cards):
        made += _toolkit(host, family, found)
    return (*made, *_groups(cards, found))


def _unknown(host: Host) -> DriverStep:
    return DriverStep(
        what="install the drivers of the cards",
        because=f"packages of {host.system.distribution} are not known here; see the page of your distribution",
    )


def _lists(family: Family) -> DriverStep:
    return DriverStep(
        what="fetch the lists of packages",
        because="there are none on this machine, so what else is needed can only be told afterwards",
        commands=refresh(family),
    )


def wanted(host: Host) -> frozenset[str]:
    """Every package that `steps` may ask for, to be looked up beforehand."""
    family = FAMILIES.get(host.system.distribution)
    vendors = {gpu.vendor for gpu in host.gpus}
    found = [need for vendor in vendors for need in needs(family, vendor, host)] if family else []
    return frozenset({name for need in found for name in need.packages} | {"nvidia-container-toolkit"})


def _drivers(host: Host, cards: list[Gpu], family: Family, found: Found) -> Iterator[DriverStep]:
    wished = {need: None for gpu in cards for need in needs(family, gpu.vendor, host) if not _answers(gpu)}
    absent = [name for need in wished for name in need.packages if name not in (found.packages or ())]
    hidden = [name for name in absent if name not in (found.available or ())]
    if hidden:
        yield _sources(host, family, found, hidden)
    for need in wished:
        yield _packages(need, family, found)


def _answers(gpu: Gpu) -> bool:
    """Whether NVIDIA's driver is at work, wherever it came from."""
    return gpu.vendor == "nvidia" and bool(gpu.uuid)


def _sources(host: Host, family: Family, found: Found, hidden: list[str]) -> DriverStep:
    return DriverStep(
        what="add the package sources that drivers are in",
        because=f"{', '.join(hidden)}: not in those that are on",
        commands=enable(family, found.codename, host.system.version),
    )


def _packages(need: Need, family: Family, found: Found) -> DriverStep:
    there = all(name in (found.packages or ()) for name in need.packages)
    unsigned = need.module and found.secure_boot
    signed = "Secure Boot is on: the module must be signed first, see: man mokutil. " if unsigned else ""
    return DriverStep(
        what=f"install {', '.join(need.packages)}",
        because=need.because,
        commands=(*install(family, need.packages), *need.after),
        done=there,
        then=f"{signed}restart the machine, so that the driver is loaded" if need.restart else "",
    )


def _kernel(cards: list[Gpu], host: Host) -> Iterator[DriverStep]:
    for gpu in cards:
        if gpu.vendor in ("intel", "amd") and not gpu.driver:
            yield DriverStep(
                what=f"get a newer kernel for {gpu.name or gpu.id} at {gpu.pci}",
                because=f"Linux {host.system.kernel} has no driver that takes it; Intel's Arc B needs 6.12",
            )


def _toolkit(host: Host, family: Family, found: Found) -> Iterator[DriverStep]:
    name = "nvidia-container-toolkit"
    there = name in (found.packages or ())
    knows = host.engine is not None and bool(
        "nvidia" in host.engine.runtimes or any("nvidia.com/gpu" in device for device in host.engine.cdi)
    )
    yield DriverStep(
        what=f"install {name}",
        because="without it the engine can't give a card to a container",
        commands=(*_toolkit_source(family, name in (found.available or ())), *install(family, (name,))),
        done=there or knows,
    )
    yield DriverStep(
        what="tell the engine of it",
        because="the engine starts containers with a card through the toolkit's runtime; restarting the engine "
        "restarts the containers",
        commands=(
            ("nvidia-ctk", "runtime", "configure", "--runtime=docker"),
            ("nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml"),
            ("systemctl", "restart", "docker"),
        ),
        done=knows,
        then="" if host.system.init == "systemd" else "restart the engine your own way: there is no systemd here",
    )
    by_cdi = host.engine is not None and any("nvidia.com/gpu" in device for device in host.engine.cdi)
    if host.system.init == "systemd" and not by_cdi:
        yield DriverStep(
            what="link NVIDIA's nodes in /dev/char",
            because="without the links a running container loses its card at the next systemctl daemon-reload; they "
            "are gone after a restart, so a rule makes them again",
            commands=(_LINK, ("sh", "-c", f"echo '{_RULE}' > /etc/udev/rules.d/71-nvidia-dev-char.rules")),
            done=found.char_links,
        )


def _toolkit_source(family: Family, available: bool) -> tuple[Command, ...]:
    if available or family == "arch":
        return ()
    if family == "fedora":
        return (
            (
                "curl",
                "-fsSLo",
                "/etc/yum.repos.d/nvidia-container-toolkit.repo",
                f"{_REPOSITORY}/stable/rpm/nvidia-container-toolkit.repo",
            ),
        )
    signed = f"s#deb https://#deb [signed-by={_KEYRING}] https://#g"
    return (
        *install(family, ("ca-certificates", "curl", "gpg")),
        ("sh", "-c", f"curl -fsSL {_REPOSITORY}/gpgkey | gpg --batch --yes --dearmor -o {_KEYRING}"),
        ("sh", "-c", f"curl -fsSL {_REPOSITORY}/stable/deb/nvidia-container-toolkit.list | sed '{signed}' > {_LIST}"),
    )


def _groups(cards: list[Gpu], found: Found) -> Iterator[DriverStep]:
    nodes = [node for gpu in cards for node in (gpu.render, gpu.card, *gpu.codecs) if node]
    closed = sorted({node.gid for node in nodes} - found.groups)
    if not found.user or not nodes:
        return
    names = ",".join(found.group_names.get(gid, str(gid)) for gid in closed or sorted({node.gid for node in nodes}))
    yield DriverStep(
        what=f"put {found.user} into the groups {names}",
        because="the nodes of the cards are theirs; containers are given the numbers and don't need it, you do",
        commands=(("usermod", "-aG", names, found.user),) if closed else (),
        done=not closed,
        then="log in again" if closed else "",
    )
