"""What others read from a file: libav in two versions, GStreamer, mkvmerge, MediaInfo."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import av
from pymediainfo import MediaInfo

from tests.integration.recorder_films.making import Row, row


def by_id(path: Path) -> dict[int, list[Row]]:
    """The samples of each track by its number, as PyAV's libav gives them."""
    with av.open(str(path)) as container:
        out: dict[int, list[Row]] = {stream.id: [] for stream in container.streams}
        for packet in container.demux():
            if packet.size:
                out[packet.stream.id].append(row(packet.dts, packet.pts, packet.is_keyframe, bytes(packet)))
    return out


def by_pyav(path: Path) -> list[list[Row]]:
    """Each track's samples, as PyAV's libav gives them."""
    return list(by_id(path).values())


def ffprobe(path: Path, *words: str) -> dict[str, Any]:
    """What Debian's ffprobe says; that it has nothing to complain of, but codecs that it does not know, is asserted."""
    run = subprocess.run(["ffprobe", "-v", "warning", *words, "-of", "json", path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    complaints = [line for line in run.stderr.splitlines() if "Unsupported codec with id 0" not in line]
    assert not complaints, complaints
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def by_ffprobe(path: Path) -> list[list[Row]]:
    """Each stream's samples, as Debian's libav gives them."""
    said = ffprobe(path, "-show_packets", "-show_streams", "-show_data_hash", "sha256")
    out: list[list[Row]] = [[] for _ in said["streams"]]
    for each in said["packets"]:
        key, size, sha = "K" in each["flags"], int(each["size"]), each["data_hash"].removeprefix("SHA256:")
        out[each["stream_index"]].append(Row(each["dts"], each["pts"], key, size, sha))
    return out


def by_gstreamer(path: Path, kinds: list[str], out: Path) -> list[str]:
    """The SHA-256 of each track's bytes as GStreamer's demuxer gives them; `kinds` are the tracks', in their order."""
    pads, seen = [], dict.fromkeys(kinds, 0)
    for at, kind in enumerate(kinds):
        pads += [f"d.{kind}_{seen[kind]}", "!", "queue", "!", "filesink", "async=false", f"location={out}/{at}.raw"]
        seen[kind] += 1
    run = subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={path}", "!", "qtdemux", "name=d", *pads],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return [hashlib.sha256((out / f"{at}.raw").read_bytes()).hexdigest() for at in range(len(kinds))]


def by_mkvmerge(path: Path) -> dict[str, Any]:
    run = subprocess.run(["mkvmerge", "-J", path], capture_output=True, text=True)
    said: dict[str, Any] = json.loads(run.stdout)
    assert not said["errors"], said["errors"]
    assert not said["warnings"], said["warnings"]
    return said


def by_mediainfo(path: Path) -> list[dict[str, Any]]:
    """MediaInfo's tracks, the first is the file itself. That it finds nothing against the standard is asserted."""
    said: list[dict[str, Any]] = MediaInfo.parse(path).to_data()["tracks"]
    against = {key: value for track in said for key, value in track.items() if "conformance" in key}
    assert not against, against
    return said


def decoded(path: Path, kind: str) -> list[str]:
    """The SHA-256 of each stream of pictures ("v") or sound ("a") as ffmpeg decodes it."""
    form = ["-fps_mode", "passthrough"] if kind == "v" else ["-c:a", "pcm_s32le"]
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:{kind}", *form, "-f", "streamhash", "-hash", "sha256", "-"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr
    return [line.rpartition("=")[2] for line in run.stdout.splitlines()]
