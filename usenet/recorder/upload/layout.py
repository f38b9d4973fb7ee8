"""Which files under a directory are segments, what they are called in a storage, and where their head ends."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ..boxes.box import header
from ..errors import Damaged
from ..io import IO

_NAME = re.compile(r"(\d{4})(\d\d)(\d\d)T\d{6}(?:\.\d+)?Z(?:-\d+)?\.mp4")
_STORAGE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
JOURNAL = ".upload"
LIVE = ".part"
SETTLED_NS = 2_000_000_000


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


class Seen(NamedTuple):
    """Final paths (X.mp4) of what was found, as one look saw it."""

    finished: frozenset[Path] = frozenset()
    live: frozenset[Path] = frozenset()
    journals: frozenset[Path] = frozenset()  # segments, there or not, that have a journal of the storage asked for


class _Directory(NamedTuple):
    mtime_ns: int
    settled: bool  # it was read so long after it last changed that the next change will have another time
    below: tuple[str, ...]
    seen: Seen


class Tree:
    """Segments under `root`. Other people's files, and directories that cannot be read, are passed over.

    A directory whose time of change is the same as before is not read again: a look costs little however much is kept.
    """

    def __init__(self, root: Path, storage: str) -> None:
        self._root, self._own = root, f".{storage}{JOURNAL}"
        self._known: dict[str, _Directory] = {}

    def look(self) -> Seen:
        """What is there now."""
        known, waiting = {}, [str(self._root)]
        while waiting:
            directory = waiting.pop()
            with suppress(OSError):
                known[directory] = self._directory(directory)
                waiting += known[directory].below
        self._known = known
        columns = zip(*(each.seen for each in known.values()), strict=True)
        return Seen(*(frozenset[Path]().union(*column) for column in columns)) if known else Seen()

    def _directory(self, directory: str) -> _Directory:
        mtime_ns, known = os.stat(directory).st_mtime_ns, self._known.get(directory)  # noqa: PTH116
        if known and known.settled and known.mtime_ns == mtime_ns:
            return known
        with os.scandir(directory) as entries:
            kinds = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        below = tuple(f"{directory}/{name}" for name, folder in kinds if folder)
        seen = self._sorted(Path(directory), [name for name, folder in kinds if not folder])
        return _Directory(mtime_ns, time.time_ns() - mtime_ns > SETTLED_NS, below, seen)

    def _sorted(self, directory: Path, names: list[str]) -> Seen:
        finished, live, journals = (
            frozenset(
                directory / stem for name in names if name.endswith(ending) and _is(stem := name.removesuffix(ending))
            )
            for ending in ("", LIVE, self._own)
        )
        return Seen(finished, live - finished, journals)


def _is(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


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
