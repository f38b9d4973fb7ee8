"""What was asked for over HTTP and is still to be recorded: remembered, so that a restart goes on with it."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

log = logging.getLogger("usenet.recorder.asked")

NAME = "asked.json"
LONGEST = 86_400.0  # seconds: nobody may ask for more at once


class Wish(NamedTuple):
    """`until`: seconds UTC since 1970; `seconds`: how long it was to be when it was asked for. None: without an end."""

    until: float | None = None
    seconds: float | None = None

    def left(self, now: float) -> float | None:
        """Seconds; 0 or less: it is over. Never more than was asked for, however far a clock was set back."""
        if self.until is None or self.seconds is None:
            return None
        return min(self.until - now, self.seconds, LONGEST)


class Asked:
    """Camera → Wish, in the file `path`; on the drive when `remember` and `forget` return.

    A file that can't be read or written costs the memory and no recording: the log says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = dict(_read(path))

    def now(self) -> dict[str, Wish]:
        with self._lock:
            return dict(self._known)

    def remember(self, camera: str, wish: Wish) -> None:
        with self._lock:
            self._known[camera] = wish
            self._write("a restart will not go on with what is asked for now")

    def forget(self, camera: str) -> None:
        with self._lock:
            if self._known.pop(camera, None) is not None and not self._write("what was stopped can't be struck out"):
                with suppress(OSError):  # there is room for that on a full drive
                    self._path.unlink()

    def _write(self, otherwise: str) -> bool:
        told = {camera: wish._asdict() for camera, wish in self._known.items()}
        try:
            _replace(self._path, (json.dumps({"version": 1, "cameras": told}, indent=2) + "\n").encode())
        except OSError as error:
            log.error(otherwise, extra={"event": "asked", "why": f"{self._path}: {error.strerror}"})
            return False
        return True


def _read(path: Path) -> Iterator[tuple[str, Wish]]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["cameras"]
        for camera, wish in told.items():
            yield camera, Wish(_number(wish["until"]), _number(wish["seconds"]))
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"{path}: {error.strerror if isinstance(error, OSError) else 'it is not as it was written'}"
        log.error("what was asked for before can't be read", extra={"event": "asked", "why": why})


def _number(told: Any) -> float | None:
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        raise ValueError
    return float(told)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        beside.unlink()  # another account may have left it
    with beside.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    with suppress(OSError):  # not every filesystem can
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
