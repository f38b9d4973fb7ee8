"""Reads what the GPUs do: the kernel's account of every open render node, hwmon, and NVIDIA's tool."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.adapters import nvidia, reading
from usenet.domain.errors import SystemFailure
from usenet.domain.hardware import load
from usenet.domain.hardware.load import Client, GpuLoad
from usenet.domain.host import Gpu, Unseen

COLUMNS = (
    "index,pci.bus_id,name,utilization.gpu,utilization.encoder,utilization.decoder,"
    "encoder.stats.sessionCount,memory.used,memory.total,temperature.gpu,power.draw"
)
_QUERY = ("nvidia-smi", f"--query-gpu={COLUMNS}", "--format=csv,noheader,nounits")
_PROGRAMS = ("nvidia-smi", "pmon", "-c", "1", "-s", "um")
_CONTAINER = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """One process that uses a card; `container` is the engine's id, or empty."""

    pid: int
    name: str
    container: str
    pci: str
    engines: Mapping[str, float]
    memory: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All cards over one interval."""

    cards: tuple[GpuLoad, ...]
    programs: tuple[Program, ...]
    unseen: tuple[Unseen, ...]


def read(cards: Iterable[Gpu], seconds: float, root: Path = Path("/")) -> Reading:
    """What the cards do for `seconds`; NVIDIA's tool is asked once for each of its two tables. Never raises."""
    cards, unseen = tuple(cards), list[Unseen]()
    green = any(one.vendor == "nvidia" for one in cards)
    owners = {node.path: one.pci for one in cards for node in (one.render, one.card) if node}
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_nvidia, unseen) if green else None
        before, began = _clients(root, owners, unseen), time.monotonic()
        time.sleep(seconds)
        after, elapsed = _clients(root, owners, []), time.monotonic() - began
        told, theirs = asked.result() if asked else ({}, [])
    used = list(_programs(before, after, elapsed, root)) + [_program(p, b, e, m, root) for p, b, e, m in theirs]
    by_pci = {one.pci: one for one in told.values()}
    found = tuple(by_pci.get(one.pci) or _card(one, used, root) for one in cards)
    return Reading(found, tuple(used), tuple(unseen))


def _nvidia(
    unseen: list[Unseen],
) -> tuple[dict[str, GpuLoad], list[tuple[int, str, dict[str, float], int | None]]]:
    try:
        cards = load.nvidia(nvidia.printed(_QUERY))
        return cards, load.nvidia_programs(nvidia.printed(_PROGRAMS), cards)
    except SystemFailure as failure:
        cure = failure.hint or "see what the driver says: dmesg | grep -i nvrm"
        unseen.append(Unseen(what="the load of NVIDIA's cards", why=failure.message, cure=cure))
        return {}, []


def _clients(root: Path, owners: Mapping[str, str], unseen: list[Unseen]) -> dict[tuple[str, int], Client]:
    """Every handle on a card: (PCI path, number) → client; a handle shared by processes counts once.

    `owners`: device node → PCI path of its card.
    """
    found: dict[tuple[str, int], Client] = {}
    closed = 0
    for process in (root / "proc").glob("[0-9]*"):
        try:
            handles = list((process / "fd").iterdir())
        except PermissionError:
            closed += 1
            continue
        except OSError:
            continue  # it ended meanwhile
        for handle in handles:
            owner = owners.get(_target(handle))
            told = reading.text(process / "fdinfo" / handle.name) if owner else ""
            one = load.client(int(process.name), told, owner) if owner else None
            if one:
                found.setdefault((one.pci, one.number), one)
    if closed:
        why = f"{closed} processes of other users can't be looked into"
        unseen.append(Unseen(what="who uses the GPUs", why=why, cure="run it with sudo"))
    return found


def _programs(
    before: Mapping[tuple[str, int], Client], after: Mapping[tuple[str, int], Client], seconds: float, root: Path
) -> Iterator[Program]:
    for key, one in after.items():
        if key in before:
            yield _program(one.pid, one.pci, load.busy(before[key], one, seconds), one.memory, root)


def _program(pid: int, pci: str, engines: Mapping[str, float], memory: int | None, root: Path) -> Program:
    place = root / "proc" / str(pid)
    name, inside = reading.text(place / "comm"), _CONTAINER.search(reading.text(place / "cgroup"))
    return Program(pid, name or str(pid), inside[1] if inside else "", pci, engines, memory)


def _card(gpu: Gpu, used: Iterable[Program], root: Path) -> GpuLoad:
    """What sysfs tells of a card, and the sum over its programs."""
    own = [one for one in used if one.pci == gpu.pci]
    device = root / "sys/bus/pci/devices" / gpu.pci
    sensors = next(iter(sorted((device / "hwmon").glob("hwmon*"))), device / "hwmon")
    heat = reading.number(sensors / "temp1_input")
    power = reading.number(sensors / "power1_average", sensors / "power1_input")
    found = GpuLoad(
        pci=gpu.pci,
        name=gpu.name or gpu.id,
        engines=load.together(one.engines for one in own),
        sessions=sum(load.transcodes(one.engines) for one in own) if gpu.render else None,
        memory_used=reading.number(device / "mem_info_vram_used"),
        memory=gpu.memory,
        temperature=None if heat is None else heat / 1000,
        watts=None if power is None else power / 1e6,
    )
    whole = reading.number(device / "gpu_busy_percent")
    return found if whole is None else replace(found, engines={"gpu": whole / 100, **found.engines})


def _target(handle: Path) -> str:
    with suppress(OSError):  # it was closed meanwhile
        return str(handle.readlink())
    return ""
