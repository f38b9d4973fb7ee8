"""Hours of recording, replayed as fast as they can be written; the size is real, zeros are left as holes.

As a program: DIRECTORY HOURS PICTURES_A_SECOND CHUNK_MS finish|abandon, and tells in JSON what it took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.recorder_crash.player import Shown
from usenet.recorder.io import Files
from usenet.recorder.policy import Flush
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.tracks import Sample

from . import media

_HOLE = 1 << 12
_ZEROS = bytes(_HOLE)
EVERY, BIG = 20, 240 << 10
"""Each twentieth picture is as long as this; 24 hours of five a second are 5 GiB."""


class Sparse(Files):
    """Blocks of zeros are not written: they read as zeros, and take no room."""

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        view, end = memoryview(data), offset + len(data)
        begun = at = offset
        while at < end:
            block = min(at - at % _HOLE + _HOLE, end)
            if block - at == _HOLE and view[at - offset : block - offset] == _ZEROS:
                self._put(handle, view[begun - offset : at - offset], begun)
                begun = block
            at = block
        self._put(handle, view[begun - offset :], begun)
        if begun == end and self.size(handle) < end:
            self.truncate(handle, end)

    def _put(self, handle: int, piece: memoryview, offset: int) -> None:
        if piece:
            super().pwrite(handle, bytes(piece), offset)


@dataclass(frozen=True)
class Length:
    """What is recorded."""

    hours: float
    rate: int
    chunk_ms: int

    @property
    def pictures(self) -> int:
        return int(self.hours * 3600) * self.rate

    @property
    def ticks(self) -> int:
        return 90_000 // self.rate


def pictures() -> list[bytes]:
    """The samples that come again and again: a true picture each, and behind one of them a long filler."""
    filler = b"\x0c" + bytes(BIG) + b"\x80"
    long = len(filler).to_bytes(4, "big") + filler
    shown: list[Shown] = media._film()[1]
    return [shown[number % media.GOP].data + (long if number == 0 else b"") for number in range(EVERY)]


def memory() -> int:
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) << 12


def record(folder: Path, length: Length, *, finish: bool) -> dict[str, float]:
    (track,) = media.tracks(sound=False)
    recorder = Recorder(
        folder,
        [replace(track, duration=length.ticks)],
        flush=Flush("time", length.chunk_ms, 1000),
        rotate=Rotate(length.hours * 3600 + 1, 1 << 50),
        io=Sparse(),
    )
    data, told, begun = pictures(), {}, time.monotonic()
    hour = 3600 * length.rate
    for number in range(length.pictures):
        at = number * length.ticks
        recorder.write(Sample(media.VIDEO, data[number % EVERY], at, at, sync=number % media.GOP == 0))
        if number == hour:
            told["after an hour"] = memory()
    told |= {"at the end": memory(), "recorded in s": time.monotonic() - begun}
    begun = time.monotonic()
    if finish:
        recorder.close()
        told |= {"finished in s": time.monotonic() - begun, "after it": memory()}
    else:
        assert recorder._segment
        recorder._segment.cut()
    return told


def hours(folder: Path, length: Length, *, finish: bool) -> dict[str, float]:
    """Record in a process of its own; what it took."""
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", __name__, str(folder), str(length.hours), str(length.rate), str(length.chunk_ms)]
    done = subprocess.run(
        [*words, "finish" if finish else "abandon"],
        capture_output=True,
        text=True,
        timeout=3600,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main(folder: str, length: str, rate: str, chunk_ms: str, end: str) -> None:
    told = record(Path(folder), Length(float(length), int(rate), int(chunk_ms)), finish=end == "finish")
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
    if sys.argv[-1] == "abandon":
        import os

        os._exit(0)
