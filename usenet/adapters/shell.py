"""Starts processes, one at a time. Only this room does, and together.py."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from usenet.adapters import door
from usenet.domain.errors import SystemFailure
from usenet.domain.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


class Done(NamedTuple):
    """A finished process."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0


INTERRUPTED = 130
_READ = 2**16  # bytes of what a program wrote that somebody may want to read
DYING = 0.1  # seconds for a process that was killed, to end
_observers: list[Callable[[Sequence[str]], None]] = []


def watch(observer: Callable[[Sequence[str]], None]) -> None:
    """Call `observer`, and no other, with each command line before it is run."""
    _observers[:] = [observer]


def found(program: str) -> str:
    """The path of a program on PATH (sbin included), or an empty string."""
    if "/" in program:
        return program if _is_program(program) else ""
    folders = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin".split(":")
    return next(filter(_is_program, (f"{folder or '.'}/{program}" for folder in folders)), "")


def _is_program(path: str) -> bool:  # as shutil.which, whose import takes longer than a question
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113


def run(
    arguments: Sequence[str],
    *,
    timeout: float = 10,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
) -> Done:
    """Run a program to its end, whatever its exit code. `environment` is added to ours; `text` goes to its stdin.

    Raises SystemFailure when the program is missing or doesn't end in `timeout` seconds (it is then killed).
    """
    with ExitStack() as ends:
        with uninterrupted():
            begun = Begun(arguments, cwd=cwd, environment=environment, text=text)
            ends.callback(begun.end)
        return begun.done(timeout)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C inside comes at its end. Python's Popen would forget the process that it has begun, which then goes on.

    Not by a mask: programs would inherit it, and a signal that one thread masks another takes.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield  # nothing is raised here
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            handler(signal.SIGINT, None)


class Begun:
    """A program that runs while something else is done. Raises SystemFailure when it is missing."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> None:
        self._name, self._text, self._since = arguments[0], text, time.monotonic()
        command, surroundings = located(arguments), environ(environment)
        with ExitStack() as ends:
            with uninterrupted():
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=cwd,
                    env=surroundings,
                    text=True,
                    errors="replace",
                )
                ends.callback(_end, self._process)
            self._ends = ends.pop_all()

    def done(self, timeout: float = 10) -> Done:
        """Its end, as `run` tells it; SystemFailure when that doesn't come `timeout` seconds after its beginning."""
        left = max(0.1, timeout - (time.monotonic() - self._since))
        try:
            out, err = self._process.communicate(self._text, timeout=left)
        except subprocess.TimeoutExpired as late:
            raise SystemFailure(f"{self._name} did not end within {timeout:g} s") from late
        finally:
            self.end()
        return Done(self._process.returncode, out, err)

    def end(self) -> None:
        """Kill it, if it still runs."""
        self._ends.close()


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Kill the process if it lives, and don't wait for one that a filesystem without an answer keeps in the kernel."""
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=DYING)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def left(arguments: Sequence[str], *, timeout: float, cwd: Path, environment: Mapping[str, str]) -> Done:
    """Run a program until it ends, not those that it leaves running; `out` is what it wrote until then, errors too.

    Raises SystemFailure as `run` does; those that it began are killed with it.
    """
    import tempfile  # 2 ms that others do without

    command, surroundings = located(arguments), environ(environment)
    with tempfile.TemporaryFile() as out, ExitStack() as ends:  # a pipe would end with the last who has it
        with uninterrupted():
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, env=surroundings, process_group=0
            )
            ends.callback(_end, process)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            os.killpg(process.pid, signal.SIGKILL)
            raise SystemFailure(f"{arguments[0]} did not end within {timeout:g} s") from late
        return Done(code, os.pread(out.fileno(), _READ, 0).decode(errors="replace"), "")


def checked(arguments: Sequence[str], *, timeout: float = 10, environment: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed; its stdout. Raises SystemFailure with its last line of stderr."""
    done = run(arguments, timeout=timeout, environment=environment)
    if not done.ok:
        said = (done.err.strip() or done.out.strip() or "it said nothing").splitlines()[-1]
        raise SystemFailure(f"{arguments[0]} failed with code {done.code}: {said}")
    return done.out


def hand_over(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a program on our own stdin, stdout and stderr; its exit code, 130 after Ctrl-C. For `exec`."""
    # Away from the terminal's Ctrl-C, which Compose comments on; what reads from the terminal must stay in front.
    group = None if os.isatty(0) else 0
    command, surroundings = located(arguments), environ(environment)
    try:
        with ExitStack() as ends:
            with uninterrupted():
                process = subprocess.Popen(command, env=surroundings, process_group=group)
                ends.callback(_leave, process)
            try:
                return process.wait()
            except KeyboardInterrupt:
                if group is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except KeyboardInterrupt:
        return INTERRUPTED


def relay(arguments: Sequence[str], say: Callable[[str], None], environment: Mapping[str, str] | None = None) -> int:
    """Run a long program, say each line of its stdout and stderr; its exit code, 130 after Ctrl-C. For `logs`."""
    command, surroundings = located(arguments), environ(environment)
    try:
        with ExitStack() as ends:
            with uninterrupted():
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=surroundings,
                    text=True,
                    errors="replace",
                )
                ends.callback(_leave, process)
            for line in process.stdout or ():
                say(line.rstrip("\n"))
            return process.wait()
    except KeyboardInterrupt:
        return INTERRUPTED


def _leave(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Have it end, if it still runs, and wait for that."""
    with process:
        process.terminate()


def piped(arguments: Sequence[str], data: bytes, *, timeout: float = 10) -> tuple[int, bytes, str]:
    """Run a program with `data` on its stdin; its exit code, stdout as it is and stderr. SystemFailure as in `run`."""
    command, pipe = located(arguments), subprocess.PIPE
    with ExitStack() as ends:
        with uninterrupted():
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ())
            ends.callback(_end, process)
        try:
            out, err = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired as late:
            raise SystemFailure(f"{arguments[0]} did not end within {timeout:g} s") from late
        return process.returncode, out, err.decode(errors="replace")


def environ(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would change the meaning of our command lines: COMPOSE_* and docker's contexts."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("COMPOSE_") and k != "DOCKER_CONTEXT"}
    return {**kept, "LC_ALL": "C.UTF-8", "DOCKER_HOST": door.address(), **(more or {})}


def located(arguments: Sequence[str]) -> list[str]:
    """The command line with the path of its program, about to be run. SystemFailure when the program is missing."""
    program = arguments[0] if os.sep in arguments[0] else found(arguments[0])
    if not program:
        raise SystemFailure(f"{arguments[0]} is not installed", hint=f"install it, or put it on PATH: {arguments[0]}")
    for observer in _observers:
        observer(arguments)
    return [program, *arguments[1:]]
