"""How often a chunk is cut and how often it is made durable: presets, and by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from .errors import RecorderError

Cut = Literal["frame", "time", "gop", "bytes"]


@dataclass(frozen=True, slots=True)
class Flush:
    """A chunk ends at every frame, before it is longer than `chunk_ms`, at every key frame or after `chunk_bytes`.

    A crash of the process costs at most one unfinished chunk; a power cut at most `sync_ms` and one chunk, on a drive
    whose syncs take less than half of `sync_ms` (a slower one is asked less often, see `Coordinator`). "time": sound
    waits for a picture up to twice `chunk_ms`. "gop" and "bytes": what is pending is cut every `sync_ms` all the same.
    RecorderError when a figure makes no sense.
    """

    cut: Cut = "time"
    chunk_ms: int = 250
    sync_ms: int = 1000
    chunk_bytes: int = 4 << 20
    index_every: int = 10  # the index is a cache: it is made durable with every tenth sync

    def __post_init__(self) -> None:
        figures = (self.chunk_ms, self.sync_ms, self.chunk_bytes, self.index_every)
        if self.cut not in get_args(Cut) or min(figures) < 1 or self.chunk_bytes > 1 << 30:
            raise RecorderError(f"a recorder can't flush like this: {self}", code=3)


PRESETS = {
    "evidence": Flush("frame", 250, 250),
    "default": Flush("time", 250, 1000),
    "hdd": Flush("time", 500, 2000),
    "archive": Flush("time", 1000, 5000),
}

Recovery = Literal["strict", "skip", "align"]
"""strict: up to the first damage. skip: all that is whole. align: as skip, and after a gap from the next key frame."""
