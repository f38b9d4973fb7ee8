"""The marker on a drive, read without waiting for a drive that does not answer.

A drive is anybody's: what is a link, a pipe or a directory of that name there leads nowhere and holds nobody up.
"""

from __future__ import annotations

import time
from pathlib import Path

from usenet.adapters import beneath, shell
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.marker import FILE, Marker, read

PATIENCE = 3.0


def look(root: Path, patience: float | None = None) -> tuple[Marker | None, bool | None]:
    """The marker in a mounted directory, and whether the directory can be read at all; None for that where there was
    no answer within so many seconds. One that this user may not read can be read by others.
    """
    end = time.monotonic() + (PATIENCE if patience is None else patience)
    try:
        # Another process reads, so that a drive that hangs stops that one and not us.
        ask = ("dd", f"if={root / FILE}", "iflag=nofollow,nonblock", "bs=4096", "count=1", "status=none")
        done = shell.run(ask, timeout=end - time.monotonic())
    except SystemFailure:
        return None, None
    return (read(done.out), True) if done.ok else (None, _answers(root, end))


def _answers(root: Path, end: float) -> bool | None:
    try:
        done = shell.run(("ls", "-U", "--", str(root)), timeout=max(end - time.monotonic(), 0))
    except SystemFailure:
        return None
    return done.ok or closed(done)


def closed(done: shell.Done) -> bool:
    """Whether a program failed only because this user may not look."""
    return not done.ok and done.err.strip().endswith(("Permission denied", "Operation not permitted"))


def remove(root: Path) -> None:
    """Remove the marker, where there is one. SystemFailure when the drive is read-only or dead."""
    shell.checked(("rm", "-f", "--", str(root / FILE)), timeout=PATIENCE)


def write(root: Path, text: str) -> None:
    """Write the marker, in place of what has its name. SystemFailure when the drive is full, read-only or dead."""
    beneath.write(root, FILE, text.encode())
