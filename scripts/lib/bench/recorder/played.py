"""How much of a file a player gets out of it, and whether that is what went in."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

from bench.recorder.material import RATE


@dataclass(frozen=True, slots=True)
class Played:
    """`seconds` of pictures that are what was recorded, in their place; `wrong`: pictures that are something else."""

    seconds: float
    wrong: int


def played(file: Path, sums: list[int]) -> Played:
    """Ask libav. MPEG-TS changes the bytes of each picture: there they are only counted, all but the last."""
    import av

    numbers: list[tuple[int, int]] = []
    try:
        with av.open(str(file)) as source:
            scale = source.streams.video[0].time_base
            for packet in source.demux(video=0):
                if packet.size and packet.pts is not None and scale:
                    numbers.append((round(float(packet.pts * scale) * RATE), zlib.crc32(bytes(packet))))
    except (av.error.FFmpegError, OSError, IndexError):
        pass
    if not numbers:
        return Played(0.0, 0)
    if file.suffix == ".ts":
        return Played((len(numbers) - 1) / RATE, 0)
    first = numbers[0][0]
    right = sum(sums[(number - first) % len(sums)] == found for number, found in numbers)
    return Played(right / RATE, len(numbers) - right)
