"""The recordings that lie in a place: found by name, proven by content, told with their true length."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from usenet.recorder import head
from usenet.recorder.errors import Damaged
from usenet.recorder.sidecar import protect
from usenet.recorder.sidecar.budget import Held
from usenet.recorder.sidecar.wishes import CAMERA
from usenet.recorder.traces import TIMED

NAME = TIMED
LIVE = ".part"
COMPANIONS = (".index", ".commit")
_SEARCHED = 4 << 20  # the guard of a segment whose tables lie at the end


class Proof(NamedTuple):
    """Whether a file was found to be ours, when it was last changed at this time."""

    changed: int
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file of a camera. `seconds` is None while it is being recorded, and where the file does not tell."""

    camera: str
    name: str
    path: Path
    began: datetime
    bytes: int
    live: bool
    seconds: float | None
    protected: str | None

    def told(self) -> dict[str, object]:
        """As JSON. Times are UTC."""
        end = None if self.seconds is None else self.began + timedelta(seconds=round(self.seconds, 3))
        return {
            "camera": self.camera,
            "name": self.name,
            "start": iso(self.began),
            "end": iso(end) if end else None,
            "duration": None if self.seconds is None else round(self.seconds, 3),
            "size": self.bytes,
            "live": self.live,
            "protected": self.protected is not None,
            "reason": self.protected,
        }


def iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_of(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))


def began(name: str) -> datetime:
    """The time of the first sample, from the file's name."""
    return datetime.strptime(name[:19], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)


def describe(camera: str, path: Path) -> Recording:
    """One recording as it is now. FileNotFoundError if it went."""
    about, live = path.stat(follow_symlinks=False), path.name.endswith(LIVE)
    name = path.name.removesuffix(LIVE)
    return Recording(
        camera=camera,
        name=name,
        path=path,
        began=began(name),
        bytes=about.st_size,
        live=live,
        seconds=None if live else _seconds(path, about.st_size, about.st_mtime_ns),
        protected=protect.reason(path),
    )


def find(directory: Path, camera: str, name: str) -> Path | None:
    """The file of a recording, finished or live. None for any name that is not one of ours, whatever it spells."""
    if not CAMERA.fullmatch(camera) or not NAME.fullmatch(name):
        return None
    for path in (directory / camera / name, directory / camera / (name + LIVE)):
        if _is_file(path) and _is_directory(path.parent):
            return path
    return None


def held(directory: Path, proven: dict[str, Proof]) -> tuple[list[Held], dict[str, Proof]]:
    """What counts against the budget, and what each could be deleted for.

    `proven`: what the last look found out about each file's beginning; a file that was not written since is not read
    again. The second result is that for the next look. One call of the kernel for each recording, for ten thousands.
    """
    found: list[Held] = []
    proofs: dict[str, Proof] = {}
    for camera in directories(directory):
        entries = {entry.name: entry for entry in os.scandir(camera)}
        for name, entry in entries.items():
            stem = name.removesuffix(LIVE)
            if NAME.fullmatch(stem) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # finished or deleted meanwhile: the next look shows it
                    found.append(_held(entry, stem, entries, proven.get(entry.path), proofs))
    return found, proofs


def _held(
    entry: os.DirEntry[str],
    stem: str,
    beside: Mapping[str, os.DirEntry[str]],
    known: Proof | None,
    proofs: dict[str, Proof],
) -> Held:
    about, live = entry.stat(follow_symlinks=False), entry.name != stem
    if not live:
        if known is None or known.changed != about.st_mtime_ns:
            known = Proof(about.st_mtime_ns, _ours(Path(entry.path)))
        proofs[entry.path] = known
    others = (beside[stem + suffix] for suffix in COMPANIONS if stem + suffix in beside)
    return Held(
        path=entry.path,
        began=stem,
        bytes=512 * (about.st_blocks + sum(one.stat(follow_symlinks=False).st_blocks for one in others)),
        finished=not live,
        protected=stem + protect.SUFFIX in beside,
        ours=live or (known is not None and known.ours),
    )


def is_ours(path: Path) -> bool:
    """Whether a finished file has the name and the beginning of a segment that this program wrote."""
    try:
        return bool(NAME.fullmatch(path.name)) and _is_file(path) and _ours(path)
    except OSError:
        return False


def companions(path: Path) -> list[Path]:
    """The files that may lie beside a recording while it is not finished."""
    return [path.with_name(path.name.removesuffix(LIVE) + suffix) for suffix in COMPANIONS]


def listed(directory: Path) -> list[tuple[str, str]]:
    """File and camera of every recording below a place, the newest first. What else lies there is passed over."""
    return sorted(
        (
            (entry.name, camera.name)
            for camera in directories(directory)
            for entry in os.scandir(camera)
            if NAME.fullmatch(entry.name.removesuffix(LIVE)) and entry.is_file(follow_symlinks=False)
        ),
        reverse=True,
    )


def stamp(when: datetime) -> str:
    """A time as the names of recordings have it, so that they compare; between two milliseconds it is the later one."""
    later = when.astimezone(UTC) + timedelta(microseconds=-when.microsecond % 1000)
    return f"{later:%Y%m%dT%H%M%S}.{later.microsecond // 1000:03}Z"


def directories(directory: Path) -> list[Path]:
    """Those of the cameras below a place."""
    try:
        entries = list(os.scandir(directory))
    except FileNotFoundError:
        return []
    return [Path(e.path) for e in entries if CAMERA.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _is_directory(path: Path) -> bool:
    return not path.is_symlink() and path.is_dir()


def _ours(path: Path) -> bool:
    """Whether a finished file begins as this program ends its files."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            life = head.life(start)
            if life == "live":
                return False
            if life == "sealed-head":
                file.seek(head.FLIP + int.from_bytes(start[head.FLIP : head.FLIP + 4], "big") - head.GUARD)
                return file.read(12)[4:] == b"freeRHD1"
            return b"freeRHD1" in start + file.read(_SEARCHED)
    except (OSError, Damaged):
        return False


@lru_cache(maxsize=65536)
def _seconds(path: Path, size: int, changed: int) -> float | None:  # noqa: ARG001 - part of what is remembered
    """The duration that the file's movie header tells; None where it tells none."""
    try:
        with path.open("rb") as file:
            at = 0
            while at < size:
                file.seek(at)
                start = file.read(16)
                length = int.from_bytes(start[:4], "big")
                length = int.from_bytes(start[8:16], "big") if length == 1 else length
                if start[4:8] == b"moov":
                    return _told(file.read(120))
                if length < 8:
                    return None
                at += length
    except OSError:
        return None
    return None


def _told(text: bytes) -> float | None:
    """From what follows the first 16 bytes of a moov: the rest of mvhd, behind its size and kind."""
    form = ">QQIQ" if text[0] == 1 else ">IIII"
    *_, scale, duration = struct.unpack_from(form, text, 4)
    return float(duration / scale) if scale else None
