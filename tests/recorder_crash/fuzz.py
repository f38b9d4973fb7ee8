"""Files that no recorder wrote: segments with flipped bits, missing ends, foreign parts and lying sizes, recovered."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from .enumerator import POLICIES
from .invariants import described, media, recovered, truthful
from .states import Drive
from .workloads import SCRIPTS, Story, play

Bytes = bytearray
_BOX = re.compile(rb"ftyp|moov|free|RHD1|moof|mdat|mfhd|traf|tfhd|tfdt|trun|uuid|trak|stsz|stts|stsc|co64|RIDX|RCMT")
_SIZES = (0, 1, 2, 7, 8, 9, 15, 16, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Base:
    """The files of a story at one instant, nothing lost."""

    story: Story
    files: dict[str, bytes]


@dataclass(slots=True)
class Found:
    """How many were tried, from how many something came back, and each breach with the number that makes it again."""

    tried: int = 0
    useful: int = 0
    breaches: list[tuple[int, str]] = field(default_factory=list)


def bases() -> list[Base]:
    """Every script at every fourth call and at its last ones; each script's segments have a nonce of their own."""
    found = []
    for number, script in enumerate(SCRIPTS, 1):
        story = play(script, nonce=number)
        drive = Drive({}, 512)
        for calls, op in enumerate(story.log, 1):
            drive.feed(op)
            if calls % 4 == 0 or calls > len(story.log) - 16:
                files = drive.content(drive.kept())
                if any(path.endswith(".part") for path in files):
                    found.append(Base(story, files))
    return found


def run(seeds: range, base: list[Base]) -> Found:
    """One mutated set of files for each seed, recovered with every checksum looked at; every fourth without, too."""
    found = Found()
    for seed in seeds:
        rng = random.Random(seed)
        one = rng.choice(base)
        files = mutated(one, base, rng)
        policy = rng.choice(POLICIES)
        io, breaches = recovered(files, policy, deep=True)
        if seed % 4 == 0:  # what is believed unread may be wrong then, but nothing may fail
            breaches += recovered(files, policy)[1]
        left = io.files()
        breaches += [
            f"{path} was finished and is changed"
            for path in files
            if path.endswith(".mp4") and left.get(path) != files[path]
        ]
        new = {path: data for path, data in left.items() if path not in files}
        got = media(new, one.story)
        breaches += [*truthful(got, one.story, {}, policy), *described(new, one.story)]
        found.tried += 1
        found.useful += any(shown for playing in got.values() for shown in playing.values())
        found.breaches += [(seed, breach) for breach in breaches]
    return found


def mutated(one: Base, base: list[Base], rng: random.Random) -> dict[str, bytes]:
    """One to three changes, most of them in the media file."""
    files = dict(one.files)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        path = _some(files, rng)
        if rng.randrange(60) == 0 and not path.endswith((".part", ".mp4")):
            del files[path]
            continue
        changed = Bytes(files[path])
        other = rng.choice(base)
        rng.choice(CHANGES)(changed, other.files.get(_some(other.files, rng), b""), rng)
        files[path] = bytes(changed)
    return files


def _some(files: dict[str, bytes], rng: random.Random) -> str:
    names = sorted(files)
    media_ = [name for name in names if name.endswith((".part", ".mp4"))]
    return rng.choice(media_ if rng.randrange(3) else names)


def _span(data: Bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 4, 16, 64, 256, 512)))


def _bit(data: Bytes, _: bytes, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _zeros(data: Bytes, _: bytes, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[start:end] = bytes(end - start)


def _noise(data: Bytes, _: bytes, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[start:end] = rng.randbytes(end - start)


def _cut(data: Bytes, _: bytes, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _longer(data: Bytes, _: bytes, rng: random.Random) -> None:
    data += rng.choice((bytes, rng.randbytes))(rng.choice((1, 7, 8, 100, 600)))


def _splice(data: Bytes, other: bytes, rng: random.Random) -> None:
    """Foreign bytes from the same place, or from anywhere, over ours or between them."""
    if other:
        start, end = _span(data, rng)
        place = start if rng.randrange(2) else rng.randrange(len(other))
        data[start : end if rng.randrange(4) else start] = other[place : place + end - start]


def _again(data: Bytes, _: bytes, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[end:end] = data[start:end]


def _missing(data: Bytes, _: bytes, rng: random.Random) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _swapped(data: Bytes, _: bytes, rng: random.Random) -> None:
    start, end = _span(data, rng)
    place = rng.randrange(len(data) + 1)
    length = min(end - start, len(data) - place)
    data[start : start + length], data[place : place + length] = (
        data[place : place + length],
        data[start : start + length],
    )


def _size(data: Bytes, _: bytes, rng: random.Random) -> None:
    """A size, or a number behind a box's name, that is off by a little or says anything."""
    names = [found.start() for found in _BOX.finditer(data)]
    if names:
        at = rng.choice(names) + rng.choice((-4, -4, 4, 8, 12, 16))
        if 0 <= at <= len(data) - 4:
            was = int.from_bytes(data[at : at + 4], "big")
            value = rng.choice((was + rng.choice((-8, -4, -1, 1, 4, 8)), rng.choice(_SIZES), rng.getrandbits(32)))
            data[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")


def _chunks(data: Bytes, _: bytes, rng: random.Random) -> None:
    """Whole fragments exchanged, doubled or taken out."""
    starts = [found.start() - 4 for found in re.finditer(b"moof", data)] + [len(data)]
    if len(starts) < 3 or starts[0] < 0:
        return
    parts = [bytes(data[start:end]) for start, end in pairwise(starts)]
    a, b = rng.randrange(len(parts)), rng.randrange(len(parts))
    how = rng.randrange(4)
    if how == 0:
        parts[a], parts[b] = parts[b], parts[a]
    elif how == 1:
        parts.insert(a, parts[b])
    elif how == 2:
        parts[a] = parts[b]
    else:
        del parts[a]
    data[starts[0] :] = b"".join(parts)


Change = Callable[[Bytes, bytes, random.Random], None]
CHANGES: tuple[Change, ...] = (
    *(_bit, _bit, _bit, _zeros, _noise, _cut, _longer, _splice, _splice),
    *(_again, _missing, _swapped, _size, _size, _size, _chunks),
)
