"""Defects that the rig must find: a rig that passes a recorder with one of these shows nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

from usenet.recorder import finalise, fragment
from usenet.recorder.flusher import Coordinator
from usenet.recorder.io import Files
from usenet.recorder.pending import Pending
from usenet.recorder.segment import Segment


def _no_sync() -> None:
    """What was promised is only with the kernel."""
    Files.sync = lambda self, handle: None  # type: ignore[method-assign]


def _no_coordinator() -> None:
    """Nobody syncs but the end of a segment."""
    Coordinator._flush = lambda self, member: None  # type: ignore[method-assign]


def _early_flip() -> None:
    """The final moov counts before it is durable."""

    def finish(io, part, path, head, found):  # type: ignore[no-untyped-def]
        io.pwrite(part, head.flip, 32)
        io.sync(part)
        return real(io, part, path, head, found)

    real = finalise.finish
    finalise.finish = finish


def _slow_chunks() -> None:
    """Chunks are only cut by the coordinator, whatever the policy says."""
    Pending.full = lambda self, track: False  # type: ignore[method-assign]


def _wrong_byte() -> None:
    """Now and then a sample is not what was handed in."""
    real = Segment.append

    def append(self, track, data, **more):  # type: ignore[no-untyped-def]
        real(self, track, data[:-1] + os.urandom(1), **more)

    Segment.append = append  # type: ignore[method-assign]


def _wrong_time() -> None:
    real = fragment.write

    def write(chunk, nonce):  # type: ignore[no-untyped-def]
        runs = tuple(run._replace(base=run.base + chunk.seq % 2) for run in chunk.runs)
        return real(chunk._replace(runs=runs), nonce)

    fragment.write = write


DEFECTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "no sync": _no_sync,
    "no coordinator": _no_coordinator,
    "early flip": _early_flip,
    "slow chunks": _slow_chunks,
    "wrong byte": _wrong_byte,
    "wrong time": _wrong_time,
}


def apply(name: str) -> None:
    DEFECTS[name]()
