"""The films: what ffmpeg is asked for, and what libav reads from what it made."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from usenet.recorder.boxes import entries
from usenet.recorder.tracks import Sample, Track

SMALL = "320x180"


def scene(size: str = SMALL, rate: int = 25) -> list[str]:
    """Pictures that move."""
    return ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d=2"]


def tone(rate: int = 48_000, pitch: int = 440) -> list[str]:
    return ["-f", "lavfi", "-i", f"sine=r={rate}:f={pitch}:d=2"]


X264 = ["-c:v", "libx264", "-preset", "veryfast", "-g", "12", "-bf", "3", "-b_strategy", "0"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]
DEEP = ["-pix_fmt", "yuv420p10le"]
OPUS = ["-c:a", "libopus"]
SOUNDS = ("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be")
LANGUAGES = ("ger", "eng", "fra", "jpn", "ita", "spa", "pol", "dan", "fin", "por")

# name → (how its file ends, what ffmpeg is asked for)
FILMS: dict[str, tuple[str, list[str]]] = {
    "h264 with b-frames, sound 0.7 s late": (
        "mp4",
        [*scene(), "-itsoffset", "0.7", *tone(44_100), *X264, "-c:a", "aac", "-metadata:s:a", "language=ger"],
    ),
    "hevc of 10 bits with open groups, opus": (
        "mp4",
        [*scene(), *tone(), *X265, "bframes=4:b-adapt=0:keyint=25:open-gop=1:log-level=0", *DEEP, *OPUS],
    ),
    "av1 of svt, opus": (
        "mp4",
        [*scene(), *tone(), "-c:v", "libsvtav1", "-preset", "12", "-g", "25", *OPUS],
    ),
    "av1 of libaom": ("mkv", [*scene(), "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-g", "25"]),
    "vp9, opus": (
        "webm",
        [*scene(), *tone(), "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", *OPUS],
    ),
    "h264 in annex b, aac in adts": ("ts", [*scene(), *tone(), *X264, "-c:a", "aac"]),
    "hevc in annex b": ("ts", [*scene(), *X265, "bframes=3:b-adapt=0:keyint=25:log-level=0"]),
    "pictures at odd times": (
        "mp4",
        [
            *scene(rate=60),
            "-vf",
            "select='lt(mod(n*n,7),3)'",
            "-fps_mode",
            "vfr",
            *X264,
            "-video_track_timescale",
            "90000",
        ],
    ),
    "120 pictures a second": ("mp4", [*scene(rate=120), *X264]),
    "2160p": ("mp4", [*scene("3840x2160"), "-frames:v", "5", *X264, "-preset", "ultrafast"]),
    "4320p": ("mp4", [*scene("7680x4320"), "-frames:v", "2", *X264, "-preset", "ultrafast"]),
    "all kinds of sound, each in its language": (
        "mov",
        [*scene(), *tone(), *tone(8_000, 880), "-map", "0:v"]
        + ["-map", "1:a"] * len(SOUNDS)
        + ["-map", "2:a"] * 2
        + [*X264, *(word for at, name in enumerate(SOUNDS) for word in (f"-c:a:{at}", name)), "-ac", "2"]
        + ["-c:a:8", "pcm_alaw", "-c:a:9", "pcm_mulaw"]
        + [word for at, code in enumerate(LANGUAGES) for word in (f"-metadata:s:a:{at}", f"language={code}")],
    ),
    "high sound": (
        "mov",
        [*tone(96_000), "-map", "0", "-map", "0", "-c:a:0", "pcm_s16le", "-c:a:1", "pcm_s24be", "-ac", "6"],
    ),
}
UNCODED = ("all kinds of sound, each in its language", "high sound")
MATROSKA = "h264 of matroska"  # libav gives its first pictures no time of decoding
FILMS_WITHOUT_TIMES = {MATROSKA: ("mkv", [*scene(), *tone(), *X264, "-c:a", "aac"])}
SLOW_FILMS: dict[str, tuple[str, list[str]]] = {
    "4320p of hevc": ("mp4", [*scene("7680x4320"), "-frames:v", "2", *X265, "log-level=0"]),
    "4320p of av1": ("mp4", [*scene("7680x4320"), "-frames:v", "2", "-c:v", "libsvtav1", "-preset", "12"]),
}


@functools.cache
def shelf() -> Path:
    """A folder for the films of this process, which is gone when it ends."""
    made = Path(tempfile.mkdtemp(prefix="films-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def film(name: str) -> Path:
    """The file, made once."""
    ending, words = (FILMS | FILMS_WITHOUT_TIMES | SLOW_FILMS)[name]
    path = shelf() / f"{len(list(shelf().iterdir()))}.{ending}"
    ffmpeg(*words, str(path))
    return path


def ffmpeg(*words: str) -> None:
    run = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *words], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@dataclass(frozen=True)
class Row:
    """One sample, in ticks of its track. `sha` is that of its bytes."""

    dts: int
    pts: int
    key: bool
    size: int
    sha: str


@dataclass
class Stream:
    """One stream of a source: its track and its samples, with the source's own times."""

    track: Track
    rows: list[Row] = field(default_factory=list)
    whole: bytes = b""

    def add(self, sample: Sample) -> None:
        assert sample.pts is not None
        self.rows.append(row(sample.pts if sample.dts is None else sample.dts, sample.pts, sample.sync, sample.data))
        self.whole += sample.data


def row(dts: int, pts: int, key: bool, data: bytes) -> Row:
    return Row(dts, pts, key, len(data), hashlib.sha256(data).hexdigest())


def samples(path: Path) -> tuple[list[Track], list[Sample]]:
    """What a source would give of this file: tracks by their parameters, and samples in the order of the file."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if packet.size]
        first = {packet.stream_index: bytes(packet) for packet in reversed(packets)}
        tracks = {stream.index: _track(stream, first[stream.index]) for stream in container.streams}
        codecs = {stream.index: stream.codec_context for stream in container.streams}
        out = []
        for packet in packets:
            codec = codecs[packet.stream_index]
            data = entries.to_mp4(codec.codec.canonical_name, bytes(packet), codec.extradata or b"")
            id_ = tracks[packet.stream_index].id
            out.append(Sample(id_, data, packet.dts, packet.pts, packet.is_keyframe, packet.duration or None))
    return list(tracks.values()), out


def _track(stream: av.stream.Stream, first: bytes) -> Track:
    codec = stream.codec_context
    base: Fraction = stream.time_base
    assert base.numerator == 1
    sound = stream.type == "audio"
    return entries.track(
        stream.index + 1,
        codec.codec.canonical_name,
        timescale=base.denominator,
        extradata=codec.extradata or first,
        rate=codec.sample_rate if sound else 0,
        channels=codec.channels if sound else 0,
        language=stream.metadata.get("language", "und"),
    )
