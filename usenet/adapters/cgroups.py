"""Memory and processor time of containers, read from cgroup files (versions 1 and 2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

ROOT = "/sys/fs/cgroup"
_HEX = frozenset("0123456789abcdef")


class Usage(NamedTuple):
    """`memory` in bytes without the page cache that can be dropped; `cpu` in seconds since the container's start."""

    memory: int
    cpu: float


def usage(container: str, root: str = ROOT) -> Usage | None:
    """What one container uses now; None where its cgroup is not found (stopped, or a layout unknown to us)."""
    for place in _unified(container, root):
        if (current := _number(f"{place}/memory.current")) is not None:
            cache = _field(_read(f"{place}/memory.stat"), "inactive_file")
            return Usage(max(current - cache, 0), _field(_read(f"{place}/cpu.stat"), "usage_usec") / 1e6)
    for place in _first_version(container):
        current = _number(f"{root}/memory/{place}/memory.usage_in_bytes")
        time = _cpuacct(place, root)
        if current is not None and time is not None:
            cache = _field(_read(f"{root}/memory/{place}/memory.stat"), "total_inactive_file")
            return Usage(max(current - cache, 0), time / 1e9)
    return None


def processors(root: str = ROOT) -> dict[str, float]:
    """Container → seconds of processor time, for all that the engine runs: it need not have said yet which are ours."""
    found = {}
    for slice_ in ("system.slice", "docker"):
        for container, name in _containers(f"{root}/{slice_}"):
            if stat := _read(f"{root}/{slice_}/{name}/cpu.stat"):
                found[container] = _field(stat, "usage_usec") / 1e6
        for controller in ("cpuacct", "cpu,cpuacct"):
            for container, name in _containers(f"{root}/{controller}/{slice_}"):
                if (time := _number(f"{root}/{controller}/{slice_}/{name}/cpuacct.usage")) is not None:
                    found[container] = time / 1e9
    return found


def _containers(place: str) -> Iterator[tuple[str, str]]:
    """The containers that have a group below `place`, each with the name of that."""
    try:
        names = os.listdir(place)  # noqa: PTH208 - pathlib costs more
    except OSError:
        return
    for name in names:
        container = name.removeprefix("docker-").removesuffix(".scope")
        if _HEX.issuperset(container):
            yield container, name


def _unified(container: str, root: str) -> tuple[str, ...]:
    return f"{root}/system.slice/docker-{container}.scope", f"{root}/docker/{container}"


def _first_version(container: str) -> tuple[str, ...]:
    return f"docker/{container}", f"system.slice/docker-{container}.scope"


def _cpuacct(place: str, root: str) -> int | None:
    return _first(f"{root}/cpuacct/{place}/cpuacct.usage", f"{root}/cpu,cpuacct/{place}/cpuacct.usage")


def _first(*paths: str) -> int | None:
    return next((value for path in paths if (value := _number(path)) is not None), None)


def _number(path: str) -> int | None:
    text = _read(path)
    return int(text) if text.strip().isdecimal() else None


def _field(text: str, name: str) -> int:
    _, found, rest = f"\n{text}".partition(f"\n{name} ")
    value = rest.partition("\n")[0]
    return int(value) if found and value.isdecimal() else 0


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 16384).decode()
    except OSError:  # the container ended at this moment
        return ""
    finally:
        os.close(descriptor)
