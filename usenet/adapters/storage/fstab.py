"""Our lines in fstab: between two marks, the rest of the file untouched."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usenet.adapters import files, shell
from usenet.adapters.refusals import in_words
from usenet.adapters.storage import guards
from usenet.domain.errors import SystemFailure

PATH = Path("/etc/fstab")
SYSTEMD = Path("/run/systemd/system")
LOCK = Path("/run/usenet/fstab.lock")
PATIENCE = 30.0


def lines(stack: str, path: Path = PATH) -> tuple[str, ...]:
    """The mounts of a stack that are there."""
    inside = _parted(_read(path), stack)[1]
    return tuple(line for line in inside if line and not line.startswith("#"))


def mountpoints(path: Path = PATH) -> frozenset[str]:
    """Where a start of the machine mounts something, by whosever lines."""
    rows = (line.split() for line in _read(path) if not line.lstrip().startswith("#"))
    return frozenset(guards.plain(row[1]) for row in rows if len(row) > 1 and row[1].startswith("/"))


def write(stack: str, wanted: tuple[str, ...], path: Path = PATH) -> None:
    """Let `wanted` be the mounts of a stack, in place of those that were there; systemd is told. SystemFailure."""
    with _alone(path):
        before, _, after = _parted(_read(path), stack)
        first, last = _marks(stack)
        ours = [first, *wanted, last] if wanted else []
        text = "".join(f"{line}\n" for line in (*before, *ours, *after))
        files.write(path, text.encode(errors="surrogateescape"))
    if SYSTEMD.is_dir():
        shell.checked(("systemctl", "daemon-reload"), timeout=60)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two stacks of one machine write the same file, and each has a lock only of its own.

    Nobody but root can open this one: who could, could hold up every verb that changes drives.
    """
    with in_words(LOCK, 0):
        LOCK.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            if time.monotonic() >= end:
                raise SystemFailure(
                    f"another stack has been writing {path} for {PATIENCE:.0f} s, so nothing was written",
                    hint=f"see who: fuser -v {LOCK}; when it is done, run the same again",
                ) from held
            time.sleep(0.05)
        else:
            return


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
