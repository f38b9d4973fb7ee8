"""Who has a file open on a mounted filesystem."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters.storage import guards

_NUMBER = re.compile(r"^mnt_id:\s*(\d+)", re.MULTILINE)
_INODE = re.compile(r"^ino:\s*(\d+)", re.MULTILINE)
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

    Of a directory that is bound there, only what lies in it counts, by whichever mount it was opened. No file is asked
    for anything: one on a server that is gone would not answer.
    """
    there = next((row for row in reversed(_mounts(Path("/proc/self"))) if row.target == str(target)), None)
    return tuple(sorted(_holding(there), key=lambda one: one.pid)) if there else ()


def has_open(file: os.stat_result) -> bool:
    """Whether another process has this file open; before Linux 5.14, any file of its filesystem. None is asked here."""
    device = f"{os.major(file.st_dev)}:{os.minor(file.st_dev)}"
    numbers: dict[str, set[str]] = {}  # by the name of a mount namespace
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if not process.name.isdecimal() or int(process.name) == os.getpid():
                continue
            space = str((process / "ns" / "mnt").readlink())
            if space not in numbers:
                numbers[space] = {row.number for row in _mounts(process) if row.device == device}
            if numbers[space] and any(_is(one, numbers[space], file.st_ino) for one in (process / "fdinfo").iterdir()):
                return True
    return False


def _is(one: Path, mounts: set[str], inode: int) -> bool:
    """Whether an open file, by its fdinfo, is that of a filesystem with these mounts."""
    with suppress(OSError):
        told = one.read_text()
        number, its = _NUMBER.search(told), _INODE.search(told)
        return bool(number and number[1] in mounts and (not its or int(its[1]) == inode))
    return False


@dataclass(frozen=True, slots=True)
class _Mount:
    """`root`: the directory of its filesystem that is seen at `target`."""

    number: str
    device: str
    root: str
    target: str

    def inside(self, path: str) -> str:
        """Where on the filesystem a path lies that is reached by this mount."""
        return f"{self.root.rstrip('/')}/{path.removeprefix(self.target).lstrip('/')}"

    def shows(self, other: _Mount, path: str) -> bool:
        """Whether a path that was reached by the mount `other` can be seen by this one."""
        return other.device == self.device and f"{other.inside(path)}/".startswith(f"{self.root.rstrip('/')}/")


def _mounts(process: Path) -> list[_Mount]:
    """The mount table as the process sees it."""
    rows = (line.split(" ", 5) for line in (process / "mountinfo").read_text(errors="surrogateescape").splitlines())
    return [_Mount(row[0], row[2], guards.plain(row[3]), guards.plain(row[4])) for row in rows]


def _holding(there: _Mount) -> Iterator[Holder]:
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and (path := _on(process, there)):
                command = (process / "comm").read_text().strip()
                inside = _CONTAINER.search((process / "cgroup").read_text())
                yield Holder(int(process.name), command, inside[1] if inside else "", path)


def _on(process: Path, there: _Mount) -> str:
    """A path that the process has open there, as it sees it itself; empty where none."""
    table = _mounts(process)
    mine = {row.number: row for row in table if row.device == there.device}
    if not mine:
        return ""
    directory = str((process / "cwd").readlink())
    above = [row for row in table if f"{directory}/".startswith(f"{row.target.rstrip('/')}/")]
    if above and there.shows(max(above, key=lambda row: len(row.target)), directory):
        return directory
    for one in (process / "fdinfo").iterdir():
        with suppress(OSError):
            number = _NUMBER.search(one.read_text())
            if number and number[1] in mine:
                path = str((process / "fd" / one.name).readlink())
                if there.shows(mine[number[1]], path):
                    return path
    return ""
