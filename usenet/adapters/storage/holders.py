"""Who has a file open on a mounted filesystem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters.storage import guards

_NUMBER = re.compile(r"^mnt_id:\s*(\d+)", re.MULTILINE)
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
    """Processes with an open file, or their working directory, on the filesystem mounted at `target`.

    No file is asked for anything: one on a server that is gone would not answer.
    """
    device = next((row.device for row in reversed(_mounts(Path("/proc/self"))) if row.target == str(target)), "")
    return tuple(sorted(_holding(device), key=lambda one: one.pid)) if device else ()


@dataclass(frozen=True, slots=True)
class _Mount:
    number: str
    device: str
    target: str


def _mounts(process: Path) -> list[_Mount]:
    """The mount table as the process sees it."""
    rows = (line.split(" ", 5) for line in (process / "mountinfo").read_text(errors="surrogateescape").splitlines())
    return [_Mount(row[0], row[2], guards.plain(row[4])) for row in rows]


def _holding(device: str) -> Iterator[Holder]:
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and (path := _on(process, device)):
                command = (process / "comm").read_text().strip()
                inside = _CONTAINER.search((process / "cgroup").read_text())
                yield Holder(int(process.name), command, inside[1] if inside else "", path)


def _on(process: Path, device: str) -> str:
    """A path that the process has open on the device, as it sees it itself; empty where none."""
    table = _mounts(process)
    mine = {row.number for row in table if row.device == device}
    if not mine:
        return ""
    directory = str((process / "cwd").readlink())
    above = [row for row in table if f"{directory}/".startswith(f"{row.target.rstrip('/')}/")]
    if above and max(above, key=lambda row: len(row.target)).device == device:
        return directory
    for one in (process / "fdinfo").iterdir():
        with suppress(OSError):
            number = _NUMBER.search(one.read_text())
            if number and number[1] in mine:
                return str((process / "fd" / one.name).readlink())
    return ""
