"""The others inside a process of Python: libav as PyAV brings it, newer than a distribution's."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from bench.recorder.material import AUDIO, SCALES, VIDEO, Material, load

if TYPE_CHECKING:
    import av

HYBRID = {"movflags": "+hybrid_fragmented", "frag_duration": "1000000"}


def hybrid(out: str) -> None:
    """Record FLV from stdin as libav's hybrid MP4."""
    import av

    pipe = open(0, "rb", buffering=0)  # noqa: SIM115 - as long as the process
    with av.open(pipe, format="flv") as source, av.open(out, "w", format="mp4", options=HYBRID) as sink:
        tracks = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream_index]
                sink.mux(packet)


def mux(folder: str, out: str, seconds: str, options: str) -> None:
    """Write from memory as fast as it goes; the processor time that it took is printed."""
    import av

    material = load(Path(folder))
    with av.open(str(material.file)) as source, av.open(out, "w", options=json.loads(options)) as sink:
        tracks = {VIDEO: sink.add_stream_from_template(source.streams.video[0])}
        tracks[AUDIO] = sink.add_stream_from_template(source.streams.audio[0])
        began = time.process_time()
        for _ in packets(material, float(seconds), tracks):
            pass
        idle, began = time.process_time() - began, time.process_time()
        for packet in packets(material, float(seconds), tracks):
            sink.mux(packet)
    print(json.dumps(time.process_time() - began - idle))


def packets(material: Material, seconds: float, tracks: dict[int, av.stream.Stream]) -> Iterator[av.Packet]:
    """The material as libav's packets."""
    import av

    bases = {track: Fraction(1, scale) for track, scale in SCALES.items()}
    for piece in material.repeated(seconds):
        packet = av.Packet(piece.data)
        packet.stream, packet.time_base = tracks[piece.track], bases[piece.track]
        packet.dts = packet.pts = piece.dts
        packet.duration, packet.is_keyframe = piece.duration, piece.sync
        yield packet


def look(address: str) -> None:
    """Open it and decode one picture; the seconds until it is there are printed."""
    import av

    began = time.perf_counter()
    with av.open(address) as source:
        next(source.decode(video=0))
        print(json.dumps(time.perf_counter() - began))
        sys.stdout.flush()
        os._exit(0)
