"""Programs that would not end by themselves, run at the same time for a while."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from usenet.adapters.shell import Done, environ, located, uninterrupted

_ENDING = 2.0  # seconds for a process that was killed, to end, on a machine that is as busy as it can be


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ran beside others. `opened` and `closed`: its stdout when the time that counts began and ended."""

    code: int
    out: str
    err: str
    opened: str
    closed: str


def run(
    commands: Sequence[Sequence[str]],
    *,
    begun: Callable[[str], bool],
    patience: float,
    window: float,
    grace: float,
    tick: Callable[[], None],
) -> tuple[float, tuple[Ran, ...]]:
    """Run programs that would not end by themselves, all at the same time; the seconds that counted, and each.

    Time counts from when each one's stdout satisfies `begun`, or `patience` is over, for `window` seconds, or until
    all have ended. `tick` is called a few times a second. Then each gets what Ctrl-C sends, and `grace` seconds to end.
    """
    with ExitStack() as open_ones:
        started = []
        for command in commands:
            with uninterrupted():
                started.append(open_ones.enter_context(_beside(command)))
        _wait(lambda: all(one.is_over() or begun(one.out()) for one in started), patience, tick)
        opened, since = [one.out() for one in started], time.monotonic()
        _wait(lambda: all(one.is_over() for one in started), window, tick)
        closed, counted = [one.out() for one in started], time.monotonic() - since
        for one in started:
            one.process.send_signal(signal.SIGINT)
        _wait(lambda: all(one.is_over() for one in started), grace, tick)
        for one in started:
            one.process.kill()
        ran = zip((one.finished() for one in started), opened, closed, strict=True)
        return counted, tuple(Ran(done.code, done.out, done.err, first, last) for done, first, last in ran)


def _wait(over: Callable[[], bool], seconds: float, tick: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while not over() and (left := end - time.monotonic()) > 0:
        time.sleep(min(0.05, left))
        tick()


@dataclass(frozen=True, slots=True)
class _Beside:
    """A process that writes into files, which no pipe that nobody reads can stop."""

    process: subprocess.Popen[bytes]
    files: tuple[int, int]

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def out(self, stream: int = 0) -> str:
        # Reading at a place of its own: the process writes where the file stands.
        size = os.fstat(self.files[stream]).st_size
        return os.pread(self.files[stream], size, 0).decode(errors="replace")

    def finished(self) -> Done:
        """What it did; one that a driver without an answer keeps in the kernel counts as killed."""
        code = _waited(self.process)
        return Done(-signal.SIGKILL if code is None else code, self.out(), self.out(1))


def _waited(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code, once it is there; None when it takes too long."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_ENDING)
    return process.returncode


@contextmanager
def _beside(command: Sequence[str]) -> Iterator[_Beside]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # A group of its own: Ctrl-C on the terminal is ours to pass on.
        process = subprocess.Popen(
            located(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environ(), process_group=0
        )
        try:
            yield _Beside(process, (out.fileno(), err.fileno()))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)  # a container's client passes it on
                _waited(process)
            process.kill()
            _waited(process)
