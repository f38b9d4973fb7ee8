"""Ours, in processes of their own: fed by a pipe, or from memory as fast as it goes, or many at once in real time."""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.recorder.material import AUDIO, RATE, SCALES, SOUND, VIDEO, Material, load
from usenet.recorder.errors import Full
from usenet.recorder.io import Files
from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.recorder import Recorder
from usenet.recorder.recovery import Report, recover
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Sample, Track

MILLISECONDS = {VIDEO: 1000, AUDIO: 1000}


def tracks(material: Material, scales: dict[int, int]) -> list[Track]:
    lasts = {VIDEO: round(scales[VIDEO] / RATE), AUDIO: round(scales[AUDIO] * SOUND / SCALES[AUDIO])}
    video = Track(VIDEO, "video", scales[VIDEO], material.entries[VIDEO], "und", 1920, 1080, duration=lasts[VIDEO])
    return [video, Track(AUDIO, "audio", scales[AUDIO], material.entries[AUDIO], duration=lasts[AUDIO])]


def record(folder: str, preset: str, out: str) -> None:
    """Record FLV from stdin; say what is durable, and when that was known."""
    import av

    recorder = Recorder(Path(out), tracks(load(Path(folder)), MILLISECONDS), flush=PRESETS[preset])
    written: list[float] = []
    threading.Thread(target=_promises, args=(recorder, written), daemon=True).start()
    # Buffered, it would wait for two pictures to fill its buffer.
    with open(0, "rb", buffering=0) as pipe, av.open(pipe, format="flv") as source:
        for packet in source.demux():
            if packet.dts is None:
                continue
            video = packet.stream.type == "video"
            track = VIDEO if video else AUDIO
            recorder.write(Sample(track, bytes(packet), packet.dts, packet.pts, packet.is_keyframe))
            if video:
                written.append(time.monotonic())
    recorder.close()


def _promises(recorder: Recorder, written: list[float]) -> None:
    """What was written before the oldest that is not durable, is."""
    while True:
        count, now = len(written), time.monotonic()
        lag = recorder.status.durable_lag_s
        durable = count if lag == 0 else bisect.bisect_left(written, now - lag)
        print("durable", time.monotonic(), durable / RATE, flush=True)
        time.sleep(0.05)


class Hasty(Files):
    """Files that are not synced while `hasty`: what writes them only wants them to be there."""

    hasty = False

    def sync(self, handle: int) -> None:
        if not self.hasty:
            super().sync(handle)


def replay(folder: str, out: str, seconds: str, chunk_ms: str, how: str) -> None:
    """One long segment from memory, as fast as it goes. `how`: of thin, hasty, seal. What it took is printed."""
    material, length, words = load(Path(folder)), float(seconds), how.split(",")
    material = material.thin() if "thin" in words else material
    idle = _only_repeated(material, min(length, 300.0)) * length / min(length, 300.0)
    io = Hasty()
    flush = Flush("time", int(chunk_ms), 1000)
    segment = Segment.create(out, tracks(material, SCALES), flush=flush, seconds=length, io=io)
    began, synced, syncs = time.process_time(), 0.0, []
    for piece in material.repeated(length):
        segment.append(piece.track, piece.data, dts=piece.dts, sync=piece.sync)
        if piece.track == VIDEO and piece.dts >= synced + SCALES[VIDEO]:
            synced = piece.dts
            at = time.perf_counter()
            segment.sync()
            syncs.append(time.perf_counter() - at)
            io.hasty = "hasty" in words and synced < (length - 10) * SCALES[VIDEO]
    segment.cut()
    segment.sync()
    spent = time.process_time() - began - idle
    told = {"written": spent, "index": Path(f"{out}.index").stat().st_size, "part": segment.size, "syncs": syncs}
    if "seal" in words:
        told["seal"] = measured(segment.seal)
        told["all"] = _written()
    print(json.dumps(told), flush=True)
    os._exit(0)  # without seal: as a process that was killed


def _only_repeated(material: Material, seconds: float) -> float:
    """What taking the pieces costs, without writing them."""
    began = time.process_time()
    for _ in material.repeated(seconds):
        pass
    return time.process_time() - began


def measured(call: Callable[[], object]) -> dict[str, float]:
    """Seconds by the clock and of the processor, bytes written, and the most memory that the process ever had."""
    wrote, spent, began = _written(), time.process_time(), time.perf_counter()
    call()
    return {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - spent,
        "written": _written() - wrote,
        "memory": peak(),
    }


def peak() -> float:
    """The most memory that this process had. Not `ru_maxrss`: that begins with what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmHWM:"))


def _written() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


def again(path: str) -> None:
    """Recover a segment that nobody finished; what it took is printed."""
    reports: list[Report] = []
    told: dict[str, object] = {**measured(lambda: reports.append(recover(Path(path))))}
    told |= {"kept": reports[0].seconds_kept, "index": reports[0].index_used, "dropped": reports[0].chunks_dropped}
    print(json.dumps(told))


def fill(folder: str, out: str) -> None:
    """Record as fast as it goes until the drive is full, then end in an orderly way; the finished files are printed."""
    material = load(Path(folder))
    recorder = Recorder(Path(out), tracks(material, SCALES))
    with contextlib.suppress(Full):
        for piece in material.repeated(900):
            recorder.write(Sample(piece.track, piece.data, piece.dts, piece.dts, piece.sync, piece.duration))
    print(json.dumps([str(path) for path in recorder.close()]))
