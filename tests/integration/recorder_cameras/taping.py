"""A camera being recorded, and what its file holds beside what the film held."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import av

from tests.integration.recorder_cameras.servers import GStreamer, MediaMTX
from tests.integration.recorder_films.making import ffmpeg, shelf
from tests.waiting import wait
from usenet.recorder.io import IO, Files
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes
from usenet.recorder.sources.camera import BACKLOG, Camera, CameraStatus
from usenet.recorder.tracks import Track

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "keyint=25:log-level=none"]
AAC, OPUS = ["-c:a", "aac", "-ac", "1"], ["-c:a", "libopus", "-ac", "2"]
ALAW = ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
SHAPES: dict[str, tuple[str, tuple[str, ...], list[str]]] = {
    "h264-aac": ("mp4", ("h264", "aac"), [*X264, "-bf", "0", *AAC]),
    "h265-aac": ("mp4", ("hevc", "aac"), [*X265, *AAC]),
    "h264-opus": ("mp4", ("h264", "opus"), [*X264, "-bf", "2", *OPUS]),
    "large": ("mp4", ("h264", "aac"), [*X264, "-bf", "0", "-vf", "scale=640:360", *AAC]),
    "h264-alaw": ("mov", ("h264", "pcm_alaw"), [*X264, "-bf", "0", *ALAW]),
}
KEYS = {"h264": range(1, 6), "hevc": range(32)}  # types of NAL units that hold pictures
IMPATIENT = Patience(connect=10, packet=3, key=20)
EXACT = {GStreamer.name: 0.01, MediaMTX.name: 0.25}
"""Seconds. MediaMTX's sender reports go by arrival, and ffmpeg sends it several sounds in one packet."""


@functools.cache
def film(name: str, seconds: int = 40, size: str = "320x180") -> Path:
    ending, _, words = SHAPES[name]
    path = shelf() / f"{name}-{size}-{seconds}.{ending}"
    pictures, noise = f"testsrc2=s={size}:r=25", "anoisesrc=r=48000:a=0.1:seed=7"
    ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", noise, "-t", str(seconds), *words, str(path))
    return path


def films(*names: str) -> dict[str, tuple[Path, tuple[str, ...]]]:
    return {name: (film(name), SHAPES[name][1]) for name in names}


@dataclass
class Taping:
    """A camera, its recorder, and what became of them."""

    url: str
    folder: Path
    wishes: Wishes = field(default_factory=lambda: Wishes(patience=IMPATIENT))
    io: IO = field(default_factory=Files)
    backlog: int = BACKLOG
    rotate: Rotate = field(default_factory=Rotate)
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.camera = Camera("door", lambda: AvSource(self.url, self.wishes), self._record, backlog=self.backlog)
        self.camera.start()

    def _record(self, tracks: tuple[Track, ...]) -> Recorder:
        self.recorder = Recorder(self.folder, tracks, io=self.io, rotate=self.rotate)
        return self.recorder

    @property
    def status(self) -> CameraStatus:
        return self.camera.status

    def until(self, frames: int) -> None:
        """So many pictures were written."""
        wait(lambda: self.status.frames >= frames, lambda: str(self.status))

    def stop(self) -> list[Path]:
        assert self.camera.stop(20)
        return self.recorder.close() if self.recorder else []


@dataclass(frozen=True)
class Stream:
    """Of a file: what each sample holds (pictures without their parameter sets), and when it is shown, in seconds."""

    samples: list[bytes]
    times: list[float]

    @property
    def shas(self) -> list[str]:
        return [hashlib.sha256(each).hexdigest() for each in self.samples]


def read(path: Path, kind: str) -> Stream:
    """Without a sample where there is no such stream."""
    with av.open(str(path)) as container:
        streams = [each for each in container.streams if each.type == kind]
        if not streams:
            return Stream([], [])
        (stream,) = streams
        codec = stream.codec_context.codec.canonical_name
        packets = [packet for packet in container.demux(stream) if packet.size]
        data = [pictures(codec, bytes(packet)) if codec in KEYS else bytes(packet) for packet in packets]
        return Stream(data, [float(packet.pts * packet.time_base) for packet in packets])


def pictures(codec: str, sample: bytes) -> bytes:
    """Its slices alone: servers repeat parameter sets, and leave out what libx264 says of itself."""
    out, at = b"", 0
    while at < len(sample):
        end = at + 4 + int.from_bytes(sample[at : at + 4], "big")
        kind = sample[at + 4] & 31 if codec == "h264" else sample[at + 4] >> 1 & 63
        out += sample[at + 4 : end] if kind in KEYS[codec] else b""
        at = end
    return out


def shift(recorded: Stream, source: Stream, within: float = 0.01) -> float:
    """The recording is one unbroken piece of the source, moved by so many seconds, which are the same throughout."""
    first = source.shas.index(recorded.shas[0])
    assert recorded.shas == source.shas[first : first + len(recorded.shas)]
    moves = [a - b for a, b in zip(recorded.times, source.times[first:], strict=False)]
    assert max(moves) - min(moves) < within
    return moves[0]


def sound_shift(recorded: Stream, source: Stream, rate: int) -> float:
    """As `shift`, for sound whose packets a server may cut anew: PCM of one byte a sample."""
    at = b"".join(source.samples).find(b"".join(recorded.samples))
    assert at >= 0
    return recorded.times[0] - at / rate


def size(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        about = container.streams.video[0].codec_context
        return about.width, about.height
