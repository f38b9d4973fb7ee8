"""Whether files that no segment can be read from are ours at all: what others made is never removed."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Final

from . import commit, index
from .io import IO
from .movie import FTYP

TIMED: Final = re.compile(r"\d{8}T\d{6}\.\d{3}Z(-\d+)?\.mp4")  # as a recorder names its files by itself
_BEGINNINGS: Final = {"": FTYP, ".part": FTYP, ".index": index.MAGIC, ".commit": commit.MAGIC}


def ours(io: IO, name: str) -> bool:
    """By its name, which is the time of its first sample, or by how it, its part or a file beside it begins.

    A crash may leave nothing of a segment but empty files; other programs have such files too, and call them .part.
    """
    if TIMED.fullmatch(Path(name).name):
        return True
    return any(_begins(io, name + end, start) for end, start in _BEGINNINGS.items())


def _begins(io: IO, path: str, start: bytes) -> bool:
    with contextlib.suppress(OSError):
        handle = io.open(path, "read")
        try:
            return io.pread(handle, len(start), 0) == start
        finally:
            io.close(handle)
    return False
