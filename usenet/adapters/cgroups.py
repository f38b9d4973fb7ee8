"""Memory and processor time of containers, read from cgroup files (versions 1 and 2)."""

from __future__ import annotations

import os
from collections.abc import Iterator

ROOT = "/sys/fs/cgroup"
_HEX = frozenset("0123456789abcdef")


def memory(container: str, root: str = ROOT) -> int | None:
    """Bytes that one container uses now, without the page cache that can be dropped.

    None where its cgroup is not found (stopped, or a layout unknown to us).
    """
    for place in (f"system.slice/docker-{container}.scope", f"docker/{container}"):
        for group, current, cache in (
            (f"{root}/{place}", "memory.current", "inactive_file"),
            (f"{root}/memory/{place}", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            if (used := _number(f"{group}/{current}")) is not None:
                return max(used - _field(_read(f"{group}/memory.stat"), cache), 0)
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
