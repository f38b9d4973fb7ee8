"""One segment while it is written: samples into chunks, chunks into the part, and what is durable."""

from __future__ import annotations

import contextlib
import errno
import logging
import secrets
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from . import commit as commits
from . import finalise, fragment, index, policy
from .commit import Commit
from .errors import Busy, Full, Poisoned, RecorderError
from .head import Head, reserve
from .io import IO, Files
from .lease import Lease
from .movie import FTYP, init_moov
from .pending import Pending
from .scan import survey
from .tracks import Movie, Track, check

log = logging.getLogger("usenet.recorder.segment")

_LOOK = "look at: dmesg, smartctl"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_PLACE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES}
_mdat = struct.Struct(">I4s")


class Segment:
    """Writes X.mp4.part, .index and .commit; `seal` makes X.mp4 of them. Safe to sync from another thread.

    What `append` took is in the page cache when its chunk is cut, and on the drive when `sync` has returned for it.
    """

    def __init__(self, io: IO, path: str, head: Head, tracks: Sequence[Track], flush: policy.Flush) -> None:
        self.path = path
        self.flush = flush
        self.head = head
        self.seq = 0  # the last chunk that was written
        self.durable = 0  # the last chunk that is on the drive
        self.size = head.data_start
        self.poisoned = False
        self.dirty_since = 0.0  # monotonic time of the oldest sample that is not durable
        self._cut_at = 0.0  # monotonic time: all samples that came before it are in chunks
        self._io = io
        self._lock = threading.RLock()
        self._pending = Pending(tracks, flush)
        self._handles: dict[str, int] = {}
        self._index_size = 0
        self._syncs = 0
        self._commit = Commit("recording", f"{head.nonce:016x}", head.reserve, Lease.mine(), asdict(flush))

    @property
    def pending(self) -> bool:
        """Whether there are samples that are not in a chunk yet."""
        return not self._pending.empty

    @property
    def clean(self) -> bool:
        """Whether a power cut now would take nothing."""
        return self._pending.empty and self.seq == self.durable

    @property
    def reserve_left(self) -> float:
        """The share of the reserve that the final moov would leave, by a guess that is a little too low."""
        return max(0.0, 1 - self._index_size / max(self.head.room, 1))

    @classmethod
    def create(
        cls,
        path: str,
        tracks: Sequence[Track],
        *,
        movie: Movie = Movie(),  # noqa: B008 - frozen
        flush: policy.Flush = policy.PRESETS["default"],
        seconds: float = 900,
        io: IO | None = None,
        nonce: int | None = None,
    ) -> Segment:
        """A new segment, durable to its name; `seconds` is its planned length, for the reserve in its head.

        RecorderError when `tracks` can't be in a file, Full when the drive has no room for the head, FileExistsError
        when the name is taken; then nothing is left.
        """
        check(tracks)
        init = init_moov(movie, tracks)
        room = reserve(tracks, seconds, flush.chunk_ms)
        head = Head(init, room, secrets.randbits(64) if nonce is None else nonce)
        segment = cls(io or Files(), path, head, tracks, flush)
        segment._begin()
        return segment

    def _begin(self) -> None:
        """Step 1 of the format: heads, then fsync of each, then of the directory. Only then is it "recording"."""
        io, head = self._io, self.head
        if io.exists(self.path):
            raise FileExistsError(errno.EEXIST, "there is a segment of that name", self.path)
        made: list[str] = []
        try:
            self._make("part", made)
            self._claim(made)
            io.allocate(self._handles["part"], 0, head.data_start)
            io.pwrite(self._handles["part"], head.write(), 0)
            self._make("index", made)
            told = index.header(head.nonce, head.reserve, FTYP + head.init)
            io.pwrite(self._handles["index"], told, 0)
            self._index_size = len(told)
            self._make("commit", made)
            io.allocate(self._handles["commit"], 0, 2 * commits.SLOT)
            self._commit = commits.write(io, self._handles["commit"], self._commit)
            for handle in self._handles.values():
                io.sync(handle)
            io.syncdir(_folder(self.path))
        except Busy:
            self._undo(made)
            raise
        except OSError as error:
            self._undo(made)
            raise _sentence(error, self.path) from error

    def _claim(self, made: list[str]) -> None:
        """Busy when a recovery came between making the part and locking it: the part is its own then, and goes."""
        part = f"{self.path}.part"
        if not self._io.lock(self._handles["part"]) or not self._io.exists(part):
            made.clear()
            raise Busy(f"{part}: a recovery took it in the moment it was made", hint="try again")

    def _make(self, what: str, made: list[str]) -> None:
        path = f"{self.path}.{what}"
        self._handles[what] = self._io.open(path, "new")
        made.append(path)

    def _undo(self, made: list[str]) -> None:
        self.close()
        for path in reversed(made):
            with contextlib.suppress(OSError):
                self._io.unlink(path)

    def append(
        self, track: int, data: bytes, *, dts: int, cts: int = 0, duration: int = 0, sync: bool = True, wall_ns: int = 0
    ) -> None:
        """One sample; `cts` is presentation minus decode time. Cuts the chunk when the policy says so.

        BadSample, and nothing is kept of it, when `dts` is not later than the track's last one or below 0.
        """
        with self._lock:
            if self.poisoned:
                raise Poisoned(f"{self.path}.part: the drive failed before this sample", hint=_LOOK)
            if "part" not in self._handles:
                raise RecorderError(f"{self.path} takes no more samples, it has ended", code=3)
            if self._pending.ends_before(track, sync):
                self.cut()
            if self.clean:
                self.dirty_since = time.monotonic()
            self._pending.add(track, data, dts, cts, duration, sync, wall_ns)
            if self._pending.full(track):
                self.cut()

    def gap(self, milliseconds: int, *, discontinuity: bool = False) -> None:
        """Time that is missing before the next sample: what was pending is cut, the next chunk says so."""
        with self._lock:
            self.cut()
            self._pending.gap(milliseconds, discontinuity)

    def cut(self) -> int:
        """Write what is pending as one chunk; the number of the last chunk. Full or Poisoned when the drive fails."""
        with self._lock:
            if self._pending.empty or self.poisoned:
                return self.seq
            chunk, payload = self._pending.chunk(self.seq + 1, self.size, self.durable)
            moof, length = fragment.write(chunk, self.head.nonce)
            chunk = chunk._replace(moof_len=length)
            data = b"".join((moof, _mdat.pack(8 + chunk.payload_len, b"mdat"), *payload))
            try:
                self._io.pwrite(self._handles["part"], data, self.size)
            except OSError as error:
                self._failed_write(error)
            self.seq, self.size = chunk.seq, chunk.end  # first: what is no longer pending is not clean yet
            self._pending.clear()
            self._cut_at = time.monotonic()
            self._journal(index.record(chunk, self.head.nonce))
            return self.seq

    def _failed_write(self, error: OSError) -> None:
        """A full drive costs this chunk and leaves a whole file; any other failure poisons the segment."""
        if error.errno in _NO_ROOM:
            self._pending.clear()
            with contextlib.suppress(OSError):
                self._io.truncate(self._handles["part"], self.size)
        else:
            self._poison()
        raise _sentence(error, self.path + ".part") from error

    def _journal(self, record: bytes) -> None:
        """The index is a cache: when it can't be written it is let go, and recovery reads the part instead."""
        if "index" not in self._handles:
            return
        try:
            self._io.pwrite(self._handles["index"], record, self._index_size)
            self._index_size += len(record)
        except OSError as error:
            log.warning("%s.index can't be written, recording goes on without it: %s", self.path, error)
            with contextlib.suppress(OSError):
                self._io.close(self._handles.pop("index"))

    def sync(self) -> int:
        """Everything that was cut is on the drive when this returns: the number of its last chunk.

        A failing fsync is never tried again: the kernel may have dropped the pages. The segment is poisoned.
        """
        with self._lock:
            upto, part, beside = self.seq, self._handles.get("part"), self._handles.get("index")
            if part is None or self.poisoned or upto == self.durable:
                return self.durable
            self._syncs += 1
            too = beside is not None and self._syncs % self.flush.index_every == 0
            begun = self._cut_at
        try:
            self._io.sync(part)
        except OSError as error:
            with self._lock:
                self._poison()
            raise _sentence(error, self.path + ".part", full=False) from error
        with self._lock:
            if self.poisoned:  # another sync failed meanwhile; the kernel tells each failure once
                return self.durable
            self.durable = max(self.durable, upto)
            self.dirty_since = begun  # what came while it ran
        if too and beside is not None:
            with contextlib.suppress(OSError):
                self._io.sync(beside)
        return upto

    def _poison(self) -> None:
        self.poisoned = True
        self._say("poisoned", poison_from=self.durable + 1)
        with contextlib.suppress(OSError):
            self._io.sync(self._handles["commit"])

    def _say(self, state: commits.State, *, poison_from: int = 0) -> None:
        """In the commit, if the drive takes it: nothing that is said there is needed to save media."""
        said = replace(self._commit, state=state, poison_from=poison_from)
        with contextlib.suppress(OSError):
            self._commit = commits.write(self._io, self._handles["commit"], said)

    def seal(self) -> Path:
        """Finish: X.mp4 is there, durable and progressive, when this returns. Afterwards nothing can be appended.

        Full when the drive is full and the reserve too small: the part then plays as it is, `recover` finishes it.
        Without one sample there is nothing to finish: RecorderError, and nothing is left.
        """
        with self._lock:
            try:
                return self._sealed()
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    self._poison()  # a sync that failed here may succeed when it is asked again, and lie
                raise _sentence(error, self.path) from error
            finally:
                self.close()

    def _sealed(self) -> Path:
        with contextlib.suppress(Full):
            self.cut()
        if self.poisoned:
            raise Poisoned(f"{self.path}.part: the drive failed before its end", hint="usenet recorder recover")
        if not self.seq:
            self._undo([f"{self.path}.{what}" for what in ("part", "index", "commit")])
            raise RecorderError(f"{self.path}: there was no sample to keep, nothing is left of it")
        upto = self.sync()
        self._say("sealing")
        found = survey(self._io, self._handles["part"], self.head, self._records(), trusted=upto)
        return finalise.finish(self._io, self._handles["part"], self.path, self.head, found)

    def _records(self) -> bytes:
        if "index" in self._handles:
            with contextlib.suppress(OSError):
                return self._io.pread(self._handles["index"], self._index_size, 0)
        return b""

    def close(self) -> None:
        """Let go of the files as they are: what is pending is lost, what was cut is found by `recover`."""
        with self._lock:
            for handle in self._handles.values():
                with contextlib.suppress(OSError):
                    self._io.close(handle)
            self._handles.clear()


def _folder(path: str) -> str:
    return str(Path(path).parent)


def _sentence(error: OSError, path: str, *, full: bool = True) -> Exception:
    if isinstance(error, FileExistsError):
        return error
    if full and error.errno in _NO_ROOM:
        return Full(
            f"{path}: no room left on the drive", hint="make room, or set a disk budget that evicts old segments"
        )
    if error.errno in _NO_PLACE:
        hint = "is its directory there, the drive mounted, and may this program write to it?"
        return Poisoned(f"{path}: {error.strerror}", hint=hint)
    return Poisoned(f"{path}: the drive does not keep what it is given: {error.strerror}", hint=_LOOK)
