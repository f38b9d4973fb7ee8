"""The recordings of a directory, and finishing those that were cut off."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from usenet.actions.recorder import told
from usenet.domain.errors import UsageError
from usenet.recorder.errors import Busy, RecorderError
from usenet.recorder.exporting.footage import opened, when
from usenet.recorder.io import Files
from usenet.recorder.policy import Recovery
from usenet.recorder.reader import Source
from usenet.recorder.reader.ours import find
from usenet.recorder.recovery import Report, recover
from usenet.recorder.sidecar import inventory

__all__ = ["Recovery", "Report", "Row", "finish", "is_held", "listed", "unfinished"]

State = Literal["finished", "recording", "cut off"]


@dataclass(frozen=True, slots=True)
class Row:
    """One recording as a person sees it. `seconds` is known of finished files only; `start` is UTC, "" if unknown."""

    camera: str
    name: str
    path: str
    start: str
    seconds: float | None
    bytes: int
    state: State
    protected: str


def listed(directory: Path, camera: str = "") -> list[Row]:
    """Those below a directory, or of the one camera whose directory it is, the newest first. UsageError: it is none.

    Behind those with the names of the stack's recorder come those that a person named.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory", hint="name the directory of the recordings")
    directory = directory if directory.name else directory.resolve()
    every = [
        *((directory, path.name) for path in sorted(directory.iterdir(), reverse=True) if _is_name(path.name)),
        *((directory / name, file) for file, name in inventory.listed(directory)),
    ]
    rows = [row for folder, name in every if camera in ("", folder.name) for row in _rows(folder, name)]
    with told():
        return rows + [row for path in _others(directory) if camera in ("", path.parent.name) for row in _other(path)]


def _others(directory: Path) -> list[Path]:
    """MP4 files in a directory and in those below it that have another name than the stack's recorder gives."""
    found = [path for pattern in ("*.mp4", "*.mp4.part", "*/*.mp4", "*/*.mp4.part") for path in directory.glob(pattern)]
    return sorted((path for path in found if not _is_name(path.name)), key=_changed, reverse=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # finished or deleted meanwhile
        return 0.0


def _other(path: Path) -> Iterator[Row]:
    """Nothing where it is no recording of ours."""
    camera, name = path.parent.name, path.name.removesuffix(inventory.LIVE)
    with suppress(RecorderError, FileNotFoundError, IsADirectoryError), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if name != path.name:
            yield Row(camera, name, str(path), "", None, size, "recording" if is_held(path) else "cut off", "")
            return
        find(Source(lambda offset, length: os.pread(file.fileno(), length, offset), size))
        with opened(path, Files()) as footage:
            start = when(footage.utc(footage.start)) if footage.zero_ns else ""
            seconds = float(footage.end - footage.start)
        yield Row(camera, name, str(path), start, seconds, size, "finished", "")


def _is_name(name: str) -> bool:
    return bool(inventory.NAME.fullmatch(name.removesuffix(inventory.LIVE)))


def _rows(folder: Path, name: str) -> Iterator[Row]:
    with suppress(FileNotFoundError):  # finished or deleted meanwhile
        yield _row(inventory.describe(folder.name, folder / name))


def _row(one: inventory.Recording) -> Row:
    state: State = "finished" if not one.live else "recording" if is_held(one.path) else "cut off"
    when = inventory.iso(one.began)
    return Row(one.camera, one.name, str(one.path), when, one.seconds, one.bytes, state, one.protected or "")


def is_held(path: Path) -> bool:
    """Whether somebody writes it now."""
    io = Files()
    try:
        handle = io.open(str(path), "read")
    except OSError:
        return False
    try:
        return not io.lock(handle)
    finally:
        io.close(handle)


def unfinished(places: Sequence[Path]) -> list[Path]:
    """What there is to finish in files and below directories, the newest first. UsageError for what is neither."""
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += _below(place)
        elif any(Path(f"{place}{end}").is_file() for end in ("", ".part")):
            found.append(Path(str(place).removesuffix(".part")))
        else:
            raise UsageError(
                f"{place}: there is no such file or directory", hint="list them with: usenet recorder list"
            )
    return sorted(dict.fromkeys(found), key=lambda path: path.name, reverse=True)


def _below(place: Path) -> Iterator[Path]:
    """Every segment that has a file of a live one beside it or is one."""
    for folder, _, names in os.walk(place):
        stems = (name.rpartition(".") for name in names)
        for stem in {stem for stem, _, end in stems if stem.endswith(".mp4") and end in ("part", "index", "commit")}:
            yield Path(folder) / stem


def finish(paths: Iterable[Path], *, policy: Recovery, deep: bool) -> Iterator[Report]:
    """What became of each, as it is done; one that is being written is told as "kept"."""
    for path in paths:
        with told():
            try:
                yield recover(path, policy=policy, deep=deep)
            except Busy as busy:
                yield Report(path, None, "kept", busy.message)
