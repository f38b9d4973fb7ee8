"""Ours with cameras that send RTSP: one process, a thread for each of them."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from bench.recorder.writing import peak
from usenet.recorder.boxes import entries
from usenet.recorder.flusher import Coordinator
from usenet.recorder.policy import PRESETS
from usenet.recorder.recorder import Recorder
from usenet.recorder.tracks import Sample

OPTIONS = {"rtsp_flags": "listen", "rtsp_transport": "tcp", "listen_timeout": "30"}


def listen(out: str, seconds: str, *ports: str) -> None:
    """Wait for a sender at each port, record what they send; what it took while all of them sent is printed."""
    coordinator, started = Coordinator(), threading.Semaphore(0)
    for port in ports:
        (Path(out) / port).mkdir()
        arguments = (port, Path(out) / port, coordinator, started)
        threading.Thread(target=_one, args=arguments, daemon=True).start()
    for _ in ports:
        started.acquire(timeout=60)
    time.sleep(2)
    spent, began = time.process_time(), time.monotonic()
    time.sleep(float(seconds))
    share = (time.process_time() - spent) / (time.monotonic() - began)
    memory = peak()
    print(json.dumps({"share": share, "memory": memory, "fsync": coordinator.fsync_p99_ms}), flush=True)
    sys.stdin.readline()


def _one(port: str, out: Path, coordinator: Coordinator, started: threading.Semaphore) -> None:
    import av

    with av.open(f"rtsp://127.0.0.1:{port}/camera", options=OPTIONS, timeout=(60, 10)) as source:
        codecs = {stream.index: stream.codec_context for stream in source.streams}
        tracks = [
            entries.track(
                *(stream.index + 1, stream.codec_context.name),
                timescale=stream.time_base.denominator,
                extradata=bytes(stream.codec_context.extradata or b""),
            )
            for stream in source.streams
            if stream.time_base
        ]
        recorder = Recorder(out, tracks, flush=PRESETS["default"], coordinator=coordinator)
        for number, packet in enumerate(source.demux()):
            codec = codecs[packet.stream_index]
            data = entries.to_mp4(codec.name, bytes(packet), bytes(codec.extradata or b""))
            recorder.write(Sample(packet.stream_index + 1, data, packet.dts, packet.pts, packet.is_keyframe))
            if number == 60:
                started.release()
