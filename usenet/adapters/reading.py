"""What a small file says, such as those in which the kernel tells one thing each."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str:
    """The file without blanks and the NUL that ends device tree strings; empty when it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \t\r\n")
    except OSError:
        return ""


def number(*paths: Path) -> int | None:
    """The whole number of the first file that holds one."""
    return next((int(said) for path in paths if (said := text(path)).isdecimal()), None)
