"""A `usenet storage watch` that a test has started, and what it tells."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.conftest import Stack
from tests.waiting import wait


class Watch:
    """A watch that runs, and what it told so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        self.warned: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        # Who reads no warnings stops the watch once the pipe is full of them.
        threading.Thread(target=lambda: self.warned.extend(self.process.stderr or ()), daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if line == "{\n":  # how it was ended, over several lines
                return
            self.told.append(json.loads(line))

    def events(self) -> list[tuple[str, str]]:
        return [(one["event"], one["drive"]) for one in self.told if one["event"]]

    def until(self, event: str, drive: str) -> None:
        self.said(lambda: (event, drive) in self.events(), f"{event} {drive}")

    @contextmanager
    def blind(self) -> Iterator[None]:
        """It sees nothing meanwhile, and afterwards what has become of it."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def text(self, part: str) -> None:
        self.said(lambda: any(part in one["text"] for one in self.told), part)

    def said(self, seen: Callable[[], bool], what: str) -> None:
        wait(seen, lambda: f"{what} was never told: {self.told}, {self.warned}, exit {self.process.poll()}")


@contextmanager
def watching(stack: Stack) -> Iterator[Watch]:
    process = stack.begin("--json", "storage", "watch")
    watch = Watch(process)
    try:
        watch.text("watching")
        yield watch
    finally:
        process.kill()
        process.wait()
