"""What NVIDIA's driver tells about its cards: by its library, else by nvidia-smi, else by /proc."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import nvml, reading, shell
from usenet.domain.codecs import ordered
from usenet.domain.errors import SystemFailure

BY_LIBRARY = "NVML, which tells encoders only, not their bit depths"
# -P: nothing is loaded from the directory in which it is called, which anybody may write in.
LIBRARY = (sys.executable, "-P", "-m", "usenet.adapters.nvml")
COMMAND = (
    "nvidia-smi",
    "--query-gpu=pci.bus_id,uuid,name,memory.total,driver_version",
    "--format=csv,noheader,nounits",
)
_INSTALL = "usenet hardware install-drivers"
_ANSWERED = (0, 14)  # 14: a line after the answer warns that a card's infoROM is corrupted; the card works
PATIENCE = 5.0  # without its persistence daemon the driver wakes the card first, which takes up to three seconds


@dataclass(frozen=True, slots=True)
class Card:
    """One card; memory in bytes. `encode`: codecs, None when nobody told; `by`: who told of the codecs."""

    uuid: str
    name: str
    memory: int | None
    version: str
    encode: tuple[str, ...] | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Cards by PCI address, and what the driver said of those that do not answer."""

    cards: dict[str, Card]
    failures: tuple[str, ...] = ()


def is_installed() -> bool:
    """Whether nvidia-smi is on PATH."""
    return bool(shell.found(COMMAND[0]))


def ask() -> Told:
    """The cards, in one call: of the library where this Python can load it, else of nvidia-smi, never of both.

    SystemFailure when there is neither, or the one that was asked hangs or fails: the other would do the same.
    """
    if nvml.is_there():
        return _by_library()
    if not is_installed():
        raise SystemFailure("neither its library nor nvidia-smi is installed", hint=_INSTALL)
    return Told(parse(printed(COMMAND)))


def printed(command: Sequence[str]) -> str:
    """What nvidia-smi prints. SystemFailure when it is missing, hangs or fails; it tells on stdout why."""
    if not is_installed():
        raise SystemFailure("nvidia-smi is not installed", hint=_INSTALL)
    done = shell.run(command, timeout=PATIENCE)
    if done.code not in _ANSWERED:
        said = (done.out.strip() or done.err.strip() or "it said nothing").splitlines()[0]
        raise SystemFailure(f"{command[0]} failed with code {done.code}: {said}")
    return done.out


def _by_library() -> Told:
    try:
        done = shell.run(LIBRARY, timeout=PATIENCE)
    except SystemFailure as late:
        raise SystemFailure(f"NVIDIA's library did not answer within {PATIENCE:g} s") from late
    if not done.ok:
        said = (done.err.strip() or "it said nothing").splitlines()[-1]
        raise SystemFailure(f"NVIDIA's library failed: {said}")
    try:
        return parse_library(done.out)
    except (ValueError, KeyError, TypeError, AttributeError) as odd:
        raise SystemFailure("NVIDIA's library answered what can't be read") from odd


def parse_library(text: str) -> Told:
    """Read what usenet.adapters.nvml prints. One of several built-in errors where it is anything else."""
    told = json.loads(text)
    cards = {
        _address(one["bus"]): Card(
            uuid=one["uuid"],
            name=one["name"],
            memory=one["memory"],
            version=told["version"],
            encode=None if one["encode"] is None else ordered(set(one["encode"])),
            by="" if one["encode"] is None else BY_LIBRARY,
        )
        for one in told["cards"]
        if "failure" not in one
    }
    return Told(cards, tuple(one["failure"] for one in told["cards"] if "failure" in one))


def parse(text: str) -> dict[str, Card]:
    """Read the CSV of COMMAND: memory in MiB there, bytes here; `[N/A]` is unknown. Other lines are skipped."""
    cards: dict[str, Card] = {}
    for line in text.splitlines():
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
    version = re.search(r"Kernel Module\s+(?:for \S+\s+)?([\d.]+)", reading.text(folder / "version"))
    cards: dict[str, Card] = {}
    for information in sorted(folder.glob("gpus/*/information")):
        pairs = dict(re.findall(r"^([^:]+):\s*(.*?)\s*$", reading.text(information), re.MULTILINE))
        uuid = pairs.get("GPU UUID", "")
        cards[information.parent.name.lower()] = Card(
            uuid="" if "?" in uuid else uuid,  # not known before the card was first opened
            name="" if pairs.get("Model") == "Unknown" else pairs.get("Model", ""),  # pci.ids may name it
            memory=None,
            version=version[1] if version else "",
        )
    return cards


def linked(folder: Path = Path("/dev/char")) -> bool:
    """Whether what systemd looks devices up in leads to the driver's nodes: `195:0` → `/dev/nvidia0`."""
    return any(one.readlink().name.startswith("nvidia") for one in folder.glob("*:*") if one.is_symlink())


def _address(bus: str) -> str:
    """`00000000:01:00.0`, as NVIDIA prints it, to the kernel's `0000:01:00.0`."""
    domain, rest = bus.lower().split(":", 1)
    return f"{int(domain, 16):04x}:{rest}"


def _known(value: str) -> str:
    return "" if value.startswith("[") else value
