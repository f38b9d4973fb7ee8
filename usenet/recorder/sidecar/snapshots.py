"""Segments that are being recorded, as plain MP4 files that stay the same for as long as somebody reads them.

A player asks for one part after the other, and all must be of one file: who asks for a live segment is sent on to the
address of what is there now (`?at=`), and later questions go there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from usenet.recorder.live import LiveFile, VirtualFile

MOST = 16


class _Snapshot:
    def __init__(self, path: Path) -> None:
        self.file = LiveFile(path)
        try:
            self.view: VirtualFile = self.file.view()
        except BaseException:
            self.file.close()
            raise
        self.readers = 0
        self.forgotten = False


class LiveView:
    """One reader's hold on a snapshot; it stays readable until `close`, also when the segment is finished meanwhile."""

    def __init__(self, snapshots: Snapshots, snapshot: _Snapshot) -> None:
        self._snapshots, self._snapshot = snapshots, snapshot
        self.size, self.tag, self.at = snapshot.view.size, snapshot.view.etag, snapshot.view.seq

    def read(self, offset: int, length: int) -> bytes:
        return self._snapshot.view.read(offset, length)

    def close(self) -> None:
        self._snapshots.leave(self._snapshot)


class Snapshots:
    """The last few that were asked for. Threads may ask at the same time."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Path, int], _Snapshot] = OrderedDict()

    def new(self, path: Path) -> int:
        """Take a snapshot of what is there now; its number. RecorderError, OSError where there is nothing to see."""
        snapshot = _Snapshot(path)
        key = (path, snapshot.view.seq)
        with self._lock:
            if key in self._known:
                self._drop(snapshot)
            else:
                self._known[key] = snapshot
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._drop(self._known.popitem(last=False)[1])
        return key[1]

    def at(self, path: Path, number: int) -> LiveView | None:
        """A snapshot that was taken; None where it is forgotten."""
        with self._lock:
            snapshot = self._known.get((path, number))
            if snapshot is None:
                return None
            self._known.move_to_end((path, number))
            snapshot.readers += 1
            return LiveView(self, snapshot)

    def leave(self, snapshot: _Snapshot) -> None:
        with self._lock:
            snapshot.readers -= 1
            if snapshot.forgotten and not snapshot.readers:
                snapshot.file.close()

    def _drop(self, snapshot: _Snapshot) -> None:
        snapshot.forgotten = True
        if not snapshot.readers:
            snapshot.file.close()
