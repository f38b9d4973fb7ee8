"""A recorder: samples of one source in, one finished file after another out."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import policy
from .errors import BadSample, Busy, Full, Poisoned, RecorderError
from .flusher import Coordinator
from .io import IO, Files
from .segment import Segment
from .timeline import Placed, Timeline
from .tracks import Movie, Sample, Track, check

log = logging.getLogger("usenet.recorder")

_FOR_EVER = 1e9  # seconds

_ATTEMPTS = 100
_REMEMBERED = 1000  # finished files: a recorder may run for years


@dataclass(frozen=True, slots=True)
class Rotate:
    """A new segment begins at the first key frame after this long, or this many bytes.

    `planned`: the length for which room is reserved in the head of a file, if not the whole of `seconds`.
    """

    seconds: float = 900
    bytes: int = 4 << 30
    planned: float = 0


def by_time(wall_ns: int) -> str:
    """20261121T172229.250Z: the UTC of the first sample."""
    milliseconds = wall_ns // 1_000_000
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y%m%dT%H%M%S}.{milliseconds % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """How it goes now. `durable_lag_s`: how much of what was written a power cut would take now."""

    segment: Path | None
    seq: int = 0
    durable_seq: int = 0
    durable_lag_s: float = 0.0
    bytes: int = 0
    segments: int = 0
    samples: int = 0
    skipped: int = 0
    gaps: int = 0
    gap_ms: int = 0
    fsync_p99_ms: float = 0.0
    reserve_left: float = 1.0


class Recorder:
    """Writes segments into `directory`; each is a plain MP4 when it is finished, and plays while it is not.

    A segment begins with a key frame of the first video track (or any sample of the first track): what comes before
    is skipped and counted. `before_segment` may raise to say that nothing must be written there now. Finished files
    are told to `on_finished`; a segment that could not be finished to `on_error`, with its path. `stem` names a file
    by the time of its first sample, in nanoseconds. One thread writes.
    """

    def __init__(  # noqa: PLR0913 - all have a default
        self,
        directory: Path | str,
        tracks: Sequence[Track],
        *,
        movie: Movie = Movie(),  # noqa: B008 - frozen
        flush: policy.Flush = policy.PRESETS["default"],
        rotate: Rotate = Rotate(),
        io: IO | None = None,
        coordinator: Coordinator | None = None,
        clock: Callable[[], int] = time.time_ns,
        stem: Callable[[int], str] = by_time,
        before_segment: Callable[[Path], None] = lambda _: None,
        on_started: Callable[[Path], None] = lambda _: None,
        on_finished: Callable[[Path], None] = lambda _: None,
        on_error: Callable[[Path, RecorderError], None] = lambda *_: None,
    ) -> None:
        check(tracks)
        self.directory = Path(directory)
        self.finished: deque[Path] = deque(maxlen=_REMEMBERED)
        self._movie, self._flush, self._rotate = movie, flush, rotate
        self._io = io or Files()
        self._own = coordinator is None
        self._coordinator = coordinator or Coordinator()
        self._clock, self._stem = clock, stem
        self._before_segment, self._on_started = before_segment, on_started
        self._on_finished, self._on_error = on_finished, on_error
        self._lock = threading.RLock()
        self._sealing = ThreadPoolExecutor(1, thread_name_prefix="seal")
        self._segment: Segment | None = None
        self._timeline = Timeline(tracks)
        self._settle(tracks)
        self._recording = uuid.uuid4().hex
        self._due = False
        self._closed = False
        self._counts = {"segments": 0, "samples": 0, "skipped": 0, "gaps": 0, "gap_ms": 0}

    def _settle(self, tracks: Sequence[Track]) -> None:
        self._tracks = tuple(tracks)
        self._main = next((track for track in tracks if track.kind == "video"), tracks[0])

    @property
    def status(self) -> RecorderStatus:
        """Cheap; may be asked from any thread."""
        segment = self._segment
        status = RecorderStatus(None, fsync_p99_ms=self._coordinator.fsync_p99_ms, **self._counts)
        if segment is None:
            return status
        lag = 0.0 if segment.clean else time.monotonic() - segment.dirty_since
        return replace(
            status,
            segment=Path(segment.path),
            seq=segment.seq,
            durable_seq=segment.durable,
            durable_lag_s=lag,
            bytes=segment.size,
            reserve_left=segment.reserve_left,
        )

    def write(self, sample: Sample) -> None:
        """Take one sample. BadSample: it can't be in a file. Full, Poisoned: the segment has ended, see the class.

        After Full the segment that ended was finished; after Poisoned it waits for `recover`. The next key frame tries
        a new segment.
        """
        if not sample.data:
            raise BadSample(f"track {sample.track}: a sample without bytes at {sample.dts}")
        with self._lock:
            if self._closed:
                raise RecorderError(f"{self.directory}: this recorder is closed", code=3)
            begins = sample.track == self._main.id and sample.sync
            if self._segment is None or self._due:
                if begins:
                    self._timeline.rebase()
                elif self._segment is None:
                    self._count(skipped=1)
                    return
            placed = self._timeline.place(sample, self._clock())
            if self._segment is not None and (placed.roll or (begins and self._due)):
                self._end()
                if not begins:
                    self._count(skipped=1)
                    return
            self._take(placed)

    def _take(self, placed: Placed) -> None:
        segment = self._segment or self._begin(placed)
        try:
            if (placed.gap_ms or placed.discontinuity) and segment.seq + segment.pending:
                segment.gap(placed.gap_ms, discontinuity=placed.discontinuity)
            if placed.gap_ms:
                self._count(gaps=1, gap_ms=placed.gap_ms)
            segment.append(
                placed.track,
                placed.data,
                dts=placed.dts,
                cts=placed.cts,
                duration=placed.duration,
                sync=placed.sync,
                wall_ns=placed.wall_ns,
            )
        except (Full, Poisoned):
            self._end()
            raise
        self._count(samples=1)
        if placed.track == self._main.id:
            self._due = self._due or self._is_due(segment, placed.dts + placed.duration)

    def _is_due(self, segment: Segment, end: int) -> bool:
        return end >= self._rotate.seconds * self._main.timescale or segment.size >= self._rotate.bytes

    def _begin(self, placed: Placed) -> Segment:
        self._before_segment(self.directory)
        number = self._counts["segments"] + 1
        tags = (("usenet.recording", self._recording), ("usenet.segment", str(number)))
        movie = replace(self._movie, created_ns=placed.wall_ns, tags=(*self._movie.tags, *tags))
        segment = self._create(placed.wall_ns, movie)
        self._segment, self._due = segment, False
        self._coordinator.add(segment, self._failed)
        self._count(segments=1)
        self._on_started(Path(segment.path))
        return segment

    def _create(self, wall_ns: int, movie: Movie) -> Segment:
        """Under the first name that is free; another recorder, or a recovery, may be quicker to take one."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileExistsError, Busy):
                return Segment.create(
                    self._free_name(wall_ns),
                    self._tracks,
                    movie=movie,
                    flush=self._flush,
                    seconds=self._rotate.planned or self._rotate.seconds,
                    io=self._io,
                )
        raise Busy(f"{self.directory}: others take every name that is free", hint="give each camera its own folder")

    def _free_name(self, wall_ns: int) -> str:
        """With a number behind it where the name is taken: a clock that was set back gives one twice."""
        stem = self._stem(wall_ns)
        number = 1
        while True:
            path = str(self.directory / (f"{stem}-{number}.mp4" if number > 1 else f"{stem}.mp4"))
            if not any(self._io.exists(path + end) for end in ("", ".part", ".index", ".commit")):
                return path
            number += 1

    def _failed(self, segment: Segment, error: RecorderError) -> None:
        """Called by the coordinator: the next sample finds the segment poisoned, or ended here by a full drive."""
        if isinstance(error, Full):
            with self._lock:
                if segment is self._segment:
                    self._end()
        self._on_error(Path(segment.path), error)

    def _end(self) -> None:
        """The segment takes no more; it is finished in the background, in the order of the segments.

        Its last chunk is not left to the background: a kill in between would take it and the next segment's first.
        """
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.cut()
        except RecorderError as error:
            self._on_error(Path(segment.path), error)
        self._sealing.submit(self._seal, segment).add_done_callback(_tell)

    def _seal(self, segment: Segment) -> None:
        self._coordinator.remove(segment)
        try:
            path = segment.seal()
        except Exception as error:
            segment.close()
            told = error if isinstance(error, RecorderError) else RecorderError(f"{segment.path}: {error!r}")
            log.error("%s", told)
            self._on_error(Path(segment.path), told)
        else:
            self.finished.append(path)
            self._on_finished(path)

    def gap(self, milliseconds: int, reason: str) -> None:
        """The source was away for so long: it is recorded as a gap before the next sample."""
        with self._lock:
            log.info("%s: nothing came for %.1f s: %s", self.directory, milliseconds / 1000, reason)
            self._timeline.absent(milliseconds)

    def retrack(self, tracks: Sequence[Track]) -> None:
        """Other tracks or codec settings from now on: the next key frame begins a new segment of the same recording."""
        check(tracks)
        with self._lock:
            self._end()
            self._settle(tracks)
            self._timeline.retrack(tracks)

    def roll(self) -> None:
        """Begin a new segment at the next key frame."""
        with self._lock:
            self._due = True

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> list[Path]:
        """Finish what is being written, and wait for it. The last thousand finished files of this recorder, in order.

        Not from a callback: it waits for them.
        """
        with self._lock:
            self._closed = True
            self._end()
        self._sealing.shutdown()
        if self._own:
            with contextlib.suppress(RuntimeError):
                self._coordinator.close()
        return list(self.finished)

    def _count(self, **more: int) -> None:
        for name, by in more.items():
            self._counts[name] += by


def open(path: Path | str, tracks: Sequence[Track], **wishes: Any) -> Recorder:  # noqa: A001 - as one opens a file
    """A recorder whose file is `path`, which ends in .mp4; `wishes` as a Recorder takes them.

    It begins a second file, path-2.mp4, only where it must: settings that changed, an absence of more than ten seconds.
    FileExistsError if there is such a file.
    """
    path = Path(path)
    if path.suffix != ".mp4":
        raise RecorderError(f"{path}: a recording is an MP4 file", hint="let its name end in .mp4", code=2)
    if any(Path(f"{path}{end}").exists() for end in ("", ".part")):
        raise FileExistsError(errno.EEXIST, "there is a recording of that name", str(path))
    wishes = {"rotate": Rotate(_FOR_EVER, 1 << 62, planned=3600), "stem": lambda _: path.stem, **wishes}
    return Recorder(path.parent, tracks, **wishes)


def _tell(sealing: Future[None]) -> None:
    """What a callback of the user raised in the background is not kept silent."""
    if (error := sealing.exception()) is not None:
        log.error("after a segment had ended: %r", error, exc_info=error)
