"""What NVIDIA's driver tells about its cards: by nvidia-smi, or by /proc where that does not answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure

SOURCE = "nvidia-smi"
COMMAND = (
    "nvidia-smi",
    "--query-gpu=pci.bus_id,uuid,name,memory.total,driver_version",
    "--format=csv,noheader,nounits",
)
PATIENCE = 5.0  # without its persistence daemon the driver wakes the card first, which takes up to three seconds


@dataclass(frozen=True, slots=True)
class Card:
    """One card; memory in bytes."""

    uuid: str
    name: str
    memory: int | None
    version: str


def is_installed() -> bool:
    """Whether nvidia-smi is on PATH."""
    return bool(shell.found(COMMAND[0]))


def ask() -> dict[str, Card]:
    """The cards by PCI address, in one call. SystemFailure when nvidia-smi is missing, hangs or fails."""
    if not is_installed():
        raise SystemFailure("nvidia-smi is not installed", hint="install NVIDIA's driver with its tools")
    done = shell.run(COMMAND, timeout=PATIENCE)
    if not done.ok:
        said = (done.out.strip() or done.err.strip() or "it said nothing").splitlines()[0]
        raise SystemFailure(f"nvidia-smi failed with code {done.code}: {said}")
    return parse(done.out)


def parse(printed: str) -> dict[str, Card]:
    """Read the CSV of COMMAND: memory in MiB there, bytes here; `[N/A]` is unknown. Other lines are skipped."""
    cards: dict[str, Card] = {}
    for line in printed.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 5 or not re.fullmatch(r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d", fields[0]):
            continue
        bus, uuid, *name, memory, version = fields
        cards[_address(bus)] = Card(
            uuid=_known(uuid),
            name=_known(", ".join(name)),
            memory=int(memory) * 1024 * 1024 if memory.isdecimal() else None,
            version=_known(version),
        )
    return cards


def read(folder: Path) -> dict[str, Card]:
    """The same from /proc/driver/nvidia, without memory; empty where the driver is not loaded."""
    version = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", _text(folder / "version"))
    cards: dict[str, Card] = {}
    for information in sorted(folder.glob("gpus/*/information")):
        pairs = dict(re.findall(r"^([^:]+):\s*(.*?)\s*$", _text(information), re.MULTILINE))
        uuid = pairs.get("GPU UUID", "")
        cards[information.parent.name.lower()] = Card(
            uuid="" if "?" in uuid else uuid,  # not known before the card was first opened
            name=pairs.get("Model", ""),
            memory=None,
            version=version[1] if version else "",
        )
    return cards


def _address(bus: str) -> str:
    """`00000000:01:00.0`, as NVIDIA prints it, to the kernel's `0000:01:00.0`."""
    domain, rest = bus.lower().split(":", 1)
    return f"{int(domain, 16):04x}:{rest}"


def _known(value: str) -> str:
    return "" if value.startswith("[") else value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
