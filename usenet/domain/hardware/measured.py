"""What ffmpeg said of its work: progress, cost, likeness, who encoded, why it failed. Never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"(\d+(?:\.\d+)?)"
_BENCH = re.compile(rf"bench: utime={_NUMBER}s stime={_NUMBER}s rtime={_NUMBER}s")
_LIKE = {"ssim": re.compile(rf"SSIM .*?All:{_NUMBER}"), "vmaf": re.compile(rf"VMAF score: {_NUMBER}")}
_MAPPING = re.compile(r"Stream #\S+ -> #\S+ \((\S+) \((\S+)\) -> (\S+) \((\S+)\)\)")
_PROBLEM = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] )*\[(?:error|fatal|panic)\] (.+)$", re.MULTILINE)
_PROGRESS = re.compile(r"^[a-z0-9_]+=\s*\S+$")
# Lines that follow from another one and say less.
_ECHOES = (
    "Conversion failed",
    "Error while filtering",
    "Error reinitializing filters",
    "Failed to inject frame",
    "Error while processing",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: of the processor, and of the clock from the first picture read to the last one written."""

    processor: float
    clock: float


@dataclass(frozen=True, slots=True)
class Mapping:
    """One stream: the codec and the program part that decoded it (`native`: ffmpeg's own), then of encoding."""

    decoded: str
    decoder: str
    encoded: str
    encoder: str


def pictures(progress: str) -> int:
    """How many pictures were done at the last whole line of `-progress`: given to an encoder, which may hold some."""
    counts = re.findall(r"^frame=\s*(\d+)\n", progress, re.MULTILINE)
    return int(counts[-1]) if counts else 0


def cost(log: str) -> Cost | None:
    """What `-benchmark` printed at the end; None where it did not come to that."""
    found = _BENCH.search(log)
    return Cost(float(found[1]) + float(found[2]), float(found[3])) if found else None


def likeness(log: str, measure: str) -> float | None:
    """The last figure of `ssim` (1: the same) or `vmaf` (100: looks the same)."""
    found = _LIKE[measure].findall(log)
    return float(found[-1]) if found else None


def mapping(log: str) -> Mapping | None:
    """Who decodes and who encodes, by ffmpeg's own stream mapping."""
    found = _MAPPING.search(log)
    return Mapping(*found.groups()) if found else None


def why(log: str) -> str:
    """Why ffmpeg failed: the first thing that it calls an error; else its last line; never more than one line."""
    problems = [text.strip() for text in _PROBLEM.findall(log)]
    telling = [text for text in problems if not text.startswith(_ECHOES)]
    spoken = [line.strip() for line in log.splitlines() if line.strip() and not _PROGRESS.match(line)]
    lines = telling or problems or spoken[-1:]
    told = lines[0].rstrip(".") if lines else "it said nothing"
    return "".join(c if c.isprintable() else "?" for c in told)  # whoever made the image wrote it
