"""The recordings that lie in a place: found by name, proven by content, told with their true length."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from usenet.recorder import head
from usenet.recorder.errors import Damaged
from usenet.recorder.sidecar import protect
from usenet.recorder.sidecar.budget import Held
from usenet.recorder.sidecar.wishes import CAMERA

NAME = re.compile(r"(\d{8}T\d{6}\.\d{3}Z)(-\d+)?\.mp4")
LIVE = ".part"
COMPANIONS = (".index", ".commit")
_SEARCHED = 4 << 20  # the guard of a segment whose tables lie at the end


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
        end = None if self.seconds is None else self.began + timedelta(seconds=self.seconds)
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


def recordings(directory: Path) -> Iterator[Recording]:
    """Those of every camera below a place, the newest first. What else lies there is passed over."""
    for camera, path in _found(directory):
        with suppress(FileNotFoundError):  # finished or deleted meanwhile: the next look shows it
            yield describe(camera, path)


def of(camera: Path) -> Iterator[Recording]:
    """Those in the directory of one camera, the newest first."""
    for path in sorted(camera.iterdir(), reverse=True):
        if NAME.fullmatch(path.name.removesuffix(LIVE)) and _is_file(path):
            with suppress(FileNotFoundError):
                yield describe(camera.name, path)


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


def held(directory: Path) -> Iterator[Held]:
    """What counts against the budget, and what each could be deleted for. What can't be looked at is not ours."""
    for _, path in _found(directory):
        with suppress(FileNotFoundError):
            live = path.name.endswith(LIVE)
            size = _allocated(path) + sum(map(_allocated, companions(path)))
            yield Held(
                path=path,
                began=path.name[:19],
                bytes=size,
                finished=not live,
                protected=protect.reason(path) is not None,
                ours=live or _ours(path, path.stat().st_mtime_ns),
            )


def is_ours(path: Path) -> bool:
    """Whether a finished file has the name and the beginning of a segment that this program wrote."""
    try:
        return bool(NAME.fullmatch(path.name)) and _is_file(path) and _ours(path, path.stat().st_mtime_ns)
    except OSError:
        return False


def companions(path: Path) -> list[Path]:
    """The files that may lie beside a recording while it is not finished."""
    return [path.with_name(path.name.removesuffix(LIVE) + suffix) for suffix in COMPANIONS]


def _found(directory: Path) -> Iterator[tuple[str, Path]]:
    """Every file with a recording's name, the newest first."""
    found = [
        (camera.name, Path(entry.path))
        for camera in directories(directory)
        for entry in os.scandir(camera)
        if NAME.fullmatch(entry.name.removesuffix(LIVE)) and entry.is_file(follow_symlinks=False)
    ]
    yield from sorted(found, key=lambda one: (one[1].name, one[0]), reverse=True)


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


def _allocated(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0


@lru_cache(maxsize=65536)
def _ours(path: Path, changed: int) -> bool:  # noqa: ARG001 - part of what is remembered
    """`changed`: a file that was written since is looked at anew."""
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
