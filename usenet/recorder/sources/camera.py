"""One camera: connected again whenever it goes away, and written down by a thread of its own.

Two threads, because a socket that is not read in time loses pictures and a drive may take seconds. The reader asks the
source and never touches the recorder; the writer touches nothing else. So a camera that is stuck in libav can be left
behind, and the recorder closed safely.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import BadSample, RecorderError, Unreachable
from ..policy import Flush
from ..tracks import Sample, Track
from .backlog import Backlog, Gap, Item
from .backoff import Backoff
from .rate import Rate
from .source import Retrack, Source, heads
from .writer import Sink, Writer

log = logging.getLogger("usenet.recorder.camera")

State = Literal["connecting", "recording", "waiting", "stopped"]

BACKLOG = 32 << 20  # bytes: 64 s of 4 Mbit/s
GATHER = 0.04  # seconds between two looks of the writer: one picture, for a third of the cost of looking at each
WELL = 10.0  # seconds of samples after which a camera counts as well again


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """How a camera is now. `since`: seconds UTC. `frames` are pictures, or samples where there are none.

    `dropped`: samples that were read and not kept, because the drive was too slow or they could not be written.
    `waiting_bytes`: read and not yet written. `unread_s`: how long nothing came.
    """

    state: State = "connecting"
    since: float = 0.0
    reconnects: int = 0
    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    dropping: bool = False
    waiting_bytes: int = 0
    gaps: int = 0
    gap_s: float = 0.0
    unread_s: float = 0.0
    last_error: str = ""
    fps: float = 0.0
    codecs: tuple[str, ...] = ()
    width: int = 0
    height: int = 0


def gathering(flush: Flush) -> float:
    """`gather` for a recorder with this policy: no sample waits where each picture is a chunk of its own."""
    return 0.0 if flush.cut == "frame" else GATHER


class Camera:
    """Reads `source()` again and again into `record(tracks)`, which is asked once, when the first tracks are known.

    `failed` hears every Full, Poisoned or other RecorderError of the recorder and says whether to go on (a Recorder
    tries again with the next key frame). The recorder is closed by whoever made it, after `stop`.
    A source that is not live is read once, at the pace of the drive.
    """

    def __init__(  # noqa: PLR0913 - all have a default
        self,
        name: str,
        source: Callable[[], Source],
        record: Callable[[tuple[Track, ...]], Sink],
        *,
        failed: Callable[[RecorderError], bool] = lambda _: False,
        backoff: Backoff | None = None,
        backlog: int = BACKLOG,
        gather: float = GATHER,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.name = name
        self._source, self._failed = source, failed
        self._written = Writer(record)
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._backlog = Backlog(backlog, gather=gather, clock=clock)
        self._rate = Rate()
        self._lock = threading.Lock()
        self._status, self._over = CameraStatus(since=time.time()), False
        self._tracks: tuple[Track, ...] = ()
        self._heads = frozenset[int]()
        self._last_came: float | None = None
        self._reader = threading.Thread(target=self._read, name=f"read {name}", daemon=True)
        self._writer = threading.Thread(target=self._write, name=f"write {name}", daemon=True)

    @property
    def status(self) -> CameraStatus:
        """Cheap; from any thread."""
        with self._lock:
            status, came = self._status, self._last_came
        return replace(
            status,
            frames=self._written.frames,
            bytes=self._written.bytes,
            dropped=status.dropped + self._backlog.dropped,
            dropping=self._backlog.dropping,
            waiting_bytes=len(self._backlog),
            unread_s=0.0 if came is None else max(0.0, self._clock() - came),
            fps=self._rate.fps if status.state == "recording" else 0.0,
        )

    def start(self) -> None:
        self._reader.start()
        self._writer.start()

    def stop(self, within: float = 5.0) -> bool:
        """What was read is written; then nothing more is. True when that is done, within so many seconds.

        False: the drive is stuck. A source that is stuck is left behind and ends by its own time-out.
        """
        self._stopping.set()
        until = time.monotonic() + within
        if self._reader.ident:
            self._reader.join(within / 2)
        self._backlog.end()
        if self._writer.ident:
            self._writer.join(max(0.0, until - time.monotonic()))
        self._say(state="stopped")
        return not self._writer.is_alive()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until a source that ends by itself is written down."""
        self._writer.join(timeout)
        return not self._writer.is_alive()

    def _read(self) -> None:
        try:
            while not self._stopping.is_set():
                if self._connection():
                    break
        finally:
            self._backlog.end()

    def _connection(self) -> bool:
        """One connection from its beginning to its end, and the wait after it. True: there will be no other."""
        self._say(state="connecting")
        source = self._source()
        began = self._clock()
        try:
            self._pump(source)
            if not source.live:
                return True
            error: RecorderError = Unreachable(f"{self.name}: the stream ended")
        except RecorderError as failure:
            error = failure
        except Exception as bug:  # a camera must not fall silent, whatever happened
            log.exception("%s: %s", self.name, type(bug).__name__)
            error = RecorderError(f"{self.name}: {type(bug).__name__}")
        finally:
            source.close()
        if self._stopping.is_set() or not source.live:
            self._say(last_error=error.message)
            return True
        self._lost(error, self._clock() - began)
        return self._stopping.is_set()

    def _pump(self, source: Source) -> None:
        tracks = source.open()
        opened, first = self._clock(), True
        for item in source.samples():
            if self._stopping.is_set():
                return
            if first:
                self._back(tracks, source.behind_s + self._clock() - opened)
                first = False
            if isinstance(item, Retrack):
                self._settings(item.tracks)
            elif source.live:
                self._backlog.offer(item, leads=item.sync and item.track in self._heads)
            else:
                self._backlog.wait_and_put(item)
            self._came(item)

    def _came(self, item: Sample | Retrack) -> None:
        if isinstance(item, Sample):
            self._last_came = self._clock()
            self._rate.count(item, self._last_came)

    def _back(self, tracks: tuple[Track, ...], behind: float) -> None:
        """The first sample of a connection is here, and was taken `behind` seconds ago: so long was nothing."""
        if self._rate.reached is not None:
            away = max(0, round((self._clock() - behind - self._rate.reached) * 1000))
            self._backlog.put(Gap(away, self._status.last_error or "the camera was away"))
            log.info("%s: back after %.1f s", self.name, away / 1000)
        if tracks != self._tracks:
            self._settings(tracks)
        self._rate.follow(self._tracks)
        self._say(state="recording")

    def _settings(self, tracks: tuple[Track, ...]) -> None:
        self._tracks, self._heads = tracks, heads(tracks)
        self._rate.follow(tracks)
        self._backlog.put(Retrack(tracks))
        picture = next((track for track in tracks if track.kind == "video"), None)
        size = (picture.width, picture.height) if picture else (0, 0)
        codecs = tuple(track.entry[4:8].decode("latin-1") for track in tracks)
        self._say(codecs=codecs, width=size[0], height=size[1])

    def _lost(self, error: RecorderError, lasted: float) -> None:
        """Nobody is asked again at once; a refusal that will not change by itself is asked seldom."""
        if lasted >= WELL and self._status.state == "recording":
            self._backoff.reset()
        pause = self._backoff.wait() if isinstance(error, Unreachable) else self._backoff.longest()
        log.warning("%s; asking again in %.1f s", error.message, pause)
        with self._lock:
            again = self._status.reconnects + 1
        self._say(state="waiting", last_error=error.message, reconnects=again)
        self._wait(pause)

    def _write(self) -> None:
        try:
            for item in self._backlog.items():
                try:
                    self._put(item)
                except BadSample as error:
                    self._count(dropped=1)
                    log.warning("%s: a sample was left out: %s", self.name, error.message)
                except RecorderError as error:
                    if not self._failed(error):
                        log.error("%s: %s", self.name, error.message)
                        self._stopping.set()
                        self._say(state="stopped", last_error=error.message)
                        return
                    self._say(last_error=error.message)
        finally:
            self._backlog.end()
            self._say(state="stopped")

    def _put(self, item: Item) -> None:
        if isinstance(item, Gap):
            lost = f", {item.dropped} samples dropped" if item.dropped else ""
            level = logging.WARNING if item.dropped else logging.INFO
            log.log(level, "%s: a gap of %.1f s: %s%s", self.name, item.milliseconds / 1000, item.reason, lost)
            self._count(gaps=1, gap_s=item.milliseconds / 1000)
        self._written.put(item)

    def _count(self, **more: float) -> None:
        with self._lock:
            now = self._status
            self._status = replace(now, **{name: getattr(now, name) + by for name, by in more.items()})

    def _say(self, **now: object) -> None:
        with self._lock:
            if self._over:  # the reader may still be at it; what it says is of no interest
                return
            self._over = now.get("state") == "stopped"
            if now.get("state", self._status.state) != self._status.state:
                now["since"] = time.time()
            self._status = replace(self._status, **now)  # type: ignore[arg-type]
