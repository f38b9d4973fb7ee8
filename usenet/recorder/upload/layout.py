"""Which files under a directory are segments, what they are called in a storage, and where their head ends."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..boxes.box import header
from ..errors import Damaged
from ..io import IO

_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)T\d{6}(?:\.\d+)?Z(?:-\d+)?\.mp4")
_STORAGE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
JOURNAL = ".upload"
LIVE = ".part"


def storage_name(name: str) -> str:
    """`name` if it can be part of a journal's name: small letters, digits and hyphens. Else ValueError."""
    if not _STORAGE.fullmatch(name):
        raise ValueError(f"a storage's name has small letters, digits and hyphens, not {name!r}")
    return name


def journal_of(path: Path, storage: str) -> Path:
    """Where the copy of X.mp4 to this storage is written down."""
    return path.with_name(f"{path.name}.{storage}{JOURNAL}")


def key_of(path: Path, root: Path, prefix: str) -> str:
    """<prefix>/<camera>/<year>/<month>/<day>/<name>, the camera being the directories below `root`; dates are UTC."""
    day = _NAME.fullmatch(path.name)
    if day is None:
        raise ValueError(f"not the name of a segment: {path.name}")
    camera = path.parent.relative_to(root).parts
    return PurePosixPath(prefix.strip("/"), *camera, *day.groups(), path.name).as_posix().lstrip("/")


@dataclass(frozen=True, slots=True)
class Files:
    """Final paths (X.mp4) of what was found under a directory, as one look saw it."""

    finished: frozenset[Path]
    live: frozenset[Path]
    journals: frozenset[Path]  # segments that have a journal of the storage asked for, there or not


def look(root: Path, storage: str) -> Files:
    """All segments under `root`. Other people's files, and directories that cannot be read, are passed over."""
    found: dict[str, set[Path]] = {".mp4": set(), LIVE: set(), JOURNAL: set()}
    own = f".{storage}{JOURNAL}"
    for directory, name in _walk(root):
        for suffix, ending in ((".mp4", ""), (LIVE, LIVE), (JOURNAL, own)):
            if name.endswith(ending) and _NAME.fullmatch(name.removesuffix(ending)):
                found[suffix].add(Path(directory, name.removesuffix(ending)))
    finished = frozenset(found[".mp4"])
    return Files(finished, frozenset(found[LIVE]) - finished, frozenset(found[JOURNAL]))


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    for directory, _, names in os.walk(root):
        for name in names:
            yield directory, name


def head_of(io: IO, part: str) -> int | None:
    """How many bytes at the start of a live segment will be written again when it ends; None if it is not live.

    What follows them is only ever added to. A crash can take some of its end back; who sends it early checks it later.
    """
    handle = io.open(part, "read")
    try:
        size, at = io.size(handle), 0
        for kind in (b"ftyp", b"moov", b"free"):
            each = header(io.pread(handle, 16, at), 0, size - at)
            if each.kind != kind:
                return None
            at += each.end
        return at
    except Damaged:
        return None
    finally:
        io.close(handle)
