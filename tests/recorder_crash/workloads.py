"""What a recorder does on a drive while the power may fail: scripts of chunks, syncs and finished files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from unittest.mock import patch

from usenet.recorder import segment
from usenet.recorder.boxes.box import box
from usenet.recorder.policy import Flush, Recovery
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Movie, Track

from .memory import MemIO, Op
from .player import Playing, Said, Shown, said

DIRECTORY = "/r"
VIDEO = Track(1, "video", 90_000, box(b"avc1", bytes(8)), width=16, height=16, duration=3000)
AUDIO = Track(2, "audio", 48_000, box(b"mp4a", bytes(8)), language="deu", duration=1024)
NEVER = Flush("time", 1_000_000, 1_000_000, 1 << 30, 2)
"""Chunks and syncs are the script's alone."""


@dataclass(frozen=True, slots=True)
class Script:
    """`chunks` of `pictures` each, a sync after every `per_sync`, none behind chunk `synced`.

    A `reserve` of 96 sends the final moov to the tail.
    """

    name: str
    chunks: int = 5
    per_sync: int = 2
    synced: int = 1000
    pictures: int = 2
    reserve: int = 2048
    audio: bool = False
    reordered: bool = False
    segments: int = 1
    seal: bool = True


SCRIPTS = (
    Script("head"),
    Script("tail", reserve=96),
    Script("each", chunks=4, per_sync=1, audio=True),
    Script("late", chunks=3, per_sync=3, reordered=True, pictures=3),
    Script("rotate", chunks=2, per_sync=1, segments=2, pictures=1),
    Script("alive", chunks=6, per_sync=2, audio=True, reordered=True, seal=False),
)


class Promise(NamedTuple):
    """What has been promised of one file: how many samples of each track last, and whether it is finished."""

    durable: dict[int, int]
    closed: bool = False


@dataclass(slots=True)
class Story:
    """A script that was played: the drive at its start, all calls, what was handed in, and what was promised when."""

    name: str
    start: dict[str, bytes] = field(default_factory=dict)
    log: list[Op] = field(default_factory=list)
    submitted: dict[str, Playing] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    promises: list[tuple[int, str, Promise]] = field(default_factory=list)
    outcome: dict[str, Playing] | None = None  # what every recovery has to give, where that is known
    policy: Recovery | None = None  # the only policy that the outcome speaks of

    def promised(self, calls: int) -> dict[str, Promise]:
        """By path, the last promise that was made within the first `calls` calls."""
        return {path: promise for at, path, promise in self.promises if at <= calls}


def play(script: Script, io: MemIO | None = None, *, nonce: int = 1) -> Story:
    """The whole script on an empty drive. The same script and nonce give the same bytes."""
    io = io or MemIO()
    story = Story(script.name, log=io.log)
    with patch.object(segment, "reserve", lambda *_: script.reserve):
        made = _record(script, story, io, nonce)
    if script.seal:
        _seal(story, made)
    return story


def _record(script: Script, story: Story, io: MemIO, nonce: int) -> Segment:
    """One segment after the other; each is finished when the first chunk of the next one is there. The last stays."""
    earlier = None
    for number in range(script.segments):
        path, tracks = f"{DIRECTORY}/{number}.mp4", (VIDEO, AUDIO) if script.audio else (VIDEO,)
        story.submitted[path] = {track.id: [] for track in tracks}
        movie = Movie(title=script.name)
        made = Segment.create(path, tracks, movie=movie, flush=NEVER, io=io, nonce=nonce + 100 * number)
        for count, chunk in enumerate(_chunks(script, path, nonce), 1):
            _write(story, made, chunk)
            story.said.setdefault(path, said(io.files()[path + ".part"]))
            if count % script.per_sync == 0 and count <= script.synced:
                made.sync()
                _promise(story, made)
            if count == 1 and earlier:
                _seal(story, earlier)
        earlier = made
    return made


def _write(story: Story, made: Segment, chunk: list[tuple[int, Shown, int]]) -> None:
    for track, shown, duration in chunk:
        made.append(track, shown.data, dts=shown.dts, cts=shown.cts, duration=duration, sync=shown.sync)
        story.submitted[made.path][track].append(shown)
    made.cut()


def _seal(story: Story, made: Segment) -> None:
    made.seal()
    _promise(story, made, closed=True)


def _promise(story: Story, made: Segment, *, closed: bool = False) -> None:
    given = {track: len(samples) for track, samples in story.submitted[made.path].items()}
    story.promises.append((len(story.log), made.path, Promise(given, closed)))


def kept(story: Story) -> dict[str, bytes]:
    """The files of a story that came to its end, by every name that they ever had."""
    io, files = MemIO(story.start), dict(story.start)
    inodes = dict(io.names)
    contents = io.inodes
    for op in story.log:
        if op.kind == "new":
            inodes[op.name], contents[op.inode] = op.inode, bytearray()
        elif op.kind == "write":
            contents[op.inode].extend(bytes(max(0, op.offset - len(contents[op.inode]))))
            contents[op.inode][op.offset : op.offset + op.length] = op.data
    return files | {path: bytes(contents[inode]) for path, inode in inodes.items()}


def _chunks(script: Script, path: str, nonce: int) -> Iterator[list[tuple[int, Shown, int]]]:
    """Lists of (track, sample, duration); every second one begins with a key frame. Only bytes depend on nonce."""
    rng, noise = random.Random(script.name + path), random.Random(f"{script.name} {path} {nonce}")
    picture = sound = 0
    for number in range(script.chunks):
        chunk = []
        for n in range(script.pictures):
            length = 3000 + (rng.choice((0, 0, 90)) if script.audio else 0)
            late = (0, 6000, 3000)[n % 3] if script.reordered else 0
            key = n == 0 and number % 2 == 0
            chunk.append((VIDEO.id, Shown(noise.randbytes(rng.randint(20, 70)), picture, late, key), length))
            picture += length
        while script.audio and sound * VIDEO.timescale < picture * AUDIO.timescale:
            chunk.append((AUDIO.id, Shown(noise.randbytes(rng.randint(9, 14)), sound, 0, True), 1024))
            sound += 1024
        yield chunk
