"""The packages that make cards usable, by distribution, and how each distribution installs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from usenet.domain.host import Host

Family = Literal["debian", "ubuntu", "fedora", "arch"]
FAMILIES: dict[str, Family] = {
    "debian": "debian",
    "raspbian": "debian",
    "ubuntu": "ubuntu",
    "linuxmint": "ubuntu",
    "pop": "ubuntu",
    "fedora": "fedora",
    "nobara": "fedora",
    "arch": "arch",
    "manjaro": "arch",
    "endeavouros": "arch",
    "cachyos": "arch",
}
_HERE = "so that this machine can ask the card; the images of the services bring drivers of their own"


@dataclass(frozen=True, slots=True)
class Need:
    """Packages that belong together. `after`: commands that follow; `restart`: it works from the next boot on.

    `module`: the kernel's own signature does not cover it.
    """

    packages: tuple[str, ...]
    because: str
    after: tuple[tuple[str, ...], ...] = ()
    restart: bool = False
    module: bool = False


def needs(family: Family, vendor: str, host: Host) -> tuple[Need, ...]:
    """What a card of `vendor` needs on this distribution; empty where the kernel brings it all."""
    if vendor == "nvidia":
        return (_nvidia(family, host),)
    if vendor == "raspberrypi":
        return ()  # its driver is part of the kernel, which is asked itself
    firmware = _firmware(family, vendor, host.system.version)
    drivers = _VAAPI.get((family, vendor))
    return (*([drivers] if drivers else []), *([firmware] if firmware else []))


_INTEL = "iHD serves Intel's cards since Broadwell, i965 those before; libva takes the one that fits"
_VAAPI: dict[tuple[Family, str], Need] = {
    ("debian", "intel"): Need(("intel-media-va-driver", "i965-va-driver", "vainfo"), f"{_INTEL}, {_HERE}"),
    ("ubuntu", "intel"): Need(("intel-media-va-driver", "i965-va-driver", "vainfo"), f"{_INTEL}, {_HERE}"),
    ("fedora", "intel"): Need(("libva-intel-media-driver", "libva-utils"), f"Intel's driver, {_HERE}"),
    ("arch", "intel"): Need(("intel-media-driver", "libva-intel-driver", "libva-utils"), f"{_INTEL}, {_HERE}"),
    ("debian", "amd"): Need(("mesa-va-drivers", "vainfo"), f"Mesa's driver, {_HERE}"),
    ("ubuntu", "amd"): Need(("mesa-va-drivers", "vainfo"), f"Mesa's driver, {_HERE}"),
    ("fedora", "amd"): Need(
        ("mesa-va-drivers-freeworld", "libva-utils"), f"Fedora's own Mesa leaves H.264 and HEVC out; {_HERE}"
    ),
    ("arch", "amd"): Need(("mesa", "libva-utils"), f"Mesa's driver, {_HERE}"),
}


def _firmware(family: Family, vendor: str, version: str) -> Need | None:
    if family != "debian":
        return None  # the others install it with the kernel
    if vendor == "amd":
        return Need(("firmware-amd-graphics",), "without its firmware the card's video engine does not start", (), True)
    # From trixie on Intel's part is a package of its own.
    name = "firmware-misc-nonfree" if version in ("11", "12") else "firmware-intel-graphics"
    return Need((name,), "holds HuC, without which newer cards have no low-power encoder", (), True)


def _nvidia(family: Family, host: Host) -> Need:
    because = "NVIDIA's driver with its encoder, decoder and nvidia-smi; the kernel's own (nouveau) transcodes nothing"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(host.cpu.architecture, host.cpu.architecture)
    if family == "debian":
        packages = (f"linux-headers-{architecture}", "nvidia-driver", "nvidia-smi", "libnvidia-encode1")
        return Need(packages, because, restart=True, module=True)
    if family == "ubuntu":
        choose = ("ubuntu-drivers", "install")
        return Need(
            ("ubuntu-drivers-common",),
            f"{because}; this tool knows which version fits",
            (choose,),
            restart=True,
            module=True,
        )
    if family == "fedora":
        build = ("akmods", "--force")
        return Need(("akmod-nvidia", "xorg-x11-drv-nvidia-cuda"), because, (build,), restart=True, module=True)
    return Need(("linux-headers", "nvidia-open-dkms", "nvidia-utils"), because, restart=True, module=True)


def install(family: Family, packages: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The commands that install packages without asking anything."""
    if family in ("debian", "ubuntu"):
        quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get")
        return ((*quiet, "update"), (*quiet, "install", "--yes", "--no-install-recommends", *packages))
    if family == "fedora":
        return (("dnf", "install", "--assumeyes", "--allowerasing", *packages),)
    return (("pacman", "--sync", "--noconfirm", "--needed", *packages),)


def refresh(family: Family) -> tuple[tuple[str, ...], ...]:
    """The commands that fetch the lists of packages."""
    if family in ("debian", "ubuntu"):
        return (("apt-get", "update"),)
    return (("dnf", "makecache"),) if family == "fedora" else (("pacman", "--sync", "--refresh"),)


def enable(family: Family, codename: str, version: str) -> tuple[tuple[str, ...], ...]:
    """The commands that add the package sources that drivers are in; empty where they are on always."""
    if family == "debian":
        line = f"deb http://deb.debian.org/debian {codename} contrib non-free non-free-firmware"
        place = "/etc/apt/sources.list.d/non-free-drivers.list"
        return (("sh", "-c", f"echo '{line}' > {place}"), ("apt-get", "update"))
    if family == "ubuntu":
        return (("add-apt-repository", "--yes", "universe"), ("add-apt-repository", "--yes", "restricted"))
    if family == "fedora":
        base = "https://download1.rpmfusion.org"
        kinds = ("free", "nonfree")
        releases = tuple(f"{base}/{kind}/fedora/rpmfusion-{kind}-release-{version}.noarch.rpm" for kind in kinds)
        return (("dnf", "install", "--assumeyes", *releases),)
    return ()
