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


def measure(
    directory: Path, counts: Sequence[int], *, preset: str, megabits: float, seconds: float, tell: Callable[[str], None]
) -> list[Load]:
    """One after the other, until the drive doesn't keep up. What is written is removed again."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory", hint="name one on the drive to be measured")
    if preset not in PRESETS:
        raise UsageError(f'there is no preset "{preset}"', hint=f"there are: {', '.join(PRESETS)}")
    need, free = int(max(counts) * megabits / 8 * 1e6 * seconds * 2), shutil.disk_usage(directory).free
    if need > free:
        raise UsageError(f"{directory} has no room for the {need >> 20} MiB that are written", hint="see: --cameras")
    loads: list[Load] = []
    for count in counts:
        tell(f"{count} cameras for {seconds:.0f} s")
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
    coordinator = Coordinator()
    recorders = []
    for number in range(count):
        (own := folder / f"camera{number}").mkdir()
        rotate = Rotate(3600, planned=seconds)
        recorders.append(Recorder(own, [_TRACK], flush=PRESETS[preset], rotate=rotate, coordinator=coordinator))
    behind = [0.0] * count
    size = round(megabits * 1e6 / 8 / _RATE)
    begun, used = time.monotonic(), _cpu()
    threads = [
        threading.Thread(target=_feed, args=(recorder, size, begun + at / count / _RATE, seconds, behind, at))
        for at, recorder in enumerate(recorders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu = (_cpu() - used) / (time.monotonic() - begun)
    p50, p99 = coordinator.durations.quantile(0.5), coordinator.fsync_p99_ms
    for recorder in recorders:
        recorder.close()
    coordinator.close()
    kept = max(behind) < 1 and p99 < PRESETS[preset].sync_ms / 2 and coordinator.stretch == 1
    return Load(count, preset, megabits, p50, p99, max(behind), cpu, kept)


def _feed(recorder: Recorder, size: int, begin: float, seconds: float, behind: list[float], at: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    for number in range(int(seconds * _RATE)):
        due = begin + number / _RATE
        late = time.monotonic() - due
        if late < 0:
            time.sleep(-late)
        recorder.write(Sample(1, data[:size], number * 3000, number * 3000, number % _GOP == 0))
        behind[at] = max(0.0, time.monotonic() - due)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
