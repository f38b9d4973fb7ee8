"""Many cameras in one process, in real time and from memory: what the drive has to do, and how long a picture waits."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from bench.recorder.material import SCALES, VIDEO, Material, load
from bench.recorder.writing import tracks
from usenet.recorder.flusher import Coordinator
from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.recorder import Recorder
from usenet.recorder.tracks import Sample, Track

FAST, GROUP, PICTURE = 60, 120, 31_000  # pictures a second; from key to key; bytes of one that is none
Take = Callable[[int, bytes, bool], None]
SHARED: list[Coordinator] = []
SETTLED = 2.0  # seconds, until what comes with the start of a segment is over


def together(folder: str, out: str, count: str, seconds: str, how: str) -> None:
    """So many recorders. `how`: aligned, staggered or none. Says when they have settled and when the time is over."""
    material, total = load(Path(folder)), int(count)
    flush = Flush("time", 250, 3_600_000 if how == "none" else 1000)
    recorders = []
    for number in range(total):
        shared = recorders[0]._coordinator if recorders and how != "staggered" else None
        late = number / total
        coordinator = shared or Coordinator(wall=lambda late=late: time.time() + late)
        place = Path(out) / str(number)
        place.mkdir()
        recorders.append(Recorder(place, tracks(material, SCALES), flush=flush, coordinator=coordinator))
    began, settled = time.monotonic(), False
    for piece in material.repeated(SETTLED + float(seconds)):
        due = piece.dts / SCALES[piece.track]
        time.sleep(max(0.0, began + due - time.monotonic()))
        if due >= SETTLED and not settled:
            settled = True
            _say("settled", recorders)
        for recorder in recorders:
            recorder.write(Sample(piece.track, piece.data, piece.dts, piece.dts, piece.sync, piece.duration))
    _say("over", recorders)
    os._exit(0)


def _say(what: str, recorders: list[Recorder]) -> None:
    print(what, sum(recorder.status.bytes for recorder in recorders), flush=True)
    sys.stdin.readline()


def promptly(folder: str, out: str, count: str, seconds: str, how: str) -> None:
    """4K at 60 pictures a second, 16 Mbit/s, so many cameras: how long each call that hands one over takes.

    `how`: ours, durable four times a second, or libav, a fragment for each picture. The times are printed.
    """
    material, total, place = load(Path(folder)), int(count), Path(out)
    place.mkdir()
    takers = [(_ours if how == "ours" else _libav)(material, place, number) for number in range(total)]
    key, other = os.urandom(8 * PICTURE), os.urandom(PICTURE)
    spent, late, began = [], [], time.monotonic() + 0.5
    for frame in range(round(float(seconds) * FAST)):
        for number, take in enumerate(takers):
            due = began + (frame + number / total) / FAST
            time.sleep(max(0.0, due - time.monotonic()))
            at, sync = (frame + 7 * number) % GROUP, (frame + 7 * number) % GROUP == 0 or frame == 0
            handed = time.monotonic()
            take(frame, key if sync else other[at:], sync)
            done = time.monotonic()
            if frame:  # the first one makes the file, which is durable when the call returns
                spent.append(done - handed)
                late.append(done - due)
    print(json.dumps({"spent": _quantiles(spent), "late": _quantiles(late)}), flush=True)
    os._exit(0)


def _ours(material: Material, place: Path, number: int) -> Take:
    if not SHARED:
        SHARED.append(Coordinator())
    (place / str(number)).mkdir()
    track = Track(VIDEO, "video", 90000, material.entries[VIDEO], width=3840, height=2160, duration=1500)
    recorder = Recorder(place / str(number), [track], flush=PRESETS["evidence"], coordinator=SHARED[0])

    def take(frame: int, data: bytes, sync: bool) -> None:
        recorder.write(Sample(VIDEO, data, frame * 1500, frame * 1500, sync, 1500))

    return take


def _libav(material: Material, place: Path, number: int) -> Take:
    import av

    options = {"movflags": "+frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
    sink = av.open(str(place / f"{number}.mp4"), "w", options=options)
    with av.open(str(material.file)) as source:
        stream = sink.add_stream_from_template(source.streams.video[0])

    def take(frame: int, data: bytes, sync: bool) -> None:
        packet = av.Packet(data)
        packet.stream, packet.time_base = stream, Fraction(1, 90000)
        packet.dts = packet.pts = frame * 1500
        packet.duration, packet.is_keyframe = 1500, sync
        sink.mux(packet)

    return take


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {str(share): ordered[min(int(share * len(ordered)), len(ordered) - 1)] for share in (0.5, 0.99, 0.999, 1.0)}
