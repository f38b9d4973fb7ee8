"""Our lines in fstab: between two marks, the rest of the file untouched."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usenet.adapters import files, shell
from usenet.domain.errors import SystemFailure

PATH = Path("/etc/fstab")
SYSTEMD = Path("/run/systemd/system")


def lines(stack: str, path: Path = PATH) -> tuple[str, ...]:
    """The mounts of a stack that are there."""
    inside = _parted(_read(path), stack)[1]
    return tuple(line for line in inside if line and not line.startswith("#"))


def write(stack: str, wanted: tuple[str, ...], path: Path = PATH) -> None:
    """Let `wanted` be the mounts of a stack, in place of those that were there; systemd is told."""
    with _alone(path.parent):
        before, _, after = _parted(_read(path), stack)
        first, last = _marks(stack)
        ours = [first, *wanted, last] if wanted else []
        text = "".join(f"{line}\n" for line in (*before, *ours, *after))
        files.write(path, text.encode(errors="surrogateescape"))
    if SYSTEMD.is_dir():
        shell.checked(("systemctl", "daemon-reload"), timeout=60)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two stacks of one machine write the same file, and each has a lock only of its own."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> list[str]:
    """Its lines, whatever else than text is in them."""
    try:
        text = path.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return []
    except OSError as failure:
        raise SystemFailure(f"{path} can't be read: {failure}", hint=f"look at: ls -l {path}") from failure
    return text.removesuffix("\n").split("\n") if text else []


def _marks(stack: str) -> tuple[str, str]:
    return f"# usenet {stack}: written by usenet storage, between here", f"# usenet {stack}: and here"


def _parted(all_: list[str], stack: str) -> tuple[list[str], list[str], list[str]]:
    first, last = _marks(stack)
    if first not in all_:
        return all_, [], []
    begin = all_.index(first)
    if last not in all_[begin:]:
        raise SystemFailure(
            f"the line is missing that ends our part: {last}",
            where=f"{PATH}:{begin + 1}",
            hint="put it back after the last of our mounts",
        )
    end = all_.index(last, begin)
    return all_[:begin], all_[begin + 1 : end], all_[end + 1 :]
