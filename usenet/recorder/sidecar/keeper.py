"""One place of recordings: whether it may be written to now, and the room that is made in it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.recorder.errors import Full, RecorderError
from usenet.recorder.sidecar import inventory, places, protect
from usenet.recorder.sidecar.budget import Decision, Held, Room, decide
from usenet.recorder.sidecar.inventory import Proof
from usenet.recorder.sidecar.places import WrongDrive
from usenet.recorder.sidecar.wishes import Budget, Place

log = logging.getLogger("usenet.recorder.budget")

Uploaded = Callable[[Path], bool]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the last look at a place found. `error` is empty where it may be written to."""

    error: str = ""
    verdict: str = "unknown"
    used: int = 0
    total: int = 0
    free: int = 0
    protected: int = 0
    recordings: int = 0
    evicted: int = 0
    evicted_bytes: int = 0


class Keeper:
    """Looks at its place when asked; threads may ask at the same time. What it knows is in `sight`, without a look."""

    def __init__(self, place: Place, budget: Budget, uploaded: Uploaded) -> None:
        self.place, self._budget, self._uploaded = place, budget, uploaded
        self.sight = Sight()
        self._lock = threading.Lock()
        self._proven: dict[str, Proof] = {}

    def directory(self, camera: str) -> Path:
        """Where a new segment of this camera may begin. WrongDrive, Full, or OSError where it may not."""
        with self._lock:
            try:
                directory = places.ready(self.place, camera)
                decision = self._look()
            except (RecorderError, OSError) as error:
                self._problem(error)
                raise
        if decision.verdict != "go":
            raise Full(decision.because, hint="delete or move recordings, or set a larger budget")
        return directory

    def look(self) -> str:
        """The verdict now, after what had to go is gone: go, refuse, stop, or away."""
        with self._lock:
            try:
                places.check(self.place)
                return self._look().verdict
            except (RecorderError, OSError) as error:
                self._problem(error)
                return "away"

    def _look(self) -> Decision:
        held, self._proven = inventory.held(self.place.directory, self._proven)
        found = [one._replace(uploaded=True) if self._copied(one) else one for one in held]
        decision = decide(self._budget, found, self._room(), right_drive=True)
        sizes = {one.path: one.bytes for one in found}
        gone = [path for path in decision.evict if self._delete(Path(path), decision.because)]
        freed = sum(sizes[path] for path in gone)
        if len(gone) < len(decision.evict) and decision.verdict == "go":
            why = f"{decision.because}; what was to be deleted could not be"
            decision = replace(decision, verdict="refuse", because=why)
        self._see(decision, found, len(gone), freed)
        return decision

    def _copied(self, one: Held) -> bool:
        return self._budget.uploaded_first and one.finished and self._uploaded(Path(one.path))

    def _room(self) -> Room:
        ground = next(one for one in (self.place.directory, *self.place.directory.parents) if one.exists())
        about = os.statvfs(ground)
        return Room(about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize)

    def _delete(self, path: Path, because: str) -> bool:
        """Delete one recording for room; everything that must hold is asked once more, of the drive itself."""
        try:
            places.check(self.place)
            if protect.reason(path) is not None or not inventory.is_ours(path):
                return False
            if self._budget.uploaded_first and not self._uploaded(path):
                return False
            path.unlink()
        except (WrongDrive, OSError) as error:
            why = {"event": "evict", "file": str(path), "why": str(error)}
            log.warning("a recording could not be deleted", extra=why)
            return False
        for beside in inventory.companions(path):  # an upload's journal goes when the upload was given up
            with suppress(OSError):
                beside.unlink()
        log.info("deleted for room", extra={"event": "evict", "file": str(path), "because": because})
        return True

    def _see(self, decision: Decision, found: list[Held], gone: int, freed: int) -> None:
        room, old = self._room(), self.sight
        error = "" if decision.verdict == "go" else decision.because
        if error and not old.error:
            log.warning("no new segment begins", extra={"event": "budget", "why": error})
        self.sight = Sight(
            error=error,
            verdict=decision.verdict,
            used=sum(one.bytes for one in found if one.ours) - freed,
            total=room.total,
            free=room.free,
            protected=sum(one.protected for one in found),
            recordings=sum(one.ours for one in found) - gone,
            evicted=old.evicted + gone,
            evicted_bytes=old.evicted_bytes + freed,
        )

    def _problem(self, error: Exception) -> None:
        problem = error.message if isinstance(error, RecorderError) else f"the drive answered: {error}"
        if problem != self.sight.error:
            log.warning("a place can't be written to", extra={"event": "place", "why": problem})
        self.sight = replace(self.sight, error=problem, verdict="away")
