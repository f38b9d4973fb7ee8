"""Whether a place is the drive that it is meant to be, asked of the drive each time; nothing is made before that."""

from __future__ import annotations

import json
import os
from pathlib import Path

from usenet.recorder.errors import RecorderError
from usenet.recorder.io import Files
from usenet.recorder.sidecar.wishes import Marker, Place

_LONGEST = 64 << 10


class WrongDrive(RecorderError):
    """What lies at the place is not the drive that was meant; nothing was written to it."""

    code = 5


def check(place: Place) -> None:
    """WrongDrive unless the marker is there, is the right one, and lies on the drive that would be written to."""
    if place.marker is None:
        return
    text = _read(place.marker)
    if not _says(text, place.marker.id):
        raise WrongDrive(
            f"{place.marker.file} is the marker of another drive",
            hint=f"plug in the drive that is marked {place.marker.id}",
        )
    ground = next(one for one in (place.directory, *place.directory.parents) if one.exists())
    if ground.stat().st_dev != place.marker.file.stat().st_dev:
        raise WrongDrive(
            f"{place.directory} is not on the drive whose marker is {place.marker.file}",
            hint="set directory to one on that drive, or marker to the file of the drive that holds directory",
        )


def ready(place: Place, camera: str) -> Path:
    """The directory of a camera's segments, made where it is missing. WrongDrive as `check`; OSError of the drive."""
    check(place)
    directory = place.directory / camera
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        Files().syncdir(str(place.directory))  # a file is durable only in a directory that is
    return directory


def _read(marker: Marker) -> str:
    try:
        handle = os.open(marker.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            return os.read(handle, _LONGEST).decode(errors="replace")
        finally:
            os.close(handle)
    except OSError as error:
        raise WrongDrive(
            f"the drive is away: its marker {marker.file} is not there ({error.strerror})",
            hint="plug it in and mount it; recording goes on by itself",
        ) from error


def _says(text: str, wanted: str) -> bool:
    try:
        told = json.loads(text)
    except ValueError:
        return text.strip() == wanted
    values = told.values() if isinstance(told, dict) else (told,)
    return any(value == wanted for value in values)
