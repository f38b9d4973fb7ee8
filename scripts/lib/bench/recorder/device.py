"""What the drive has to do for sixteen cameras: bytes beyond those of the files, and flushes of its cache."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside
from bench.recorder.material import Material
from bench.recorder.recorders import inside
from bench.recorder.volume import Volume, kinds, volume
from bench.timing import Figure

CAMERAS = 16
HOW = {"aligned": "ours", "staggered": "each on its own", "none": "without fsync"}


@dataclass(frozen=True, slots=True)
class _Load:
    times: float  # bytes at the device, by those of the files
    flushes: float  # per second
    writes: float


def device(material: Material, folder: Path, *, seconds: float, few: bool) -> Iterator[Figure]:
    """An fsync each second: all at once, as the coordinator does it; each at a moment of its own; none at all."""
    for kind in kinds("ext4") if few else kinds("ext4", "xfs"):
        with ExitStack() as mounted, ThreadPoolExecutor(len(HOW)) as pool:
            places = {how: mounted.enter_context(volume(kind, folder / kind, how, 1024)) for how in HOW}
            found = {"aligned": _loaded(material, places["aligned"], seconds, "aligned")}
            asked = {how: pool.submit(_loaded, material, places[how], seconds, how) for how in HOW if how not in found}
            found |= {how: one.result() for how, one in asked.items()}
        yield from _told(kind, found)


def _told(kind: str, found: dict[str, _Load]) -> Iterator[Figure]:
    ours, rest = found.pop("aligned"), {HOW[how]: load for how, load in found.items()}
    name = f"{CAMERAS} cameras, {kind}"
    times = {how: Amount((load.times,), "×", 3) for how, load in rest.items()}
    yield from beside(
        f"{name}: written by what was to be", Amount((ours.times,), "×", 3), times, Goal(1.05, "≤ 1.05 ×")
    )
    flushes = {how: Amount((load.flushes,), "/s", 1) for how, load in rest.items()}
    yield from beside(f"{name}: flushes", Amount((ours.flushes,), "/s", 1), flushes, Goal(8, "≤ 8 /s"))
    writes = {how: Amount((load.writes,), "/s", 0) for how, load in rest.items()}
    yield from beside(f"{name}: writes", Amount((ours.writes,), "/s", 0), writes)


def _loaded(material: Material, place: Volume, seconds: float, how: str) -> _Load:
    words = (str(material.file.parent), str(place.place), str(CAMERAS), str(seconds), how)
    pipe = subprocess.PIPE
    with subprocess.Popen([*inside("together"), *words], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            first, before, began = _heard(process, place, "settled")
            last, after, ended = _heard(process, place, "over")
        finally:
            process.kill()
    wrote, flushed, length = after[1] - before[1], after[2] - before[2], ended - began
    return _Load(wrote / (last - first), flushed / length, (after[0] - before[0]) / length)


def _heard(process: subprocess.Popen[str], place: Volume, what: str) -> tuple[int, tuple[int, int, int], float]:
    """How much was given to the files by then, and what the drive had done once all of it was there."""
    assert process.stdout
    assert process.stdin
    said, given = process.stdout.readline().split()
    if said != what:
        raise RuntimeError(f"{said} came where {what} was expected")
    moment, flushes = time.monotonic(), place.counted()[2]
    handle = os.open(place.place, os.O_RDONLY)
    _syncfs(handle)
    os.close(handle)
    writes, written, now = place.counted()
    process.stdin.write("\n")
    process.stdin.flush()
    return int(given), (writes, written, now if what == "settled" else flushes), moment


def _syncfs(handle: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).syncfs(handle):
        raise OSError(ctypes.get_errno(), "syncfs")
