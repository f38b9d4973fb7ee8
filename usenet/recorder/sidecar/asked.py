"""What was asked for over HTTP and is still to be recorded: remembered, so that a restart goes on with it."""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("usenet.recorder.asked")

NAME = "asked.json"


class Asked:
    """Camera → seconds UTC since 1970 when it ends, None without an end; in a file, `path`, that is durable when told.

    A file that can't be read or written costs the memory and no recording: the log says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known = self._read()

    def now(self) -> dict[str, float | None]:
        with self._lock:
            return dict(self._known)

    def remember(self, camera: str, until: float | None) -> None:
        with self._lock:
            self._known[camera] = until
            self._write()

    def forget(self, camera: str) -> None:
        with self._lock:
            if camera in self._known:
                del self._known[camera]
                self._write()

    def _read(self) -> dict[str, float | None]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): None if until is None else float(until) for name, until in told["cameras"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("what was asked for can't be read", extra={"event": "asked", "why": f"{self._path}: {error}"})
            return {}

    def _write(self) -> None:
        text = json.dumps({"version": 1, "cameras": self._known}, indent=2) + "\n"
        try:
            _replace(self._path, text.encode())
        except OSError as error:
            why = f"{self._path}: {error.strerror}"
            log.error("a restart will not go on with what is asked for", extra={"event": "asked", "why": why})


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.write(handle, data)
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    finally:
        os.close(handle)
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
