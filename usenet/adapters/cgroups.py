"""Memory and processor time of containers, read from cgroup files (versions 1 and 2)."""

from __future__ import annotations

import os
from dataclasses import dataclass

ROOT = "/sys/fs/cgroup"


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory` in bytes without the page cache that can be dropped; `cpu` in seconds since the container's start."""

    memory: int
    cpu: float


def usage(container: str, root: str = ROOT) -> Usage | None:
    """What one container uses now; None where its cgroup is not found (stopped, or a layout unknown to us)."""
    unified = (f"{root}/system.slice/docker-{container}.scope", f"{root}/docker/{container}")
    for place in unified:
        if (current := _number(f"{place}/memory.current")) is not None:
            cache = _field(f"{place}/memory.stat", "inactive_file")
            return Usage(max(current - cache, 0), _field(f"{place}/cpu.stat", "usage_usec") / 1e6)
    for place in (f"docker/{container}", f"system.slice/docker-{container}.scope"):
        current = _number(f"{root}/memory/{place}/memory.usage_in_bytes")
        time = _first(f"{root}/cpuacct/{place}/cpuacct.usage", f"{root}/cpu,cpuacct/{place}/cpuacct.usage")
        if current is not None and time is not None:
            cache = _field(f"{root}/memory/{place}/memory.stat", "total_inactive_file")
            return Usage(max(current - cache, 0), time / 1e9)
    return None


def _first(*paths: str) -> int | None:
    return next((value for path in paths if (value := _number(path)) is not None), None)


def _number(path: str) -> int | None:
    text = _read(path)
    return int(text) if text.strip().isdecimal() else None


def _field(path: str, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 16384).decode()
    finally:
        os.close(descriptor)
