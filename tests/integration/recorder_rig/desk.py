"""One camera that a test drives sample by sample, in its own process, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from usenet.recorder.errors import RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.io import IO, Files
from usenet.recorder.policy import Flush
from usenet.recorder.recorder import Recorder, Rotate

from . import media
from .judge import Verdict, judge
from .takes import Camera, Take
from .witness import Log, Told, Witness, read

BY_HAND = Flush("time", 100, 3_600_000)
"""A chunk is three pictures; nobody syncs but the end of a segment, at a full hour neither."""


class Inline(Executor):
    """Does at once what is submitted: the same story makes the same calls in the same order."""

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


@dataclass
class Desk:
    """`errors`: what `write` raised; `told`: what was reported in the background; `taken`: which pictures were."""

    folder: Path
    io: IO = field(default_factory=Files)
    flush: Flush = BY_HAND
    rotate_s: float = 60
    more: dict[str, Any] = field(default_factory=dict)
    inline: bool = False
    errors: list[RecorderError] = field(default_factory=list)
    told: list[RecorderError] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    log: Path = Path()
    number: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.log = self.log if self.log.name else self.folder.parent / f"{self.folder.name}.log"
        log = Log(str(self.log))
        self.coordinator = Coordinator(steady=lambda: 0.0) if self.flush is BY_HAND else Coordinator()
        self.recorder = Recorder(
            self.folder,
            media.tracks(sound=False),
            flush=self.flush,
            rotate=Rotate(self.rotate_s),
            io=Witness(self.io, log),
            coordinator=self.coordinator,
            on_finished=lambda path: log.put("f", path, time.monotonic_ns()),
            on_error=lambda _, error: self.told.append(error),
            **self.more,
        )
        if self.inline:
            self.recorder._sealing = Inline()  # type: ignore[assignment]

    def take(self, count: int) -> None:
        """So many pictures more."""
        for _ in range(count):
            number, self.number = self.number, self.number + 1
            try:
                self.recorder.write(media.sample("desk camera", media.VIDEO, number))
            except RecorderError as error:
                self.errors.append(error)
            else:
                self.taken.append(number)

    def until(self, seen: Callable[[], object], most: int = 20_000) -> None:
        """Pictures until that is seen."""
        for _ in range(most):
            self.take(1)
            if seen():
                return
        raise AssertionError(f"{most} pictures, and it never came to that")

    def settled(self) -> None:
        """Every segment that has ended is finished, or could not be."""
        self.recorder._sealing.submit(int).result()

    def close(self) -> None:
        self.recorder.close()
        self.coordinator.close()

    def seen(self) -> Told:
        return read(self.log)

    def judge(self, moment: int | None = None, *, power: bool = False) -> Verdict:
        """Recovers. `power`: only what was durable at this moment has to be there, else all that was written."""
        camera = Camera("camera", str(self.folder), asdict(self.flush), self.rotate_s, sound=False)
        take = Take("desk", str(self.log), (camera,))
        return judge(take, moment or time.monotonic_ns(), power=power, live=False)


def abandoned(folder: Path, count: int = 3 * media.GOP) -> Desk:
    """A segment that nobody writes any more, as after a kill."""
    desk = Desk(folder)
    desk.take(count)
    assert desk.recorder._segment
    desk.recorder._segment.cut()
    desk.recorder._segment.close()
    desk.close()
    return desk
