"""Servers that a test starts, kills, freezes and starts again, each by its own process id, on loopback alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from tests.integration.conftest import free_port
from tests.waiting import wait

SYSTEM_PYTHON = "/usr/bin/python3"
PAYLOADS = {
    "h264": "h264parse ! video/x-h264,alignment=au ! rtph264pay config-interval=-1",
    "hevc": "h265parse ! video/x-h265,alignment=au ! rtph265pay config-interval=-1",
    "aac": "aacparse ! rtpmp4gpay",
    "opus": "opusparse ! rtpopuspay",
    "pcm_alaw": "rtppcmapay",
}
RAW = "filesrc location={path} ! {parse} name=pay0 pt=96"
SHOWN = "filesrc location={path} ! qtdemux name=d d.video_0 ! queue ! {pictures} name=pay0 pt=96"
HEARD = " d.audio_0 ! queue ! {sound} name=pay1 pt=97"


class Server(Protocol):
    """Shows films as cameras show what they see."""

    name: str

    def start(self) -> None: ...

    def url(self, film: str) -> str: ...

    def kill(self) -> None:
        """As if its plug were pulled."""

    def freeze(self) -> None:
        """Connections stay, nothing comes."""

    def thaw(self) -> None: ...


class Processes:
    """Children that are ended by their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "said.txt").open("ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append(process)
        return process

    def send(self, number: signal.Signals) -> None:
        for process in self._running:
            if process.poll() is None:
                os.kill(process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        for process in self._running:
            process.wait(60)
        self._running.clear()

    def said(self) -> str:
        path = self.folder / "said.txt"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""


class GStreamer:
    """Each reader sees the film from its beginning."""

    name = "GStreamer's RTSP server"

    def __init__(self, folder: Path, films: dict[str, tuple[Path, tuple[str, ...]]]) -> None:
        self._processes, self._films, self.port = Processes(folder), films, free_port()

    def start(self) -> None:
        script = Path(__file__).with_name("gstreamer.py")
        lines = [f"{name}={_pipeline(path, codecs)}" for name, (path, codecs) in self._films.items()]
        self._processes.run(SYSTEM_PYTHON, str(script), str(self.port), *lines)
        wait(lambda: answers(self.port), self._processes.said)

    def url(self, film: str) -> str:
        return f"rtsp://viewer:not-a-secret@127.0.0.1:{self.port}/{film}"

    def kill(self) -> None:
        self._processes.kill()

    def freeze(self) -> None:
        self._processes.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._processes.send(signal.SIGCONT)


class MediaMTX:
    """Each film runs from its beginning when the server starts; readers come to it as it goes."""

    name = "MediaMTX"

    def __init__(self, folder: Path, films: dict[str, tuple[Path, tuple[str, ...]]]) -> None:
        self._processes, self._films, self._folder = Processes(folder), films, folder
        self.port, self.rtmp, self.hls = free_port(), free_port(), free_port()
        self.udp = _even_pair()

    def start(self) -> None:
        settings = self._folder / "mediamtx.yml"
        settings.write_text(
            f"rtspAddress: 127.0.0.1:{self.port}\nrtspTransports: [udp, tcp]\n"
            f"rtpAddress: 127.0.0.1:{self.udp}\nrtcpAddress: 127.0.0.1:{self.udp + 1}\n"
            f"rtmpAddress: 127.0.0.1:{self.rtmp}\nhlsAddress: 127.0.0.1:{self.hls}\nhlsAlwaysRemux: true\n"
            "webrtc: false\nmoq: false\nsrt: false\napi: false\npaths: {all_others: }\n"
        )
        self._processes.run("mediamtx", str(settings))
        wait(lambda: answers(self.port), self._processes.said)
        for name, (path, _) in self._films.items():
            to = ["-f", "rtsp", "-rtsp_transport", "tcp", f"rtsp://127.0.0.1:{self.port}/{name}"]
            self._processes.run("ffmpeg", "-v", "error", "-nostdin", "-re", "-i", str(path), "-c", "copy", *to)
        for name in self._films:
            wait(lambda name=name: f"[path {name}] stream is available" in self._processes.said(), self._processes.said)

    def url(self, film: str) -> str:
        return f"rtsp://viewer:not-a-secret@127.0.0.1:{self.port}/{film}"

    def kill(self) -> None:
        self._processes.kill()

    def freeze(self) -> None:
        self._processes.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._processes.send(signal.SIGCONT)


def need(kind: type[GStreamer] | type[MediaMTX]) -> None:
    """Skip, and say what is missing."""
    if not shutil.which("ffmpeg"):
        pytest.skip("there is no ffmpeg on PATH")
    if kind is MediaMTX and not shutil.which("mediamtx"):
        pytest.skip("there is no mediamtx on PATH")
    if kind is GStreamer:
        asked = "import gi; gi.require_version('GstRtspServer', '1.0')"
        if subprocess.run([SYSTEM_PYTHON, "-c", asked], capture_output=True).returncode:
            pytest.skip("there is no gir1.2-gst-rtsp-server-1.0 for the system's Python")


def answers(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(1)
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _pipeline(path: Path, codecs: tuple[str, ...]) -> str:
    if path.suffix == ".h264":
        return RAW.format(path=path, parse=PAYLOADS["h264"])
    line = SHOWN.format(path=path, pictures=PAYLOADS[codecs[0]])
    return line + (HEARD.format(sound=PAYLOADS[codecs[1]]) if len(codecs) > 1 else "")


def _even_pair() -> int:
    """RTP's port is even, RTCP's the next one (RFC 3550 §11)."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
            rtp.bind(("127.0.0.1", 0))
            port: int = rtp.getsockname()[1]
            with contextlib.suppress(OSError):
                rtcp.bind(("127.0.0.1", port + 1))
                if port % 2 == 0:
                    return port
