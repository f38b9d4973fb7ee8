"""Ours with cameras that send RTSP, as the sidecar records them: one process, one coordinator."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.recorder.writing import peak
from usenet.recorder.flusher import Coordinator
from usenet.recorder.policy import PRESETS
from usenet.recorder.recorder import Recorder
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes
from usenet.recorder.sources.camera import Camera
from usenet.recorder.tracks import Track

WISHES = Wishes(patience=Patience(connect=60), options={"rtsp_flags": "listen", "listen_timeout": "60"})
SETTLED = 100  # pictures, until what comes with the start of a stream is over


def listen(out: str, seconds: str, *ports: str) -> None:
    """Wait for a sender at each port, record what they send; what it took while all of them sent is printed."""
    coordinator = Coordinator()
    cameras = [_camera(port, Path(out) / port, coordinator) for port in ports]
    for camera in cameras:
        camera.start()
    until = time.monotonic() + 60
    while min(camera.status.frames for camera in cameras) < SETTLED:
        if time.monotonic() > until:
            sys.exit(f"nothing came: {[camera.status for camera in cameras if camera.status.frames < SETTLED]}")
        time.sleep(0.1)
    spent, began = time.process_time(), time.monotonic()
    time.sleep(float(seconds))
    share = (time.process_time() - spent) / (time.monotonic() - began)
    dropped = sum(camera.status.dropped + camera.status.gaps for camera in cameras)
    print(json.dumps({"share": share, "memory": peak(), "fsync": coordinator.fsync_p99_ms, "dropped": dropped}))
    sys.stdout.flush()
    sys.stdin.readline()


def _camera(port: str, out: Path, coordinator: Coordinator) -> Camera:
    def recorder(tracks: tuple[Track, ...]) -> Recorder:
        out.mkdir()
        return Recorder(out, tracks, flush=PRESETS["default"], coordinator=coordinator)

    return Camera(port, lambda: AvSource(f"rtsp://127.0.0.1:{port}/camera", WISHES), recorder)
