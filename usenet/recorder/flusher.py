"""One flush coordinator per volume: its segments are synced at the same moments, so that the drive is asked once."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from .errors import RecorderError
from .segment import Segment

log = logging.getLogger("usenet.recorder.flusher")

_REMEMBERED = 1024  # syncs whose time is remembered
_SLOWEST = 8  # a slow drive is asked this many times less often at most
_FEW, _ENOUGH = 16, 64  # syncs that must be known before the pace is slowed down, and before it is raised again
_WORKERS = 32
_EARLY = 0.004  # seconds: so much before a tick of the wall clock is that tick

OnError = Callable[[Segment, RecorderError], None]


@dataclass(slots=True)
class _Member:
    segment: Segment
    on_error: OnError
    due: float = 0.0  # by the steady clock
    running: Future[None] | None = None


@dataclass(slots=True)
class Durations:
    """How long the last syncs took, in milliseconds."""

    last: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def quantile(self, share: float) -> float:
        """0.0 when there was none."""
        known = sorted(self.last)
        return known[min(int(share * len(known)), len(known) - 1)] if known else 0.0


class Coordinator:
    """Cuts and syncs each segment at whole multiples of its `sync_ms` on the wall clock, all that are due at once.

    The wall clock says only where in its interval a tick lies: set back or ahead, it makes none longer. The syncs run
    side by side, so that the filesystem makes one commit of them. A drive whose slowest syncs take more than half the
    shortest interval is asked half as often (`stretch`), and as before when it has recovered. A segment whose sync
    still runs is left out: a slow drive has no queue.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self.durations = Durations()
        self.stretch = 1
        self._wall, self._steady = wall, steady
        self._members: dict[int, _Member] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._taken = 0
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sync")
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self._thread.start()

    @property
    def fsync_p99_ms(self) -> float:
        return self.durations.quantile(0.99)

    def add(self, segment: Segment, on_error: OnError) -> None:
        """From now on `segment` is cut and synced. `on_error` is called from a thread of the pool, once."""
        with self._changed:
            member = _Member(segment, on_error)
            member.due = self._next(member)
            self._members[id(segment)] = member
            self._changed.notify()

    def remove(self, segment: Segment) -> None:
        """Nothing of ours touches `segment` when this returns."""
        with self._changed:
            member = self._members.pop(id(segment), None)
        if member is not None and member.running is not None and not member.running.cancel():
            member.running.exception()

    def close(self) -> None:
        """Ends the thread; segments are left as they are."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        self._pool.shutdown()

    def _next(self, member: _Member) -> float:
        interval = member.segment.flush.sync_ms / 1000 * self.stretch
        left = interval - self._wall() % interval
        return self._steady() + (left if left > _EARLY else left + interval)

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                now = self._steady()
                for member in self._members.values():
                    if member.due <= now + _EARLY / 2:
                        member.due = self._next(member)
                        self._begin(member)
                nearest = min((member.due for member in self._members.values()), default=now + 60)
                self._changed.wait(max(nearest - self._steady(), 0.001))

    def _begin(self, member: _Member) -> None:
        if member.running is None or member.running.done():
            try:
                member.running = self._pool.submit(self._flush, member)
            except RuntimeError as error:  # no more threads, for now: it must not end this one
                log.error("%s is synced later: %s", member.segment.path, error)

    def _flush(self, member: _Member) -> None:
        try:
            self._flushed(member)
        except Exception:
            log.exception("%s was not synced", member.segment.path)

    def _flushed(self, member: _Member) -> None:
        segment = member.segment
        try:
            segment.cut()
            begun = time.monotonic()
            if segment.durable != segment.seq:
                segment.sync()
                self._took((time.monotonic() - begun) * 1000)
        except RecorderError as error:
            log.error("%s", error)
            with self._changed:
                self._members.pop(id(segment), None)
            member.on_error(segment, error)

    def _took(self, milliseconds: float) -> None:
        with self._changed:
            self.durations.last.append(milliseconds)
            self._taken += 1
            if self._taken % (1 + len(self.durations.last) // 64):
                return  # to sort all of them takes as long as a sync, and the writers wait meanwhile
            shortest = min((each.segment.flush.sync_ms for each in self._members.values()), default=0)
            if shortest:
                self._pace(shortest)

    def _pace(self, sync_ms: int) -> None:
        slow = self.durations.quantile(0.99) if len(self.durations.last) >= _FEW else 0.0
        if slow > sync_ms * self.stretch / 2 and self.stretch < _SLOWEST:
            self.stretch *= 2
            self.durations.last.clear()
            log.warning("the drive takes %.0f ms to sync: it is asked every %d ms now", slow, sync_ms * self.stretch)
        elif self.stretch > 1 and len(self.durations.last) >= _ENOUGH and slow < sync_ms * self.stretch / 8:
            self.stretch //= 2
            self.durations.last.clear()
            log.info("the drive has recovered: it is asked every %d ms again", sync_ms * self.stretch)
