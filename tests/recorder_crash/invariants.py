"""What must be true of a drive after a power cut, and of what recovery makes of it. Each breach is a sentence."""

from __future__ import annotations

import posixpath
import signal
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from usenet.recorder.errors import RecorderError
from usenet.recorder.policy import Recovery
from usenet.recorder.recovery import recover, recover_all

from .memory import Hang, MemIO
from .player import Playing, play, said
from .workloads import DIRECTORY, VIDEO, Promise, Story

Files = Mapping[str, bytes]
Recover = Callable[..., object]
SECONDS = 20
"""A recovery of some kilobytes that computes longer than this hangs."""


def unrecovered(files: Files, story: Story, promised: Mapping[str, Promise]) -> Iterator[str]:
    """I4, I7: before anything is recovered, a plain player gets all that was promised; a closed file is complete."""
    for path, promise in promised.items():
        given = story.submitted[path]
        if promise.closed and path not in files:
            yield f"I7: {path} was closed and is not there"
            continue
        if not any(promise.durable.values()):
            continue
        data = files.get(path) or files.get(path + ".part") or b""
        shown = play(data)
        for track, count in promise.durable.items():
            if shown.get(track, [])[:count] != given[track][:count]:
                yield f"I4: a player of {path} as it lies there lacks some of the {count} durable samples of {track}"
            if promise.closed and shown.get(track) != given[track]:
                yield f"I7: {path} was closed and is not what was handed in, track {track}"


def recovered(files: Files, policy: Recovery, *, deep: bool = False, sites: bool = False) -> tuple[MemIO, list[str]]:
    """Every segment of a drive recovered; and what was not as it should be on the way (I1)."""
    io = MemIO(files, sites=sites)
    breaches = []
    for path in sorted(files):
        if path.endswith(".mp4.part") or path.endswith(".mp4"):
            breaches += _guarded(lambda path=path: recover(path, policy=policy, deep=deep, io=io), io)
    return io, breaches


def started(files: Files, policy: Recovery) -> tuple[MemIO, list[str]]:
    """A whole directory recovered, as a recorder does when it starts; nothing lies about afterwards."""
    io = MemIO(files)
    breaches = _guarded(lambda: recover_all(DIRECTORY, policy=policy, io=io), io)
    for path in io.names:
        stem, end = posixpath.splitext(path)
        if end in (".index", ".commit") and f"{stem}.part" not in io.names:
            breaches.append(f"I1: {path} is left over")
    return io, breaches


def _guarded(run: Callable[[], object], io: MemIO) -> list[str]:
    try:
        with limited(SECONDS):
            run()
    except (RecorderError, OSError):
        pass
    except Hang as hang:
        return [f"I1: it hangs: {hang}"]
    except Exception as error:
        return [f"I1: {type(error).__name__}: {error}"]
    return [f"I1: {len(io.handles)} handles are left open"] if io.handles else []


def media(files: Files, story: Story) -> dict[str, Playing]:
    """What a player gets of each finished file."""
    return {path: play(files[path]) for path in story.submitted if path in files}


def truthful(
    got: Mapping[str, Playing], story: Story, promised: Mapping[str, Promise], policy: Recovery
) -> Iterator[str]:
    """I2, I3: nothing but what was handed in, in its order and at its time, and all of it that was promised."""
    for path, given in story.submitted.items():
        promise = promised.get(path, Promise({}))
        shown = got.get(path, {})
        for track, samples in given.items():
            mine = shown.get(track, [])
            whole = mine[: promise.durable.get(track, 0)] == samples[: promise.durable.get(track, 0)]
            if not whole:
                yield f"I3: {path}, track {track}: {promise.durable[track]} samples were durable, not all came back"
            yield from (f"{breach}: {path}, track {track}" for breach in _in_order(mine, samples, track, policy))
        if set(shown) - set(given):
            yield f"I2: {path} shows tracks that nobody recorded: {sorted(set(shown) - set(given))}"


def described(files: Files, story: Story) -> Iterator[str]:
    """I2: a finished file says of its tracks and of itself what the recorder was told."""
    for path, truth in story.said.items():
        if path in files:
            try:
                rows = said(files[path])
            except (KeyError, struct.error):
                rows = (b"",)
            if not all(row in truth for row in rows):
                yield f"I2: {path} says of its tracks what nobody told the recorder"


def _in_order(mine: list, samples: list, track: int, policy: Recovery) -> Iterator[str]:
    places = {shown: n for n, shown in enumerate(samples)}
    last = -1
    for shown in mine:
        place = places.get(shown, -1)
        if place <= last:
            yield "I2: a sample that was not handed in so, or not in this order"
            return
        if place > last + 1 and policy == "strict":
            yield "I2: strict goes on after a hole"
        if place > last + 1 and policy == "align" and track == VIDEO.id and not shown.sync:
            yield "I2: align goes on after a hole with a picture that is no key frame"
        last = place


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Hang, if this takes longer than `seconds` of this process's own time."""

    def stop(_: int, __: FrameType | None) -> NoReturn:
        raise Hang(f"more than {seconds} seconds of computing")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
