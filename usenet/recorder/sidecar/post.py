"""One camera as the sidecar sees it: asked to record or not, and what its feed tells meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from usenet.recorder.errors import RecorderError
from usenet.recorder.sidecar import inventory
from usenet.recorder.sidecar.answers import Refused
from usenet.recorder.sidecar.wishes import Camera

log = logging.getLogger("usenet.recorder.camera")

PATIENCE = 20.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a feed knows of itself now; cheap, and never asks the drive.

    `held`: why nothing may be written; `problem`: why nothing comes from the camera.
    """

    connected: bool = False
    segment: str = ""
    held: str = ""
    problem: str = ""
    bytes: int = 0
    frames: int = 0
    fps: float = 0.0
    codecs: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    gaps: int = 0
    gap_s: float = 0.0
    reconnects: int = 0
    drops: int = 0
    waiting_bytes: int = 0
    durable_lag_s: float = 0.0
    reserve_left: float = 1.0


class Feed(Protocol):
    """From one source into segments, in threads of its own, until it is stopped."""

    def start(self) -> None: ...

    def stop(self) -> list[Path]:
        """The finished files of this feed, once they are finished."""

    def rotate(self) -> None:
        """The next key frame begins a new segment."""

    @property
    def report(self) -> Report: ...


class Post:
    """Begins and ends the feed of one camera; two who ask at the same time get one after the other."""

    def __init__(
        self, camera: Camera, feed: Callable[[Camera], Feed], over: Callable[[str], None] = lambda _: None
    ) -> None:
        """`over` hears the camera's name when its time was up."""
        self.camera, self._new, self._told_over = camera, feed, over
        self._lock = threading.Lock()
        self._feed: Feed | None = None
        self._timer: threading.Timer | None = None
        self._since = 0.0
        self._until: float | None = None
        self._why = ""
        self._before = Report()

    @property
    def recording(self) -> bool:
        """Whether it is asked to record; a camera that is away is, too."""
        return self._feed is not None

    @property
    def report(self) -> Report:
        """Of the feed; of the last one where there is none now."""
        feed = self._feed
        return feed.report if feed else self._before

    def start(self, seconds: float | None) -> dict[str, object]:
        """Begin, and stop by itself after `seconds`. Refused while it records."""
        with self._alone():
            if self._feed:
                raise Refused(
                    409, "recording", f"{self.camera.name} records already", hint="stop it first, or let it be"
                )
            feed = self._new(self.camera)
            feed.start()
            self._feed, self._since, self._why = feed, time.time(), ""
            self._until = self._since + seconds if seconds else None
            if seconds:
                self._timer = threading.Timer(seconds, self._over, (feed,))
                self._timer.daemon = True
                self._timer.start()
        log.info("recording was asked for", extra={"event": "start", "camera": self.camera.name})
        return self.told()

    def stop(self, why: str = "") -> dict[str, object]:
        """Finish what is recorded; the answer is what the finished files say. Refused while it does not record."""
        with self._alone():
            return self._stop(why)

    def rotate(self) -> dict[str, object]:
        with self._alone():
            if not self._feed:
                raise self._idle()
            self._feed.rotate()
        return self.told()

    def told(self) -> dict[str, object]:
        """As JSON, from memory alone."""
        report, asked = self.report, self.recording
        return {
            "name": self.camera.name,
            "title": self.camera.title,
            "state": _state(report) if asked else "idle",
            "connected": asked and report.connected,
            "segment": report.segment or None,
            "since": inventory.iso_of(self._since) if asked else None,
            "until": inventory.iso_of(self._until) if asked and self._until else None,
            "problem": ((report.held or report.problem) if asked else self._why) or None,
            "bytes": report.bytes,
            "frames": report.frames,
            "fps": round(report.fps, 2),
            "codecs": list(report.codecs),
            "width": report.width,
            "height": report.height,
            "gaps": report.gaps,
            "gap_s": round(report.gap_s, 3),
            "reconnects": report.reconnects,
            "drops": report.drops,
            "waiting_bytes": report.waiting_bytes,
            "durable_lag_s": round(report.durable_lag_s, 3),
            "reserve_left": round(report.reserve_left, 3),
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time; who waits behind a drive that hangs is told so instead of waiting for ever."""
        if not self._lock.acquire(timeout=PATIENCE):
            raise Refused(503, "busy", f"{self.camera.name} is still being finished", hint="ask again later")
        try:
            yield
        finally:
            self._lock.release()

    def _over(self, feed: Feed) -> None:
        """The time is up, unless somebody stopped this feed before."""
        ours = False
        try:
            with self._lock:
                ours = self._feed is feed
                if ours:
                    self._stop("")
        finally:
            if ours:
                self._told_over(self.camera.name)

    def _stop(self, why: str) -> dict[str, object]:
        if not self._feed:
            raise self._idle()
        if self._timer:
            self._timer.cancel()
        feed = self._feed
        try:
            finished = feed.stop()
        finally:
            self._before, self._feed, self._timer, self._why = feed.report, None, None, why
        files = [inventory.describe(self.camera.name, path).told() for path in finished if path.exists()]
        names = ", ".join(path.name for path in finished)
        log.info("stopped", extra={"event": "stop", "camera": self.camera.name, "files": names, "why": why})
        return {"name": self.camera.name, "state": "idle", "files": files, "reason": why or None}

    def _idle(self) -> RecorderError:
        return Refused(409, "idle", f"{self.camera.name} does not record", hint="start it first")


def _state(report: Report) -> str:
    """held: it may not be written now; away: the camera does not answer, whatever is still open; else as it is."""
    if report.held:
        return "held"
    return "away" if report.problem else "recording" if report.segment else "connecting"
