"""What the GPUs do now and for whom: the texts that the kernel and NVIDIA's tool print, and their arithmetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

VIDEO = re.compile(r"video|vcs|vecs|enc|dec|jpeg|vcn|vpe")
_SIZES = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLoad:
    """One card now. Engines by the driver's names, as parts of their time; None: can't be read.

    `sessions`: programs that encode or decode. Bytes, degrees Celsius, watts.
    """

    pci: str
    name: str
    engines: Mapping[str, float] = field(default_factory=dict)
    sessions: int | None = None
    memory_used: int | None = None
    memory: int | None = None
    temperature: float | None = None
    watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one service does with one card; `service` is the program's name in brackets for what is not the stack's."""

    service: str
    pci: str
    engines: Mapping[str, float] = field(default_factory=dict)
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """One program's handle on a card, as /proc/PID/fdinfo tells it: times in ns, or in ticks of `clocks`.

    `alike`: how many of an engine the card has, where there are several; their times are told as one sum.
    """

    pci: str
    number: int
    pid: int
    times: Mapping[str, int]
    clocks: Mapping[str, int]
    memory: int | None
    alike: Mapping[str, int]


def client(pid: int, text: str, otherwise: str = "") -> Client | None:
    """One fdinfo file (kernel, drm-usage-stats); None where it is no handle on a card.

    `otherwise`: the card's path where the file tells none, as of those that are not on the PCI bus.
    """
    pairs = dict(re.findall(r"^drm-([\w-]+):[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE))
    number = pairs.get("client-id", "")
    pci = pairs.get("pdev", otherwise)
    if not pci or not number.isdecimal():
        return None
    times = _numbers(pairs, r"engine-(?!capacity-)([\w-]+)") | _numbers(pairs, r"cycles-([\w-]+)")
    held = [_bytes(value) for key, value in pairs.items() if re.fullmatch(r"(memory|resident)-(vram|local)\w*", key)]
    return Client(
        pci=pci,
        number=int(number),
        pid=pid,
        times=times,
        clocks=_numbers(pairs, r"total-cycles-([\w-]+)"),
        memory=sum(held) if held else None,
        alike=_numbers(pairs, r"engine-capacity-([\w-]+)"),
    )


def _numbers(pairs: Mapping[str, str], pattern: str) -> dict[str, int]:
    return {
        found[1]: int(value.split()[0])
        for key, value in pairs.items()
        if (found := re.fullmatch(pattern, key)) and value.split()[0].isdecimal()
    }


def _bytes(value: str) -> int:
    number, _, unit = value.partition(" ")
    return int(number) * _SIZES.get(unit.strip(), 1) if number.isdecimal() else 0


def busy(before: Client, after: Client, seconds: float) -> dict[str, float]:
    """Engine → part of the time between two readings of one client; engines that did nothing are left out."""
    found = {}
    for engine, time in after.times.items():
        whole = after.clocks.get(engine, 0) - before.clocks.get(engine, 0) if engine in after.clocks else seconds * 1e9
        many = max(1, after.alike.get(engine, 1))
        part = (time - before.times.get(engine, 0)) / whole / many if whole > 0 else 0
        if part > 0:
            found[engine] = round(min(part, 1.0), 4)
    return found


def together(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Engine → the sum over clients, at most the whole engine."""
    total: dict[str, float] = {}
    for one in parts:
        for engine, part in one.items():
            total[engine] = round(min(total.get(engine, 0) + part, 1.0), 4)
    return total


def transcodes(engines: Mapping[str, float]) -> bool:
    """Whether an engine that only encodes or decodes is in use."""
    return any(VIDEO.search(engine) and part for engine, part in engines.items())


def nvidia(printed: str) -> dict[str, GpuLoad]:
    """nvidia-smi's CSV of adapters/gpu_load.COLUMNS: index → card. Memory in MiB there; `[N/A]` is unknown."""
    found: dict[str, GpuLoad] = {}
    for line in printed.splitlines():
        fields = [one.strip() for one in line.split(",")]
        if len(fields) != 11 or not fields[0].isdecimal():
            continue
        index, bus, name, sm, enc, dec, sessions, used, memory, heat, watts = fields
        domain, _, rest = bus.lower().partition(":")
        parts = {"sm": _number(sm), "enc": _number(enc), "dec": _number(dec)}
        found[index] = GpuLoad(
            pci=f"{domain[-4:]}:{rest}",
            name=name,
            engines={key: value / 100 for key, value in parts.items() if value is not None},
            sessions=_whole(sessions),
            memory_used=_mib(used),
            memory=_mib(memory),
            temperature=_number(heat),
            watts=_number(watts),
        )
    return found


def nvidia_programs(printed: str, cards: Mapping[str, GpuLoad]) -> list[tuple[int, str, dict[str, float], int | None]]:
    """`nvidia-smi pmon -c 1 -s um`: process id, PCI path, engines, bytes. Its first line names the columns."""
    lines = [line.lstrip("# ").split() for line in printed.splitlines() if line.strip()]
    found = []
    for line in lines[1:]:
        row = dict(zip(lines[0], line, strict=False))
        if not row.get("pid", "").isdecimal() or row.get("gpu", "") not in cards:
            continue
        parts = {key: _number(row.get(key, "-")) for key in ("sm", "enc", "dec")}
        engines = {key: value / 100 for key, value in parts.items() if value}
        found.append((int(row["pid"]), cards[row["gpu"]].pci, engines, _mib(row.get("fb", "-"))))
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _mib(text: str) -> int | None:
    value = _number(text)
    return None if value is None else int(value * 2**20)
