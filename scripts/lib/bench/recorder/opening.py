"""How soon the first picture of an hour is there over HTTP, when every request takes 20 ms more than it would."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside, length
from bench.recorder.finish import replayed
from bench.recorder.material import SECONDS, Material
from bench.recorder.recorders import FRAGMENTED, inside
from bench.timing import Figure, in_turns, run

LATENCY = 0.020
FORMS = {
    "faststart MP4": ("mp4", "-movflags", "+faststart"),
    "plain MP4": ("mp4",),
    "mkv": ("mkv",),
    "fMP4, 1 s": ("mp4", *FRAGMENTED),
}
Read = Callable[[int, int], bytes]
Opened = Callable[[], tuple[int, Read]]  # size, and bytes by offset and length


def opening(material: Material, folder: Path, *, hours: float, times: int) -> Iterator[Figure]:
    """The same hour in each form, opened by libav up to its first decoded picture."""
    folder.mkdir()
    loops = round(hours * 3600 / SECONDS)
    files = {}
    for name, (suffix, *flags) in FORMS.items():
        files[name] = folder / f"{name.replace(', ', '-').replace(' ', '-')}.{suffix}"
        words = ["ffmpeg", "-v", "error", "-stream_loop", str(loops - 1), "-i", str(material.file), "-c", "copy"]
        run([*words, *flags, "-y", str(files[name])])
    files["ours"] = folder / "ours.mp4"
    replayed(material, files["ours"], loops * SECONDS, 250, "hasty,seal")
    live = folder / "live.mp4"
    replayed(material, live, loops * SECONDS, 250, "hasty")
    yield from _opened(files, live, hours, times)
    shutil.rmtree(folder)


def _opened(files: dict[str, Path], live: Path, hours: float, times: int) -> Iterator[Figure]:
    requests: dict[str, Amount] = {}
    with _live(live) as opened, _serving() as server:
        for name, path in files.items():
            server.offered[name] = _file(path)
        server.offered["live"] = opened
        slow = "fMP4, 1 s"  # a request for each fragment: once is enough
        quick = [name for name in server.offered if name != slow]
        found = in_turns({name: _first_picture(server, name) for name in quick}, times)
        found |= in_turns({slow: _first_picture(server, slow)}, 1, warm=False)
        for name in found:
            requests[name] = Amount((server.last[name],), "requests", 0)
    others = {name: series for name, series in found.items() if name in FORMS}
    what = f"first picture over HTTP, {length(hours)}"
    yield from beside(what, found["ours"], others, Goal(0.100, "≤ 100 ms"))
    counted = {name: requests[name] for name in others}
    yield from beside(f"{what}: requests", requests["ours"], counted, Goal(1, "1"), only_best=True)
    yield from beside(f"{what}, of it while it records", found["live"], {slow: found[slow]})
    yield from beside(f"{what}, of it while it records: requests", requests["live"], {slow: requests[slow]})


def _file(path: Path) -> Opened:
    def read(offset: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    return lambda: (path.stat().st_size, read)


@contextmanager
def _live(path: Path) -> Iterator[Opened]:
    """What a live segment would be if it were finished now; looked at anew for each request, as a server does it."""
    from usenet.recorder.live import LiveFile

    with LiveFile(path) as file:

        def opened() -> tuple[int, Read]:
            view = file.view()
            return view.size, view.read

        yield opened


class _Server(ThreadingHTTPServer):
    """Files by name, with Range; `last` counts the requests that each was last opened with."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.offered: dict[str, Opened] = {}
        self.last: dict[str, int] = {}

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{list(self.offered).index(name)}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A player that has seen enough hangs up: that is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = list(self.server.offered)[int(self.path[1:])]
        self.server.last[name] = self.server.last.get(name, 0) + 1
        time.sleep(LATENCY)
        size, read = self.server.offered[name]()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert asked
        first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        while first <= last and (data := read(first, min(1 << 18, last + 1 - first))):
            self.wfile.write(data)
            first += len(data)

    def log_message(self, *_: object) -> None:
        """The table says it all."""


@contextmanager
def _serving() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


def _first_picture(server: _Server, name: str) -> Callable[[], float]:
    def measured() -> float:
        server.last[name] = 0
        return float(json.loads(run([*inside("look"), server.address(name)])[1]))

    return measured
