"""The marker on a drive, read without waiting for a drive that does not answer."""

from __future__ import annotations

from pathlib import Path

from usenet.adapters import files, shell
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.marker import FILE, Marker, read

PATIENCE = 3.0


def look(root: Path) -> tuple[Marker | None, bool]:
    """The marker in a mounted directory, and whether the directory answers at all."""
    try:
        # Another process reads, so that a drive that hangs stops that one and not us.
        done = shell.run(("head", "-c", "4096", "--", str(root / FILE)), timeout=PATIENCE)
    except SystemFailure:
        return None, False
    return (read(done.out), True) if done.ok else (None, _answers(root))


def _answers(root: Path) -> bool:
    try:
        return shell.run(("ls", "-U", "--", str(root)), timeout=PATIENCE).ok
    except SystemFailure:
        return False


def remove(root: Path) -> None:
    """Remove the marker, where there is one. SystemFailure when the drive is read-only or dead."""
    shell.checked(("rm", "-f", "--", str(root / FILE)), timeout=PATIENCE)


def write(root: Path, text: str) -> None:
    """Write the marker. SystemFailure when the drive is full, read-only or dead."""
    files.write(root / FILE, text, mode=0o644)
