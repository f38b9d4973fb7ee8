"""Who has a file open on a mounted filesystem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CONTAINER = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Holder:
    """One process. `container` is the engine's id, empty for the machine itself; `path` is one of its files."""

    pid: int
    command: str
    container: str
    path: str

    def __str__(self) -> str:
        inside = f" in container {self.container[:12]}" if self.container else ""
        return f"{self.command} ({self.pid}){inside}: {self.path}"


def of(target: Path) -> tuple[Holder, ...]:
    """Processes with an open file, or their working directory, on the filesystem mounted at `target`."""
    try:
        device = target.stat().st_dev
    except OSError:
        return ()
    return tuple(sorted(_holding(device), key=lambda one: one.pid))


def _holding(device: int) -> Iterator[Holder]:
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and (path := _on(process, device)):
            with suppress(OSError):
                command = (process / "comm").read_text().strip()
                inside = _CONTAINER.search((process / "cgroup").read_text())
                yield Holder(int(process.name), command, inside[1] if inside else "", path)


def _on(process: Path, device: int) -> str:
    """A path that the process has open on the device; the device is asked of the process's own view."""
    with suppress(OSError):
        for link in (process / "cwd", *(process / "fd").iterdir()):
            with suppress(OSError):
                if link.stat().st_dev == device:
                    return str(link.readlink())
    return ""
