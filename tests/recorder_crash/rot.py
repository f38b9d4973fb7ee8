"""A drive that keeps one byte wrongly: it may cost the chunk in which it lies, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from .invariants import described, media, recovered
from .memory import MemIO
from .player import Playing, play
from .states import Drive
from .workloads import DIRECTORY, SCRIPTS, Script, Story
from .workloads import play as record

PATH = f"{DIRECTORY}/0.mp4"
PART = f"{PATH}.part"
NAMES = tuple(script.name for script in SCRIPTS if script.segments == 1)
KINDS = ("live", "alone", "sealed")
"""As it is being recorded; without index and commit; or finished but for its name."""

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Base:
    """A segment without its name: its files, where its chunks lie, and which samples each has."""

    story: Story
    files: dict[str, bytes]
    chunks: list[tuple[int, int, Playing]]


@cache
def base(name: str, kind: str) -> Base:
    script = next(script for script in SCRIPTS if script.name == name)
    story = record(replace(script, seal=kind == "sealed"))
    drive = Drive({}, 512)
    for op in story.log:
        if op.kind == "rename":
            break
        drive.feed(op)
    files = drive.content(drive.kept())
    part = record_part(replace(script, seal=False))
    starts = [at - 4 for at in range(len(part)) if part.startswith(b"moof", at)]
    before: Playing = {}
    chunks = []
    for start, end in zip(starts, [*starts[1:], len(part)], strict=True):
        upto = play(part[:end])
        chunks.append((start, end, {k: v[len(before.get(k, [])) :] for k, v in upto.items()}))
        before = upto
    return Base(story, {PART: files[PART]} if kind == "alone" else files, chunks)


def record_part(script: Script) -> bytes:
    """The part of a script that was not finished."""
    io = MemIO()
    record(script, io)
    return io.files()[PART]


def places(name: str, kind: str) -> Iterator[Place]:
    """Every byte that may go: of all files, or of the chunks, where there is no index that repeats the head."""
    one = base(name, kind)
    for path, data in one.files.items():
        first = one.chunks[0][0] if kind == "alone" else 0
        yield from ((path, at) for at in range(first, len(data)))


def breaches(name: str, kind: str, where: Iterable[Place]) -> Iterator[str]:
    """For each place one recovery with `deep`; what was lost beyond the chunk that has the place."""
    one = base(name, kind)
    for path, at in where:
        data = bytearray(one.files[path])
        data[at] ^= 1 << at % 8
        io, found = recovered(one.files | {path: bytes(data)}, "skip", deep=True)
        got = media(io.files(), one.story).get(PATH, {})
        found += described(io.files(), one.story)
        if _some(got) not in (_expected(one, -1), _expected(one, at if path == PART else -1)):
            found.append("more was lost than the chunk that has this byte")
        yield from (f"{name}, {kind}, byte {at} of {path}: {breach}" for breach in found)


def _expected(one: Base, at: int) -> Playing:
    """All samples but those of the chunk at `at`."""
    whole: Playing = {}
    for start, end, samples in one.chunks:
        if not start <= at < end:
            for track, shown in samples.items():
                whole.setdefault(track, []).extend(shown)
    return _some(whole)


def _some(playing: Playing) -> Playing:
    """Tracks that have samples."""
    return {track: shown for track, shown in playing.items() if shown}
