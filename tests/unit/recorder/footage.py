"""Films for tests: made by ffmpeg once a session, and segments of ours recorded from them, sample by sample."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.reader import Mp4Track, read
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Movie, Track

START = 1_780_000_000_000_000_000  # UTC ns at which every recording here begins
SCENE = (
    *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=30", "-f", "lavfi", "-i", "sine=r=48000:f=440"),
    *("-f", "lavfi", "-i", "sine=r=44100:f=880", "-t", "6", "-map", "0:v", "-map", "1:a", "-map", "2:a"),
    *("-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "aac", "-b:a", "48k"),
    *("-metadata:s:a:0", "language=ger", "-metadata", "title=Gate"),
)
WAYS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "faststart": ("-movflags", "+faststart"),
    "fragmented": ("-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
    "offsets from the file": ("-movflags", "+frag_keyframe"),
    "a fragment a frame": ("-movflags", "+frag_every_frame+separate_moof+empty_moov"),
    "b-frames": ("-bf", "3", "-preset", "veryfast"),
    "b-frames fragmented": ("-bf", "3", "-preset", "veryfast", "-movflags", "+frag_keyframe+empty_moov"),
}


@functools.cache
def _shelf() -> Path:
    shelf = Path(tempfile.mkdtemp(prefix=f"footage-{os.getpid()}-"))
    atexit.register(shutil.rmtree, shelf, ignore_errors=True)
    return shelf


@functools.cache
def film(way: str = "plain", *more: str) -> Path:
    """Six seconds of 30 pictures, a key frame each second, two languages; made once."""
    out = _shelf() / f"{len(list(_shelf().iterdir()))}.mp4"
    ffmpeg(*SCENE, *WAYS[way], *more, str(out))
    return out


def ffmpeg(*words: str) -> str:
    """What it said; an error of it is an error of the test."""
    run = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *words], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stderr


def ffprobe(path: Path | str, *words: str) -> dict[str, list[dict[str, str]]]:
    run = subprocess.run(
        ["ffprobe", "-v", "error", *words, "-of", "json", str(path)], capture_output=True, text=True, check=True
    )
    assert not run.stderr, run.stderr
    found: dict[str, list[dict[str, str]]] = json.loads(run.stdout)
    return found


def packets(path: Path | str, stream: int) -> list[tuple[int, int, bool]]:
    """pts, size and key of each packet, as libav has them."""
    found = ffprobe(path, "-show_packets", "-select_streams", str(stream))["packets"]
    return [(int(each["pts"]), int(each["size"]), "K" in each["flags"]) for each in found]


def pictures(path: Path | str, stream: str = "0:v:0") -> list[str]:
    """The MD5 of each picture (or block of sound) that a player shows, in order, each at its own time."""
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", stream, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr
    return [line.split(",")[-1].strip() for line in run.stdout.splitlines() if not line.startswith("#")]


def recorded(
    path: Path,
    source: Path,
    *,
    flush: Flush = PRESETS["default"],
    seal: bool = True,
    begin: int = START,
    tracks: Sequence[int] = (),
    first: float = 0,
    last: float = 1e9,
    seconds: float = 900,
) -> Segment:
    """A segment of ours with the samples of `source` between two times (seconds); presented as they were there."""
    movie = read(source)
    chosen = [each for each in movie.tracks if not tracks or each.id in tracks]
    ours = [_track(each) for each in chosen]
    segment = Segment.create(
        str(path), ours, movie=Movie(begin, title="Gate", tags=(("camera", "north"),)), flush=flush, seconds=seconds
    )
    for _, track, data, dts, cts, sync, shown in sorted(_rows(source, chosen, first, last), key=lambda row: row[0]):
        segment.append(track, data, dts=dts, cts=cts, sync=sync, wall_ns=begin + round(shown * 1e9))
    if seal:
        segment.seal()
    else:
        segment.cut()
    return segment


def _track(each: Mp4Track) -> Track:
    head = (each.timescale, each.entries[0], each.language, each.width, each.height, each.name)
    return Track(each.id, each.kind, *head, each.samples.duration(0))  # type: ignore[arg-type]


def _rows(
    source: Path, chosen: Sequence[Mp4Track], first: float, last: float
) -> Iterator[tuple[float, int, bytes, int, int, bool, float]]:
    """(seconds from `first`, track, data, dts, cts offset, sync, seconds when it is shown)."""
    with source.open("rb") as file:
        for track in chosen:
            zero = round(first * track.timescale)
            for sample in track:
                dts = (sample.dts if track.kind == "video" else sample.pts) - zero
                at = dts / track.timescale
                if 0 <= at < last - first:
                    file.seek(sample.offset)
                    shown = sample.pts - zero
                    row = (at, track.id, file.read(sample.size), dts, shown - dts)
                    yield *row, sample.sync, shown / track.timescale
