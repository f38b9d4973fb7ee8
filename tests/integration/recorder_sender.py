"""Cameras that a test holds in its hand: each sends the same film in real time, and stalls or goes away when told."""

from __future__ import annotations

import functools
import io
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import av

RATE, SECONDS, AHEAD = 10, 120, 0.0


@functools.cache
def film() -> tuple[bytes, list[int]]:
    """MPEG-TS with a key frame each second, and how long it is after each picture."""
    out, ends = io.BytesIO(), []
    with av.open(out, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 160, 120, "yuv420p", RATE
        stream.time_base = Fraction(1, RATE)
        for number in range(RATE * SECONDS):
            frame = av.VideoFrame(160, 120, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number % 200]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
            ends.append(out.tell())
        container.mux(stream.encode(None))
    return out.getvalue(), ends


class Cameras:
    """`url(name)` for any name; those in `stalled` keep the line and send nothing more, those in `away` close it."""

    def __init__(self) -> None:
        self.stalled: set[str] = set()
        self.away: set[str] = set()
        film()  # or it would be made while the first one waits for it
        cameras = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                cameras._send(self, self.path.strip("/"))

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _send(self, to: BaseHTTPRequestHandler, name: str) -> None:
        if name in self.away:
            to.send_error(503)
            return
        to.send_response(200)
        to.send_header("Content-Type", "video/mp2t")
        to.end_headers()
        data, ends = film()
        begun = time.monotonic()
        try:
            for number, (start, end) in enumerate(pairwise([0, *ends])):
                while time.monotonic() - begun < number / RATE - AHEAD or name in self.stalled:
                    if name in self.away:
                        return
                    time.sleep(0.02)
                if name in self.away:
                    return
                to.wfile.write(data[start:end])
                to.wfile.flush()
        except OSError:
            return  # nobody listens any more
