"""What is uploaded, and several queues at once: whoever records needs no more than this of an upload."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from ..io import IO, Files
from .queue import Metrics, Uploader, verified

__all__ = ["Metrics", "Uploads", "is_uploaded"]

log = logging.getLogger("usenet.recorder.upload")


def is_uploaded(path: Path, storages: list[str], io: IO | None = None) -> bool:
    """Whether each of these storages was seen to hold exactly the bytes of this file. False when in any doubt.

    It asks the journals, not the network. True of no storages would be a licence to delete: it is False.
    """
    io = io or Files()
    return bool(storages) and all(verified(path, storage, io) for storage in storages)


def _together(all_of: list[Metrics]) -> Metrics:
    return Metrics(
        all_of[0].storage,
        bytes_sent=sum(one.bytes_sent for one in all_of),
        parts_sent=sum(one.parts_sent for one in all_of),
        segments=sum(one.segments for one in all_of),
        waiting=sum(one.waiting for one in all_of),
        lag_s=max(one.lag_s for one in all_of),
        errors=sum(one.errors for one in all_of),
        last_error=next((one.last_error for one in all_of if one.last_error), ""),
        paused_s=max(one.paused_s for one in all_of),
    )


class Uploads:
    """Several queues, each with a thread of its own: a storage that is slow or full holds up no other."""

    def __init__(self, uploaders: list[Uploader], rest: float = 5.0) -> None:
        self._uploaders, self._rest = uploaders, rest
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def metrics(self) -> list[Metrics]:
        """One for each storage, whatever the number of its queues."""
        storages: dict[str, list[Metrics]] = {}
        for uploader in self._uploaders:
            storages.setdefault(uploader.metrics.storage, []).append(uploader.metrics)
        return [_together(each) for each in storages.values()]

    def start(self) -> None:
        for uploader in self._uploaders:
            thread = threading.Thread(
                target=self._run, args=(uploader,), name=f"upload-{uploader.metrics.storage}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """No further step. A part on its way is given up after `timeout` and sent again by the next start."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, uploader: Uploader) -> None:
        while not self._stop.is_set():
            try:
                wait = uploader.step()
            except Exception:
                log.exception("upload to %s: a fault of the program; going on", uploader.metrics.storage)
                wait = self._rest
            self._stop.wait(wait)
