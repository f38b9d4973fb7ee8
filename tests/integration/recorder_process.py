"""The recorder as a real process, asked over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av

from tests.waiting import wait


class Process:
    """One run of the recorder. What it logs is in `said`; `ask` gives status and answer."""

    def __init__(self, command: list[str], token: Path, *, environment: dict[str, str] | None = None) -> None:
        self.child = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ | (environment or {})
        )
        self.said: list[dict[str, Any]] = []
        self.odd: list[str] = []
        self._token = token
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.child.stderr or ():
            try:
                self.said.append(json.loads(line))
            except ValueError:
                self.odd.append(line)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in list(self.said) if line.get("event") == name]

    @property
    def port(self) -> int:
        wait(lambda: self.events("listen") or self.child.poll() is not None, self.told)
        assert self.events("listen"), self.told()
        return int(self.events("listen")[0]["port"])

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            token = self._token.read_text().strip()
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Authorization": f"Bearer {token}", **headers})
            answer = connection.getresponse()
            data = answer.read()
            kind = answer.headers.get_content_type()
            return answer.status, json.loads(data) if kind == "application/json" else data
        finally:
            connection.close()

    def camera(self, name: str) -> dict[str, Any]:
        return next(one for one in self.ask("GET", "/cameras")[1]["cameras"] if one["name"] == name)

    def until(self, name: str, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The camera as it is once that is true of it."""
        seen: list[dict[str, Any]] = [{}]

        def look() -> object:
            seen[0] = self.camera(name)
            return true(seen[0])

        wait(look, lambda: f"{seen[0]}\n{self.told()}")
        return seen[0]

    def ready(self) -> None:
        wait(lambda: self.events("ready") or self.child.poll() is not None, self.told)

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def gone(self) -> int:
        """Its exit code, once it is gone and all that it said was read."""
        code = self.child.wait(90)
        self._reader.join(30)
        return code

    def told(self) -> str:
        return "\n".join([*map(str, self.said), *self.odd])


def begin(folder: Path, cameras: dict[str, dict[str, Any]], **more: Any) -> Process:
    """A recorder with these cameras, its recordings in `folder`/recordings."""
    path = folder / "recorder.json"
    path.write_text(json.dumps({"directory": "recordings", "listen": "127.0.0.1:0", "cameras": cameras, **more}))
    return Process([sys.executable, "-m", "usenet.recorder", "--config", str(path)], folder / "token")


def pictures(path: Path) -> list[int]:
    """The brightness of every picture of a film, decoded: what was sent, in its order."""
    with av.open(str(path)) as container:
        return [bytes(frame.planes[0])[0] for frame in container.decode(video=0)]
