"""Who records: ours by preset, and the others by the command that a person would give. Each reads FLV from a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.recorder.material import Material

INSIDE = Path(__file__).parent / "inside.py"
FRAGMENTED = ("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "1000000")
AT_KEYS = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof")


@dataclass(frozen=True, slots=True)
class Recorder:
    """`command`: OUT stands for the path of the file, or for ours of the directory."""

    name: str
    command: tuple[str, ...]
    suffix: str = "mp4"
    ours: bool = False

    def words(self, out: Path) -> list[str]:
        return [word.replace("OUT", str(out)) for word in self.command]

    def out(self, folder: Path) -> Path:
        return folder / "ours" if self.ours else folder / f"out.{self.suffix}"


def ours(material: Material, preset: str) -> Recorder:
    folder = str(material.file.parent)
    return Recorder(f"ours, {preset}", (*inside("record"), folder, preset, "OUT"), ours=True)


def others() -> list[Recorder]:
    """Those that this machine has. Longest known first: the plain file that keeps its index for the end."""
    found = [
        _ffmpeg("ffmpeg plain MP4"),
        _ffmpeg("ffmpeg fMP4, 1 s", *FRAGMENTED),
        _ffmpeg("ffmpeg fMP4, key frames", *AT_KEYS),
        Recorder("libav hybrid MP4, 1 s", (*inside("hybrid"), "OUT")),
        _ffmpeg("ffmpeg mkv", suffix="mkv"),
        _ffmpeg("ffmpeg mpegts", suffix="ts"),
    ]
    return [*found, gst_robust()] if shutil.which("gst-launch-1.0") else found


def gst_robust(hours: float = 0.25) -> Recorder:
    """GStreamer's robust muxing: room for the index at the head, written anew every second."""
    reserve = f"reserved-max-duration={int(hours * 3600 * 1e9)} reserved-moov-update-period=1000000000"
    line = f"""fdsrc fd=0 ! flvdemux name=d  mp4mux name=m {reserve} ! filesink location=OUT
        d.video ! queue ! h264parse ! m.  d.audio ! queue ! aacparse ! m."""
    return Recorder("GStreamer robust MP4, 1 s", ("gst-launch-1.0", "-q", "-e", *line.split()))


def inside(part: str) -> Sequence[str]:
    return (sys.executable, str(INSIDE), part)


def _ffmpeg(name: str, *flags: str, suffix: str = "mp4") -> Recorder:
    start = ("ffmpeg", "-v", "error", "-f", "flv", "-i", "pipe:0", "-c", "copy")
    return Recorder(name, (*start, *flags, "-y", "OUT"), suffix)
