"""How many cameras a drive takes: recorded for some seconds, with made-up samples, in real time."""

from __future__ import annotations

import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from usenet.actions.recorder import told
from usenet.domain.errors import UsageError
from usenet.recorder.boxes.box import box
from usenet.recorder.flusher import Coordinator
from usenet.recorder.policy import PRESETS
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.tracks import Sample, Track

_TRACK = Track(1, "video", 90_000, box(b"avc1", bytes(78)), width=1920, height=1080, duration=3000)
_RATE = 30
_GOP = 60
_LEAST = 0.01


@dataclass(frozen=True, slots=True)
class Load:
    """So many cameras of `megabits` each, for some seconds. `behind_s`: how late the last picture was written.

    `fsync_*_ms`: how long a sync took. `cpu`: cores in use. `kept` is whether the drive kept up.
    """

    cameras: int
    preset: str
    megabits: float
    fsync_p50_ms: float
    fsync_p99_ms: float
    behind_s: float
    cpu: float
    kept: bool


def check(directory: Path, counts: Sequence[int], *, preset: str, megabits: float, seconds: float) -> None:
    """UsageError where it can't be measured."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory", hint="name one on the drive to be measured")
    if min(*counts, 1) < 1 or seconds <= 0 or megabits < _LEAST:
        hint = f"at least one camera, {_LEAST} Mbit/s, and some seconds"
        raise UsageError("with these figures nothing would be written", hint=hint)
    if preset not in PRESETS:
        raise UsageError(f'there is no preset "{preset}"', hint=f"there are: {', '.join(PRESETS)}")
    need, free = int(max(counts) * megabits / 8 * 1e6 * seconds * 2), shutil.disk_usage(directory).free
    if need > free:
        raise UsageError(f"{directory} has no room for the {need >> 20} MiB that are written", hint="see: --cameras")


def measure(
    directory: Path, counts: Sequence[int], *, preset: str, megabits: float, seconds: float, tell: Callable[[str], None]
) -> list[Load]:
    """One after the other, until the drive doesn't keep up. What is written is removed again."""
    check(directory, counts, preset=preset, megabits=megabits, seconds=seconds)
    loads: list[Load] = []
    for count in counts:
        tell(f"{count} {'camera' if count == 1 else 'cameras'} for {seconds:g} s")
        folder = Path(tempfile.mkdtemp(prefix=".recorder-bench-", dir=directory))
        try:
            with told():
                loads.append(_load(folder, count, preset, megabits, seconds))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not loads[-1].kept:
            break
    return loads


def _load(folder: Path, count: int, preset: str, megabits: float, seconds: float) -> Load:
    coordinator, stop = Coordinator(), threading.Event()
    begun, used = time.monotonic(), _cpu()
    feeds = []
    for number in range(count):
        (own := folder / f"camera{number}").mkdir()
        rotate = Rotate(3600, planned=seconds)
        recorder = Recorder(own, [_TRACK], flush=PRESETS[preset], rotate=rotate, coordinator=coordinator)
        feeds.append(_Feed(recorder, round(megabits * 1e6 / 8 / _RATE), begun + number / count / _RATE, seconds, stop))
    try:
        _together(feeds)
    finally:
        stop.set()  # Ctrl-C: nobody writes on
    cpu = (_cpu() - used) / (time.monotonic() - begun)
    p50, p99 = coordinator.durations.quantile(0.5), coordinator.fsync_p99_ms
    for feed in feeds:
        feed.recorder.close()
    coordinator.close()
    behind = max(feed.behind for feed in feeds)
    kept = behind < 1 and p99 < PRESETS[preset].sync_ms / 2 and coordinator.stretch == 1
    return Load(count, preset, megabits, p50, p99, behind, cpu, kept)


def _together(feeds: Sequence[_Feed]) -> None:
    """All at the same time; what went wrong with one is raised."""
    threads = [threading.Thread(target=feed.run, daemon=True) for feed in feeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for feed in feeds:
        if feed.failure is not None:
            raise feed.failure


@dataclass
class _Feed:
    """A made-up camera. `behind`: how many seconds late its last picture was written."""

    recorder: Recorder
    size: int
    begin: float
    seconds: float
    stop: threading.Event
    behind: float = 0.0
    failure: Exception | None = None

    def run(self) -> None:
        try:
            self._write()
        except Exception as failure:
            self.failure = failure
            self.stop.set()

    def _write(self) -> None:
        data = (bytes(range(256)) * (self.size // 256 + 1))[: self.size]
        for number in range(int(self.seconds * _RATE)):
            due = self.begin + number / _RATE
            if self.stop.wait(max(0.0, due - time.monotonic())):
                return
            self.recorder.write(Sample(1, data, number * 3000, number * 3000, number % _GOP == 0))
            self.behind = max(0.0, time.monotonic() - due)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
