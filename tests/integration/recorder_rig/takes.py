"""One take: cameras that record until somebody ends it, in a process of its own. As a program: makes such processes.

A process costs a fork, not a start of Python: orders come by stdin, a line of JSON each, and are answered by its pid.
`wait PID` is answered by how it ended. At the end of stdin all that still live are killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usenet.recorder import segment
from usenet.recorder.errors import RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.io import Files
from usenet.recorder.policy import Flush
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.recovery import recover_all

from . import media, sabotage
from .witness import Log, Witness

_TINY = 96  # bytes: headers and no table


@dataclass(frozen=True)
class Camera:
    """What is recorded, where to, and how; `pace` times as fast as time goes by, or flat out with 0."""

    name: str
    directory: str
    flush: dict[str, Any]
    rotate_s: float
    sound: bool
    pace: float = 1.0


@dataclass(frozen=True)
class Take:
    """Some cameras on one drive. `log` lies on another one. `broken` names a defect that the rig must find.

    Before the call with the number `aim` a bell rings, see `moment`; with `ends` before the first, second or third one
    from there on that ends a file. `tail`: no reserve is large enough, so that each final moov lies at the end.
    """

    seed: str
    log: str
    cameras: tuple[Camera, ...]
    broken: str = ""
    aim: int = -1
    ends: int = 0
    tail: bool = False

    def order(self) -> str:
        return json.dumps({"record": dataclasses.asdict(self)})

    @classmethod
    def of(cls, told: dict[str, Any]) -> Take:
        return cls(**{**told, "cameras": tuple(Camera(**each) for each in told["cameras"])})


def record(take: Take) -> None:
    """Until this process is killed, or the drive is dead for all cameras."""
    log = Log(take.log, take.aim, take.ends)
    sabotage.apply(take.broken)
    if take.tail:
        segment.reserve = lambda *_: _TINY
    coordinator = Coordinator()
    threads = [threading.Thread(target=_camera, args=(take, each, log, coordinator)) for each in take.cameras]
    threading.Thread(target=_watch, args=(log, coordinator), daemon=True).start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _watch(log: Log, coordinator: Coordinator) -> None:
    """Tells when this process was not scheduled, and when the coordinator has slowed down."""
    while True:
        begun = time.monotonic_ns()
        time.sleep(0.01)
        ended = time.monotonic_ns()
        late = ended - begun > 20_000_000
        if late or coordinator.stretch > 1:
            log.put("l", begun if late else ended, ended, coordinator.stretch)


def _camera(take: Take, camera: Camera, log: Log, coordinator: Coordinator) -> None:
    recorder = Recorder(
        camera.directory,
        media.tracks(sound=camera.sound),
        flush=Flush(**camera.flush),
        rotate=Rotate(camera.rotate_s),
        io=Witness(Files(), log),
        coordinator=coordinator,
        on_finished=lambda path: log.put("f", path, time.monotonic_ns()),
        on_error=lambda _, error: log.put("e", str(error)),
    )
    begun = time.monotonic()
    for track, number, at in _script(camera):
        if camera.pace and (rest := begun + at / camera.pace - time.monotonic()) > 0:
            time.sleep(rest)
        try:
            recorder.write(media.sample(f"{take.seed} {camera.name}", track, number))
        except RecorderError as error:
            log.put("e", str(error))
            return
        log.put("h", camera.name, track, number, time.monotonic_ns())


def _script(camera: Camera) -> Iterator[tuple[int, int, float]]:
    """Which sample comes when, in seconds from the start, for ever."""
    video = ((media.VIDEO, n, n / media.RATE[media.VIDEO]) for n in itertools.count())
    if not camera.sound:
        yield from video
    heard = 0
    for track, number, at in video:
        yield track, number, at
        while heard / media.RATE[media.AUDIO] < at:
            yield media.AUDIO, heard, heard / media.RATE[media.AUDIO]
            heard += 1


def _child(order: dict[str, Any]) -> None:
    code = 0
    try:
        logging.disable()
        if "record" in order:
            record(Take.of(order["record"]))
        else:
            for directory in order["recover"]:
                with contextlib.suppress(OSError):  # the drive may be dead by now
                    recover_all(directory)
    except BaseException:
        traceback.print_exc()
        code = 3
    finally:
        os._exit(code)


def serve() -> None:
    media.tracks(sound=True)
    children: set[int] = set()
    for line in sys.stdin:
        if line.startswith("wait"):
            pid = int(line.split()[1])
            children.discard(pid)
            answer = str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        else:
            pid = os.fork()
            if not pid:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                _child(json.loads(line))
            children.add(pid)
            answer = str(pid)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in children:
        os.kill(pid, signal.SIGKILL)


class Studio:
    """The program above, from the side of a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, take: Take) -> int:
        """The process that records it."""
        Path(take.log).touch()
        bell = Path(f"{take.log}.bell")
        bell.unlink(missing_ok=True)
        os.mkfifo(bell)
        return int(self._ask(take.order()))

    def moment(self, take: Take, seconds: float) -> None:
        """Wait so long, or until right before the call that the take aims at, if it comes.

        Without an aim from the first sample on, and longer where that took long: a slow machine records too.
        """
        bell = os.open(f"{take.log}.bell", os.O_RDONLY | os.O_NONBLOCK)
        begun = now = time.monotonic()
        try:
            while take.aim < 0 and now < begun + 30 and "\nh\t" not in Path(take.log).read_text():
                time.sleep(0.002)
                now = time.monotonic()
            select.select([bell], [], [], seconds * min(max(1, 10 * (now - begun)), 10))
        finally:
            os.close(bell)

    def recovery(self, directories: list[str]) -> int:
        """A process that recovers all of these, by its pid."""
        return int(self._ask(json.dumps({"recover": directories})))

    def kill(self, pid: int) -> int:
        """End it, if it still lives; how it ended."""
        os.kill(pid, signal.SIGKILL)
        return self.ended(pid)

    def ended(self, pid: int) -> int:
        return int(self._ask(f"wait {pid}"))

    def _ask(self, line: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


PROGRAM = "tests.integration.recorder_rig.takes"


@contextmanager
def studio(*words: str) -> Iterator[Studio]:
    """Of this machine, or what the words start."""
    pipe, root = subprocess.PIPE, Path(__file__).parents[3]
    words = words or (sys.executable, "-m", PROGRAM)
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, cwd=root) as process:
        yield Studio(process)


if __name__ == "__main__":
    serve()
