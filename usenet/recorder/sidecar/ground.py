"""The places as writers see them: each with its own flush coordinator, and what is being written in it."""

from __future__ import annotations

import threading
from pathlib import Path

from usenet.recorder.errors import RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.recovery import Recovery


class Living:
    """The segments that this process is writing now, by the name that each will have."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: set[Path] = set()

    def add(self, path: Path) -> None:
        with self._lock:
            self._paths.add(path)

    def discard(self, path: Path) -> None:
        with self._lock:
            self._paths.discard(path)

    def now(self) -> frozenset[Path]:
        with self._lock:
            return frozenset(self._paths)


class Ground:
    """One place: see `writing.Spot`."""

    def __init__(self, keeper: Keeper, recovery: Recovery, living: Living) -> None:
        self.keeper, self._recovery, self._living = keeper, recovery, living
        self.coordinator = Coordinator()

    def directory(self, camera: str) -> Path:
        return self.keeper.directory(camera)

    def began(self, path: Path) -> None:
        self._living.add(path)

    def ended(self, path: Path, error: RecorderError | None) -> None:
        """What broke is finished by recovery, as soon as its drive lets it."""
        self._living.discard(path)
        if error:
            self._recovery.later(self.keeper.place)
