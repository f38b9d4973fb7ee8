"""One source of an export: a finished file or a live segment, its samples, and what time it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from ..errors import Damaged, RecorderError
from ..fragment import Chunk
from ..io import IO
from ..live import LiveFile
from ..reader import Mp4, Mp4Track, Source, scan
from ..reader.ours import find
from ..scan import hop
from . import borders


@dataclass(frozen=True, slots=True)
class Footage:
    """`zero_ns`: UTC at presentation time 0, or 0 when nothing says it. `fetch` reads the file that `movie` describes.

    Presentation times run from `start` to `end`, in seconds, over the track that leads: the first video, or the first.
    """

    path: Path
    movie: Mp4
    fetch: Callable[[int, int], bytes]
    zero_ns: int
    lead: Mp4Track
    start: Fraction
    end: Fraction

    def utc(self, seconds: Fraction) -> int:
        return self.zero_ns + round(seconds * 10**9)

    def of(self, kind: str, number: int) -> Mp4Track | None:
        """Its `number`th track of a kind."""
        found = [track for track in self.movie.tracks if track.kind == kind and len(track)]
        return found[number] if number < len(found) else None


def when(utc_ns: int) -> str:
    """2026-11-21T17:22:29.250Z"""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_ns // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.contextmanager
def opened(path: Path, io: IO) -> Iterator[Footage]:
    """Open for reading; a segment that is being written is taken as it is at this moment."""
    with contextlib.ExitStack() as stack:
        name = os.fspath(path)
        if name.endswith(".part"):
            live = stack.enter_context(LiveFile(path, io=io))
            view = live.view()
            fetch, size = view.read, view.size
        else:
            handle = io.open(name, "read")
            stack.callback(io.close, handle)
            fetch, size = (lambda offset, length: io.pread(handle, length, offset)), io.size(handle)
        yield footage(path, fetch, size, _first_chunk(io, name))


def footage(path: Path, fetch: Callable[[int, int], bytes], size: int, chunk: Chunk | None) -> Footage:
    """RecorderError when there is nothing to take from it."""
    try:
        movie = scan(Source(fetch, size))
    except Damaged as error:
        raise Damaged(f"{path}: {error.message}", hint=f"usenet recorder verify {path}") from error
    filled = [track for track in movie.tracks if len(track)]
    if not filled:
        raise RecorderError(f"{path} has no samples")
    lead = next((track for track in filled if track.kind == "video"), filled[0])
    start, end = borders.extent(lead)
    zero = _zero(movie, chunk) or movie.start_ns or movie.created_ns
    return Footage(path, movie, fetch, zero, lead, Fraction(start, lead.timescale), Fraction(end, lead.timescale))


def _first_chunk(io: IO, name: str) -> Chunk | None:
    """The first fragment, if this is a segment of ours; its commit box knows the time to the nanosecond."""
    handle = io.open(name, "read")
    try:
        size = io.size(handle)
        ours = find(Source(lambda offset, length: io.pread(handle, length, offset), size))
        return next(hop(io, handle, ours.head.data_start, ours.end, ours.head.nonce, 0), None)
    except Damaged:
        return None
    finally:
        io.close(handle)


def _zero(movie: Mp4, chunk: Chunk | None) -> int:
    """`wall_ns` is when the first sample of the chunk is presented: the one that comes first of its runs."""
    if chunk is None or not chunk.wall_ns:
        return 0
    scales = {track.id: track for track in movie.tracks}
    times = [
        Fraction(run.base + int.from_bytes(run.cts[:4], "big", signed=True), scales[run.track].timescale)
        for run in chunk.runs
        if run.track in scales
    ]
    return chunk.wall_ns - round(min(times) * 10**9) if times else 0
