"""A recorder that runs, fed in real time through a pipe, so that what it was given at any moment is known."""

from __future__ import annotations

import bisect
import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.recorder.material import RATE, Tag
from bench.recorder.recorders import Recorder

PIPE = 1 << 20
NEARLY_NONE = 1 << 16
PATIENCE = 60.0  # seconds


@dataclass
class Fed:
    """`given`: when each picture was in the recorder's hands. `folder` is where it writes, `notes` what it said."""

    recorder: Recorder
    folder: Path
    process: subprocess.Popen[bytes]
    notes: Path
    given: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, tags: Iterable[Tag], began: float) -> None:
        self._thread = threading.Thread(target=self._feed, args=(tags, began), daemon=True)
        self._thread.start()

    def _feed(self, tags: Iterable[Tag], began: float) -> None:
        assert self.process.stdin
        handle = self.process.stdin.fileno()
        with contextlib.suppress(BrokenPipeError):
            for tag in tags:
                if self._ended.wait(max(0.0, began + tag.due - time.monotonic())):
                    return
                left = memoryview(tag.data)
                while left:
                    left = left[os.write(handle, left) :]
                if tag.picture:
                    self.given.append(time.monotonic())

    def waiting(self) -> int:
        """Bytes in the pipe that it has not taken yet, or something that is not little before the first are."""
        assert self.process.stdin
        if not self.given:
            return PIPE
        return struct.unpack("i", fcntl.ioctl(self.process.stdin, termios.FIONREAD, bytes(4)))[0]

    def seconds_given(self, until: float) -> float:
        """Media that it had been given at that moment."""
        return bisect.bisect_right(self.given, until) / RATE

    def seconds_promised(self, until: float) -> float:
        """Media that it had said to be durable before that moment; 0 for those who promise nothing."""
        told = [
            line.split() for line in self.notes.read_text(errors="replace").splitlines() if line.startswith("durable ")
        ]
        return max((float(words[2]) for words in told if len(words) == 3 and float(words[1]) < until), default=0.0)

    def kill(self) -> float:
        """kill -9, at this very moment; when that was."""
        moment = time.monotonic()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.stop()
        return moment

    def stop(self) -> None:
        self._ended.set()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._thread:
            self._thread.join(10)
        if self.process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    @property
    def file(self) -> Path:
        """What it wrote, finished or not."""
        if not self.recorder.ours:
            return self.recorder.out(self.folder)
        found = sorted(self.recorder.out(self.folder).glob("*.mp4*"))
        return next((one for one in found if one.suffix in (".part", ".mp4")), self.recorder.out(self.folder) / "none")


def start(all_fed: Sequence[Fed], tags: Callable[[], Iterable[Tag]]) -> float:
    """Feed them all; when the slowest to begin had taken what had waited for it meanwhile."""
    began = time.monotonic()
    for fed in all_fed:
        fed.start(tags(), began)
    while any(fed.waiting() > NEARLY_NONE for fed in all_fed) and time.monotonic() < began + PATIENCE:
        time.sleep(0.1)
    return time.monotonic()


def begin(recorder: Recorder, folder: Path, notes: Path) -> Fed:
    """Start it; it waits for its first byte. `notes`: a file for what it says, on another drive than what it writes."""
    folder.mkdir(parents=True, exist_ok=True)
    if recorder.ours:
        recorder.out(folder).mkdir()
    with notes.open("wb") as said:
        words = recorder.words(recorder.out(folder))
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT)
    assert process.stdin
    fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, PIPE)
    return Fed(recorder, folder, process, notes)
