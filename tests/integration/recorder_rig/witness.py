"""What was asked of a drive and when it answered, remembered where no crash of the recorder can take it."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usenet.recorder.io import IO

from . import media

SEEN = ("open", "pwrite", "sync", "truncate", "allocate", "punch", "rename", "unlink", "syncdir")
NEVER = 1 << 62


class Log:
    """Lines that are with the kernel when `put` returns. The call with the number `aim` rings a bell: PATH.bell.

    `ends`: not before so many calls, from that one on, that wrote to the head of a file that ends.
    """

    def __init__(self, path: str, aim: int = -1, ends: int = 0) -> None:
        self._aim, self._ends, self._bell = aim, ends, f"{path}.bell"
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = itertools.count()

    def number(self, *, ends: bool) -> int:
        """One that no other call has: itertools.count is one step for every thread."""
        number = next(self._numbers)
        if 0 <= self._aim <= number:
            self._ends -= ends
            if ends or number == self._aim:
                self._ring()
        return number

    def _ring(self) -> None:
        if self._ends <= 0:
            self._aim = -1
            Path(self._bell).write_bytes(b"!")

    def put(self, *words: object) -> None:
        os.write(self._handle, ("\t".join(map(str, words)) + "\n").encode())


class Witness:
    """Does what `real` does, and tells the log of every call that changes something: when it began, how it ended."""

    def __init__(self, real: IO, log: Log) -> None:
        self._real, self._log = real, log
        self._paths: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        return self._told(name, real) if name in SEEN else real

    def _told(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            path = arguments[0] if isinstance(arguments[0], str) else self._paths.get(arguments[0], "?")
            number = self._log.number(ends=name == "pwrite" and _ends(path, *arguments[1:]))
            marks = _marks(arguments[1]) if name == "pwrite" else ""
            self._log.put("b", number, name, path, time.monotonic_ns(), marks)
            try:
                done = real(*arguments)
            except OSError as error:
                self._log.put("x", number, error.errno, time.monotonic_ns())
                raise
            self._log.put("d", number, time.monotonic_ns())
            if name == "open":
                self._paths[done] = arguments[0]
            return done

        return call


def _ends(path: str, written: bytes, offset: int) -> bool:
    """Whether this goes to the head of a segment that is recorded already, as nothing but its end does."""
    return path.endswith(".part") and offset > 0 and bytes(written[4:8]) != b"moof"


def _marks(written: bytes) -> str:
    """The last sample of each track in a chunk; nothing for what is no chunk."""
    if bytes(written[4:8]) != b"moof":
        return ""
    data = bytes(written)
    return ",".join(f"{track}:{last}" for track in media.TICKS if (last := media.last_of(data, track)) >= 0)


@dataclass
class Call:
    name: str
    path: str
    begun: int
    marks: dict[int, int]
    ended: int = NEVER
    error: int = 0

    def done(self, before: int) -> bool:
        return not self.error and self.ended < before


@dataclass
class Told:
    """A log that was read."""

    calls: dict[int, Call] = field(default_factory=dict)
    handed: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))  # when, by number
    finished: dict[str, int] = field(default_factory=dict)
    stalls: list[tuple[int, int]] = field(default_factory=list)  # from when to when nobody was scheduled
    stretch: int = 1
    errors: list[str] = field(default_factory=list)

    def chunks(self, path: str) -> list[Call]:
        """Those of a segment, in their order."""
        return [call for call in self.calls.values() if call.path == f"{path}.part" and call.marks]

    def syncs(self, path: str) -> list[Call]:
        return [call for call in self.calls.values() if call.path == f"{path}.part" and call.name == "sync"]

    def durable(self, path: str, moment: int) -> dict[int, int]:
        """The last sample of each track that was promised to survive a power cut at this moment."""
        began = max((sync.begun for sync in self.syncs(path) if sync.done(moment)), default=0)
        return _last([chunk for chunk in self.chunks(path) if chunk.done(began)])

    def written(self, path: str, moment: int) -> dict[int, int]:
        """The last sample of each track whose chunk is with the kernel."""
        return _last([chunk for chunk in self.chunks(path) if chunk.done(moment)])

    def segments(self) -> list[str]:
        made = [call.path for call in self.calls.values() if call.name == "open" and call.path.endswith(".mp4.part")]
        return [path.removesuffix(".part") for path in dict.fromkeys(made)]

    def during(self, moment: int) -> list[str]:
        """What was under way at this moment."""
        return [f"{c.name} {Path(c.path).suffix}".strip() for c in self.calls.values() if c.begun <= moment < c.ended]


def _last(chunks: list[Call]) -> dict[int, int]:
    last: dict[int, int] = {}
    for chunk in chunks:
        for track, number in chunk.marks.items():
            last[track] = max(last.get(track, -1), number)
    return last


def read(path: Path) -> Told:
    told = Told()
    for line in path.read_text().split("\n")[:-1]:
        what, *words = line.split("\t")
        _READ[what](told, *words)
    return told


def _begun(told: Told, number: str, name: str, path: str, at: str, marks: str) -> None:
    pairs = dict(tuple(map(int, pair.split(":"))) for pair in marks.split(",") if pair)
    told.calls[int(number)] = Call(name, path, int(at), pairs)


def _done(told: Told, number: str, at: str) -> None:
    told.calls[int(number)].ended = int(at)


def _failed(told: Told, number: str, error: str, at: str) -> None:
    told.calls[int(number)].ended, told.calls[int(number)].error = int(at), int(error)


def _handed(told: Told, camera: str, track: str, number: str, at: str) -> None:
    when = told.handed[camera, int(track)]
    when.extend([NEVER] * (int(number) + 1 - len(when)))
    when[int(number)] = int(at)


def _stall(told: Told, begun: str, ended: str, stretch: str) -> None:
    told.stalls.append((int(begun), int(ended)))
    told.stretch = max(told.stretch, int(stretch))


_READ: dict[str, Callable[..., None]] = {
    "b": _begun,
    "d": _done,
    "x": _failed,
    "h": _handed,
    "l": _stall,
    "f": lambda told, path, at: told.finished.update({path: int(at)}),
    "e": lambda told, message: told.errors.append(message),
}
