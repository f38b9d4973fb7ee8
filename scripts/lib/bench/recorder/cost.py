"""What recording costs while it goes on: processor, bytes beside the media, and the index."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside
from bench.recorder.finish import replayed
from bench.recorder.libav import HYBRID
from bench.recorder.material import SECONDS, Material, flv
from bench.recorder.recorders import AT_KEYS, FRAGMENTED, Recorder, inside, others
from bench.timing import Figure, Series, run

KINDS = {
    "ffmpeg plain MP4": ("mp4",),
    "ffmpeg fMP4, 1 s": ("mp4", *FRAGMENTED),
    "ffmpeg fMP4, key frames": ("mp4", *AT_KEYS),
    "ffmpeg mkv": ("mkv",),
    "ffmpeg mpegts": ("ts",),
}
LIBAV = {
    "libav plain MP4": {},
    "libav fMP4, 1 s": {"movflags": "+empty_moov+default_base_moof", "frag_duration": "1000000"},
    "libav hybrid MP4, 1 s": HYBRID,
}
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
HIGHEST = {1000: 0.20, 250: 0.40}  # percent


def cost(material: Material, folder: Path, *, loops: int, times: int) -> Iterator[Figure]:
    """So many repetitions of the material, recorded from memory as fast as it goes, with an fsync each second of it."""
    folder.mkdir()
    seconds, media = loops * SECONDS, loops * material.bytes
    sizes = {name: _percent([_ffmpeg(material, folder, loops, *flags)], media) for name, flags in KINDS.items()}
    spent = {name: _each(_muxed(material, folder, seconds, told, times), seconds) for name, told in LIBAV.items()}
    robust = {f"{one.name}: {seconds / 60:.0f} min": _rewritten(material, folder, seconds, one) for one in _robust()}
    for chunk_ms, highest in HIGHEST.items():
        path = folder / f"ours{chunk_ms}.mp4"
        allocated, told = [], []
        for _ in range(times):
            told.append(replayed(material, path, seconds, chunk_ms, "seal"))
            allocated.append(path.stat().st_blocks * 512)
            path.unlink()
        words = f"{chunk_ms} ms chunks"
        goal = Goal(highest, f"≤ {highest:.2f} %")
        yield from beside(f"size beside the media, {words}", _percent(allocated, media), sizes, goal)
        wrote = Amount(tuple(one["all"] / size for one, size in zip(told, allocated, strict=True)), "×", 3)
        yield from beside(f"written by what the file has, {words}", wrote, robust)
        journal = Amount(tuple(one["index"] / 1e6 / seconds * 3600 for one in told), "MB/h")
        yield from beside(f"index, {words}", journal, {}, Goal(2.5, "≤ 2.5 MB/h"))
        work = _each([one["written"] for one in told], seconds)
        yield from beside(f"writer, {words}, per second of media", work, spent)
    shutil.rmtree(folder)


def _ffmpeg(material: Material, folder: Path, loops: int, suffix: str, *flags: str) -> int:
    out = folder / f"theirs.{suffix}"
    start = ["ffmpeg", "-v", "error", "-stream_loop", str(loops - 1), "-i", str(material.file), "-c", "copy"]
    run([*start, *flags, "-y", str(out)])
    size = out.stat().st_size
    out.unlink()
    return size


def _robust() -> list[Recorder]:
    """Who writes the whole index anew each second, if this machine has it."""
    return [one for one in others() if "GStreamer" in one.name]


def _rewritten(material: Material, folder: Path, seconds: float, recorder: Recorder) -> Amount:
    """Bytes that a recorder wrote, as the kernel counts them until just before it ends, by those of its file."""
    out, wrote = recorder.out(folder), 0
    with subprocess.Popen(recorder.words(out), stdin=subprocess.PIPE, **_QUIET) as process:
        assert process.stdin
        for tag in flv(material, seconds):
            process.stdin.write(tag.data)
        process.stdin.close()
        while process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                wrote = int(Path(f"/proc/{process.pid}/io").read_text().split()[3])
            time.sleep(0.002)
    size = out.stat().st_size
    out.unlink()
    return Amount((wrote / size,), "×", 3)


def _muxed(material: Material, folder: Path, seconds: float, options: dict[str, str], times: int) -> list[float]:
    words = (str(material.file.parent), str(folder / "libav.mp4"), str(seconds), json.dumps(options))
    return [json.loads(run([*inside("mux"), *words])[1]) for _ in range(times)]


def _percent(sizes: list[int], media: int) -> Amount:
    return Amount(tuple((size / media - 1) * 100 for size in sizes), "%", 3)


def _each(spent: list[float], seconds: float) -> Series:
    return Series(tuple(one / seconds for one in spent))
