"""Display controllers by PCI (or of a Raspberry Pi): their driver, the nodes that reach them, what they can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from usenet.adapters import reading, shell
from usenet.domain.host import Gpu, Node, Unseen

SOURCE = "/sys/bus/pci/devices, /dev/dri"

_VENDORS = {"10de": "nvidia", "1002": "amd", "8086": "intel", "1af4": "virtio"}
_DISPLAY = "0x03"  # PCI base class: VGA, XGA, 3D and other display controllers
# Names that the kernel's V4L2 drivers give their memory-to-memory nodes on a Raspberry Pi.
_CODECS = frozenset({"bcm2835-codec-decode", "bcm2835-codec-encode", "bcm2835-codec-isp", "rpivid", "rpi-hevc-dec"})
_NAMES = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")


def look(root: Path = Path("/")) -> tuple[tuple[Gpu, ...], tuple[Unseen, ...]]:
    """Every GPU, by PCI address, and what could not be learnt about them. Never raises. `root` holds sys, dev, proc."""
    unseen: list[Unseen] = []
    bus = root / "sys/bus/pci/devices"
    displays = [folder for folder in sorted(bus.glob("*")) if reading.text(folder / "class").startswith(_DISPLAY)]
    found = [_on_pci(folder, root, unseen) for folder in displays] + _on_board(root, unseen)
    if not bus.is_dir() and not found:
        unseen.append(Unseen(what="GPUs", why=f"{bus} is not there", cure="mount sysfs"))
    if not found and not shell.found("nvidia-smi"):
        return (), tuple(unseen)
    from usenet.adapters import gpu_codecs  # and its tools: nothing that a machine without a GPU waits for

    told, dark = gpu_codecs.ask(found, root)
    return told, (*unseen, *dark)


def source(found: tuple[Gpu, ...]) -> str:
    """Where facts about these were read."""
    asked = {"NVML, nvidia-smi" if gpu.vendor == "nvidia" else gpu.probed_by.split(":")[0] for gpu in found}
    return ", ".join([SOURCE, *sorted(asked - {""})])


def _on_pci(folder: Path, root: Path, unseen: list[Unseen]) -> Gpu:
    vendor, device = (reading.text(folder / part).removeprefix("0x") for part in ("vendor", "device"))
    inner = next(iter(sorted(folder.glob("virtio*"))), folder)  # virtio puts a bus of its own between
    render, card = _nodes((folder, inner), folder.name, root, unseen)
    driver = _target(inner / "driver") or _target(folder / "driver")
    return Gpu(
        pci=folder.name,
        vendor=_VENDORS.get(vendor, "other"),
        id=f"{vendor}:{device}",
        name=_name(vendor, device, root),
        driver=driver,
        driver_version=_version(driver, root),
        memory=reading.number(folder / "mem_info_vram_total"),  # amdgpu
        render=render,
        card=card,
    )


def _on_board(root: Path, unseen: list[Unseen]) -> list[Gpu]:
    """A Raspberry Pi's GPU, told by the device tree; its codecs are nodes of other drivers beside it."""
    model = reading.text(root / "proc/device-tree/model")
    if not model.startswith("Raspberry Pi"):
        return []
    drm = sorted((root / "sys/class/drm").glob("renderD*/device"))
    place = next((one.resolve() for one in drm if _target(one / "subsystem") == "platform"), None)
    if not place:  # a kernel without its display driver may still have the codecs
        return [Gpu(pci="soc", vendor="raspberrypi", id="", name=model, codecs=tuple(_codecs(root)))]
    render, card = _nodes((place,), place.name, root, unseen)
    return [
        Gpu(
            pci=place.name,
            vendor="raspberrypi",
            id=reading.text(place / "of_node/compatible").split("\0")[0],
            name=model,
            driver=_target(place / "driver"),
            render=render,
            card=card,
            codecs=tuple(_codecs(root)),
        )
    ]


def _codecs(root: Path) -> Iterator[Node]:
    videos = (root / "sys/class/video4linux").glob("video*")
    for folder in sorted(videos, key=lambda one: int(re.sub(r"\D", "", one.name) or 0)):
        if reading.text(folder / "name") in _CODECS:
            node = _node(root / "dev" / folder.name, f"/dev/{folder.name}")
            if node:
                yield node


def _nodes(folders: tuple[Path, ...], owner: str, root: Path, unseen: list[Unseen]) -> tuple[Node | None, Node | None]:
    """Render and card node of a device: those that its drm folder names and /dev has."""
    names = {one.name for folder in folders for one in (folder / "drm").glob("*")}
    found: list[Node | None] = []
    for kind in ("renderD", "card"):
        name = next((one for one in sorted(names) if re.fullmatch(kind + r"\d+", one)), "")
        node = _node(root / "dev/dri" / name, f"/dev/dri/{name}") if name else None
        if name and not node:
            cure = "in a container, pass /dev/dri; else reload the driver"
            unseen.append(Unseen(what=f"/dev/dri/{name} of {owner}", why="the driver has it, /dev has not", cure=cure))
        found.append(node)
    return found[0], found[1]


def _node(place: Path, path: str) -> Node | None:
    try:
        return Node(path=path, gid=place.stat().st_gid)
    except OSError:
        return None


def _name(vendor: str, device: str, root: Path) -> str:
    """The product's name by the PCI ID database, where the distribution has one; else empty."""
    text = next(filter(None, (reading.text(root / path) for path in _NAMES)), "") + "\n"
    block = re.search(rf"^{re.escape(vendor)}  (.*)\n((?:[\t#].*\n)*)", text, re.MULTILINE)
    product = re.search(rf"^\t{re.escape(device)}  (.*)$", block[2], re.MULTILINE) if block else None
    return f"{block[1]} {product[1]}" if block and product else ""


def _version(driver: str, root: Path) -> str:
    """Only drivers from outside the kernel's own tree have one; for the others it is the kernel's."""
    return reading.text(root / "sys/module" / driver.replace("-", "_") / "version") if driver else ""


def _target(link: Path) -> str:
    return link.readlink().name if link.is_symlink() else ""
