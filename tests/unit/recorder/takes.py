"""Segments made of samples whose every byte is known, and what files hold of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from usenet.recorder.boxes.box import box
from usenet.recorder.reader import read
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Track

VIDEO = Track(1, "video", 90_000, box(b"avc1", bytes(78)), width=64, height=48, duration=3000)
AUDIO = Track(2, "audio", 48_000, box(b"mp4a", bytes(28)), duration=1024)
TRACKS = (VIDEO, AUDIO)


class Take(NamedTuple):
    """One sample as it is given to a segment."""

    track: int
    data: bytes
    dts: int
    cts: int
    sync: bool


def takes(seconds: float, seed: int = 1, gop: int = 30) -> Iterator[Take]:
    """Pictures with B-frames at 30 a second and sound, as they come: in the order of their times."""
    chance = random.Random(seed)
    video = [
        Take(1, chance.randbytes(200 if at % gop else 900), at * 3000, (at % 3) * 3000, not at % gop)
        for at in range(int(seconds * 30))
    ]
    audio = [Take(2, chance.randbytes(40), at * 1024, 0, True) for at in range(int(seconds * 48_000 / 1024))]
    return iter(sorted(video + audio, key=lambda take: take.dts / (90_000 if take.track == 1 else 48_000)))


def give(segment: Segment, given: Iterator[Take] | list[Take]) -> None:
    for take in given:
        segment.append(take.track, take.data, dts=take.dts, cts=take.cts, sync=take.sync)


def held(path: Path) -> list[Take]:
    """Every sample that a file holds, as an independent reader finds it, track by track; times as they are shown."""
    data, out = path.read_bytes(), []
    for track in read(path).tracks:
        for row in track:
            sample = data[row.offset : row.offset + row.size]
            out.append(Take(track.id, sample, row.pts - (row.cts - row.dts), row.cts - row.dts, row.sync))
    return out


def by_track(given: list[Take]) -> list[Take]:
    return sorted(given, key=lambda take: (take.track, take.dts))
