"""Segments that were cut off are finished: the newest first before work is accepted, what is left in between."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from usenet.recorder.errors import Busy, RecorderError
from usenet.recorder.recovery import Report, recover
from usenet.recorder.sidecar import inventory, places
from usenet.recorder.sidecar.wishes import Place, Recovering

log = logging.getLogger("usenet.recorder.recovery")

_ENDS = (inventory.LIVE, *inventory.COMPANIONS)
_RETRY, _SOON = 60.0, 5.0


class Recovery:
    """`live`: the names of segments that this process is writing; those are left alone."""

    def __init__(
        self,
        wished: tuple[Place, ...],
        wish: Recovering,
        live: Callable[[], Collection[Path]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wish, self._live, self._clock = wish, live, clock
        self._pending = dict.fromkeys(wished, 0.0)  # place → not before
        self._reports: dict[Path, Report] = {}
        self._lock = threading.Lock()
        self._found = 0

    def first(self) -> None:
        """All places, until the time for it is over; a place that is away has its turn when it is back."""
        self._round(self._clock() + self._wish.seconds)

    def again(self) -> None:
        """What is left, without hurry; nothing where nothing is."""
        if any(self._clock() >= due for due in self._pending.values()):
            self._round(None)

    def later(self, place: Place) -> None:
        """Something in this place was cut off while the process goes on."""
        self._pending.setdefault(place, self._clock() + _SOON)

    def told(self) -> dict[str, object]:
        """As JSON: how many, and each that was not simply finished."""
        reports = list(self._reports.values())
        states = {state: sum(r.state == state for r in reports) for state in ("finished", "nothing", "kept")}
        return {
            "pending": len(self._pending),
            "found": self._found,
            **states,
            "chunks_kept": sum(r.chunks_kept for r in reports),
            "chunks_dropped": sum(r.chunks_dropped for r in reports),
            "seconds_kept": round(sum(r.seconds_kept for r in reports), 3),
            "loss_upper_bound_s": round(sum(r.loss_upper_bound_s for r in reports), 3),
            "problems": [{"file": str(r.path), "why": r.reason} for r in reports if r.state == "kept"],
        }

    def _round(self, end: float | None) -> None:
        with self._lock:
            for place, due in list(self._pending.items()):
                if self._clock() < due:
                    continue
                try:
                    places.check(place)
                    done = self._place(place, end)
                except (RecorderError, OSError) as error:
                    about = {"event": "recover", "place": str(place.directory), "why": str(error)}
                    log.warning("not recovered yet", extra=about)
                    self._pending[place] = self._clock() + _RETRY
                else:
                    if done:
                        del self._pending[place]

    def _place(self, place: Place, end: float | None) -> bool:
        """True once nothing is left; at least one is done, however little time there is."""
        stems = sorted(_stems(place.directory), key=lambda stem: stem.name, reverse=True)
        self._found += len([stem for stem in stems if stem not in self._reports])
        busy = False
        for number, stem in enumerate(stems):
            if end is not None and number and self._clock() > end:
                return False
            if stem not in self._live():
                busy = not self._one(stem) or busy
        if busy:
            self._pending[place] = self._clock() + _RETRY
        return not busy

    def _one(self, stem: Path) -> bool:
        """False while somebody else writes it."""
        try:
            report = recover(stem, policy=self._wish.policy)
        except Busy:
            log.warning("another recorder writes it", extra={"event": "recover", "file": str(stem)})
            return False
        except RecorderError as error:
            report = Report(stem, None, "kept", error.message)
        self._reports[stem] = report
        log.info(
            "recovered",
            extra={
                "event": "recover",
                "file": str(stem),
                "state": report.state,
                "why": report.reason,
                "seconds": round(report.seconds_kept, 3),
                "dropped": report.chunks_dropped,
                "ms": round(report.ms, 1),
            },
        )
        return True


def _stems(directory: Path) -> Iterator[Path]:
    """`X.mp4` of everything unfinished below a place, each once. Directories of cameras that are gone count too."""
    for camera in inventory.directories(directory):
        ends = (Path(entry.path) for entry in os.scandir(camera) if entry.name.endswith(_ENDS))
        yield from {path.with_suffix("") for path in ends if inventory.NAME.fullmatch(path.stem)}
