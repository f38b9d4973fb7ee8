"""A segment that is still being written, seen as a plain progressive MP4: the moov in front is made, nothing is copied.

with LiveFile(path) as live:
    view = live.view()
    view.read(0, 65536)  # as the bytes of a file of view.size bytes
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from . import head as heads
from . import index
from .errors import Damaged, RecorderError
from .fragment import Chunk, Run
from .head import MDAT, Head, mdat_header
from .io import IO, Files
from .movie import FTYP, final_moov, track_ids
from .offsets import moved
from .scan import hop, read_head
from .tables import Table

_FAR: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class VirtualFile:
    """A snapshot: `front` is followed by the bytes of the part from `start` on. Good as long as its LiveFile is open.

    `etag` is that of its content: two views with the same one have the same bytes. `seq` is its last chunk.
    """

    size: int
    etag: str
    seq: int
    front: bytes
    start: int
    _io: IO
    _part: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end. Damaged if the part lost what it had."""
        end = min(offset + max(length, 0), self.size)
        if offset < 0 or offset >= end:
            return b""
        ahead = self.front[offset:end]
        begin, wanted = max(offset - len(self.front), 0), end - max(offset, len(self.front))
        if wanted <= 0:
            return ahead
        data = self._io.pread(self._part, wanted, self.start + begin)
        if len(data) != wanted:
            raise Damaged(f"the segment has {len(data)} of {wanted} bytes at byte {self.start + begin}")
        return ahead + data if ahead else data


class LiveFile:
    """X.mp4.part, open for reading. Each `view` takes in what was written since the one before; safe in threads."""

    def __init__(self, path: Path | str, *, io: IO | None = None) -> None:
        """Either name of the segment is taken. FileNotFoundError when it is none, or is finished and has its name."""
        self._io = io or Files()
        self._name = os.fspath(path).removesuffix(".part")
        self._lock = threading.Lock()
        self._seq = self._index_at = 0
        self._index: int | None = None
        self._part = self._io.open(f"{self._name}.part", "read")
        try:
            start = read_head(self._io, self._part)
            self._head: Head | None = heads.parse(start) if heads.life(start) == "live" else None
            told = track_ids(FTYP + self._head.init) if self._head else []
            self._tables = {track: Table(track) for track, _ in told}
            self._end = self._head.data_start if self._head else 0
            self._open_index()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Its views can't be read any more."""
        for handle in (self._part, self._index):
            if handle is not None and handle >= 0:
                self._io.close(handle)
        self._part, self._index = -1, None

    def view(self) -> VirtualFile:
        """What is there now. RecorderError as long as that is nothing."""
        with self._lock:
            if self._head is None:
                size = self._io.size(self._part)
                return VirtualFile(size, f'"{size:x}-sealed"', 0, b"", 0, self._io, self._part)
            self._take_in(self._head)
            if not self._seq:
                raise RecorderError("nothing of this segment is written yet", hint="try again in a second")
            front = self._front(self._head)
            size = len(front) + self._end - self._head.data_start
            etag = f'"{self._head.nonce:016x}-{self._seq:x}"'
            return VirtualFile(size, etag, self._seq, front, self._head.data_start, self._io, self._part)

    def _front(self, head: Head) -> bytes:
        """ftyp, moov and the header of the mdat that everything else lies in."""
        moov = final_moov(FTYP + head.init, list(self._tables.values()))
        length = len(FTYP) + len(moov) + MDAT
        return FTYP + moved(moov, length - head.data_start) + mdat_header(MDAT + self._end - head.data_start)

    def _open_index(self) -> None:
        """The index, if it is there and is that of this part."""
        if self._head is None:
            return
        try:
            self._index = self._io.open(f"{self._name}.index", "read")
        except FileNotFoundError:
            return
        try:
            told = index.read_header(self._io.pread(self._index, _FAR, 0))
        except Damaged:
            told = None
        if told is not None and (told.nonce, told.reserve) == (self._head.nonce, self._head.reserve):
            self._index_at = told.length
            return
        self._io.close(self._index)
        self._index = None

    def _take_in(self, head: Head) -> None:
        """What the index has, then what only the part has: an index that was lost or is behind costs only time."""
        size = self._io.size(self._part)
        if self._index is not None:
            more = max(0, self._io.size(self._index) - self._index_at)
            data = memoryview(self._io.pread(self._index, more, self._index_at))
            rows = [
                (at, row) for at, row in index.records(data, 0, self._end, head.nonce, self._seq + 1) if row.end <= size
            ]
            while rows and not self._is_there(head, rows[-1][1]):
                rows.pop()
            for at, row in rows:
                self._add(row, index.runs(data, at, row))
            self._index_at += sum(row.length for _, row in rows)
        for chunk in hop(self._io, self._part, self._end, size, head.nonce, self._seq):
            if self._index is not None:
                self._index_at += len(index.record(chunk, head.nonce))
            self._add(chunk, chunk.runs)

    def _is_there(self, head: Head, row: index.Record) -> bool:
        """Whether the part has the fragment that the index speaks of."""
        for chunk in hop(self._io, self._part, row.off, row.end, head.nonce, row.seq - 1):
            return (chunk.seq, chunk.off, chunk.end) == (row.seq, row.off, row.end)
        return False

    def _add(self, chunk: Chunk | index.Record, runs: Iterable[Run]) -> None:
        off = chunk.off + chunk.moof_len + 8
        for run in runs:
            table = self._tables.get(run.track)
            if table is not None:
                table.add(off, run)
            off += run.length
        self._seq, self._end = chunk.seq, chunk.end
