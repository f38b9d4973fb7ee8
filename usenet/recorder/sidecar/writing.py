"""Where the samples of one camera go: into a recorder at the first place that may be written to, and on to the next."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from usenet.recorder.errors import BadSample, Poisoned, RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.recorder import Recorder, RecorderStatus, Rotate
from usenet.recorder.sidecar import protect
from usenet.recorder.sidecar.inventory import iso_of
from usenet.recorder.sidecar.wishes import Camera
from usenet.recorder.tracks import Movie, Sample, Track

log = logging.getLogger("usenet.recorder.camera")

AGAIN = 5.0  # seconds until a place that refused is asked again
_TOLD = 1000  # finished files that `close` tells
AVOID = 60.0  # seconds that a drive which failed is left alone where there is another one


class Spot(Protocol):
    """A place as the writer needs it."""

    coordinator: Coordinator

    def directory(self, camera: str) -> Path: ...

    def began(self, path: Path) -> None: ...

    def ended(self, path: Path, error: RecorderError | None) -> None: ...


class _Elsewhere(RecorderError):
    """The next segment belongs to another place."""


class Writing:
    """Takes samples as a Recorder does, and raises nothing that a source should know of. One thread writes."""

    def __init__(
        self,
        camera: Camera,
        spots: Sequence[Spot],
        tracks: Sequence[Track],
        movie: Movie,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._camera, self._spots, self._tracks, self._movie = camera, tuple(spots), tracks, movie
        self._clock = clock
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._spot: Spot | None = None
        self._old: list[threading.Thread] = []
        self._finished: deque[Path] = deque(maxlen=_TOLD)
        self._before = RecorderStatus(None)
        self._refused: RecorderError | None = None
        self._again = 0.0
        self._avoid: dict[int, float] = {}
        self.bad = 0
        self.problem = ""

    @property
    def status(self) -> RecorderStatus:
        recorder = self._recorder
        return recorder.status if recorder else self._before

    def write(self, sample: Sample) -> None:
        """Take one sample, or leave it out and say in `problem` why nothing can be written."""
        recorder = self._recorder or self._open()
        if recorder is None:
            return
        for _ in range(len(self._spots) + 1):
            try:
                recorder.write(sample)
            except BadSample as error:
                self._bad(error)
            except (RecorderError, OSError) as error:
                moved = self._move(error)
                if moved is None:
                    return
                recorder = moved
                continue
            if self.problem and recorder.status.segment:
                self.problem = ""
            return

    def gap(self, milliseconds: int, reason: str) -> None:
        if self._recorder:
            self._recorder.gap(milliseconds, reason)

    def retrack(self, tracks: Sequence[Track]) -> None:
        self._tracks = tracks
        if self._recorder:
            self._recorder.retrack(tracks)

    def roll(self) -> None:
        if self._recorder:
            self._recorder.roll()

    def close(self) -> list[Path]:
        """Finish everything, at every place; the finished files in order."""
        self._leave()
        for thread in self._old:
            thread.join()
        return sorted(self._finished, key=lambda path: path.name)

    def _open(self) -> Recorder | None:
        try:
            spot, directory = self._choose()
        except RecorderError as error:
            self._say(error)
            return None
        self._spot = spot
        self._recorder = Recorder(
            directory,
            self._tracks,
            movie=self._movie,
            flush=self._camera.flush,
            rotate=Rotate(self._camera.segment_seconds, self._camera.segment_bytes),
            coordinator=spot.coordinator,
            before_segment=self._may_begin,
            on_started=lambda path: self._began(spot, path),
            on_finished=lambda path: self._ended(spot, path, None),
            on_error=lambda path, error: self._ended(spot, path, error),
        )
        return self._recorder

    def _choose(self) -> tuple[Spot, Path]:
        """The first place that may be written to. Asked again only after a while where none may."""
        now = self._clock()
        if self._refused and now < self._again:
            raise self._refused
        failed: RecorderError | None = None
        for spot in sorted(self._spots, key=lambda one: self._avoid.get(id(one), 0.0) > now):
            try:
                directory = spot.directory(self._camera.name)
            except RecorderError as error:
                failed = failed or error
            except OSError as error:
                failed = failed or RecorderError(f"the drive answered: {error.strerror or error}", code=5)
            else:
                self._refused = None
                return spot, directory
        raise self._refuse(failed or RecorderError("there is no place to record to", code=4))

    def _may_begin(self, _: Path) -> None:
        """Before every segment: still the right drive, still room, and no better place."""
        spot, _ = self._choose()
        if spot is not self._spot:
            raise _Elsewhere("another place")

    def _move(self, error: Exception) -> Recorder | None:
        """After a failure: the recorder at the place to try now; None where this sample is left out."""
        told = error if isinstance(error, RecorderError) else RecorderError(f"the drive answered: {error}", code=5)
        if told is self._refused:
            self._say(told)
            return None
        if not isinstance(told, _Elsewhere):
            self._say(told)
            last, self._avoid[id(self._spot)] = self._avoid.get(id(self._spot), 0.0), self._clock() + AVOID
            if len(self._spots) == 1:
                if not isinstance(told, Poisoned) or last > self._clock():
                    self._refuse(told)  # it fails again and again: not with every key frame
                return None
        self._leave()
        return self._open()

    def _refuse(self, error: RecorderError) -> RecorderError:
        """No place is asked again for a while."""
        self._refused, self._again = error, self._clock() + AGAIN
        return error

    def _say(self, error: RecorderError) -> None:
        if error.message != self.problem:
            about = {"event": "held", "camera": self._camera.name, "why": error.message, "hint": error.hint}
            log.warning("nothing is recorded", extra=about)
        self.problem = error.message

    def _leave(self) -> None:
        """Finish what the recorder of this place has, without waiting for its drive."""
        recorder, self._recorder, self._spot = self._recorder, None, None
        if recorder is None:
            return
        self._before = recorder.status

        def close() -> None:
            recorder.close()

        thread = threading.Thread(target=close, name=f"finish {self._camera.name}", daemon=True)
        thread.start()
        self._old.append(thread)

    def _bad(self, error: BadSample) -> None:
        self.bad += 1
        if self.bad == 1:
            log.warning("a sample was left out", extra={"event": "bad", "camera": self._camera.name, "why": str(error)})

    def _began(self, spot: Spot, path: Path) -> None:
        spot.began(path)
        log.info("segment", extra={"event": "segment", "camera": self._camera.name, "file": path.name})
        if self._camera.protect:
            try:
                protect.protect(path, self._camera.protect.reason, iso_of(time.time()))
            except OSError as error:
                why = {"event": "protect", "file": str(path), "why": str(error)}
                log.error("it could not be protected", extra=why)

    def _ended(self, spot: Spot, path: Path, error: RecorderError | None) -> None:
        spot.ended(path, error)
        if error is None:
            with self._lock:
                self._finished.append(path)
            log.info("finished", extra={"event": "finished", "camera": self._camera.name, "file": path.name})
        else:
            why = {"event": "broken", "camera": self._camera.name, "file": path.name, "why": error.message}
            log.error("a segment can't be written to any more", extra=why)
