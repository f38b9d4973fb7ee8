"""Real streams into real files: what a server sends is what the file holds, and a camera that fails comes back."""

from __future__ import annotations

import functools
import hashlib
import itertools
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
import pytest

from tests.integration.conftest import free_port
from tests.integration.recorder_cameras.servers import GStreamer, MediaMTX, Processes, Server, answers, need
from tests.integration.recorder_films.making import ffmpeg, shelf
from tests.waiting import wait
from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.recorder import Recorder
from usenet.recorder.sources import arrival
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes
from usenet.recorder.sources.camera import Camera, CameraStatus
from usenet.recorder.tracks import Sample, Track

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", "keyint=25:log-level=none"]
AAC, OPUS = ["-c:a", "aac", "-ac", "1"], ["-c:a", "libopus", "-ac", "2"]
ALAW = ["-c:a", "pcm_alaw", "-ar", "8000", "-ac", "1"]
SHAPES: dict[str, tuple[str, tuple[str, ...], list[str]]] = {
    "h264-aac": ("mp4", ("h264", "aac"), [*X264, "-bf", "0", *AAC]),
    "h265-aac": ("mp4", ("hevc", "aac"), [*X265, *AAC]),
    "h264-opus": ("mp4", ("h264", "opus"), [*X264, "-bf", "2", *OPUS]),
    "large": ("mp4", ("h264", "aac"), [*X264, "-bf", "0", "-vf", "scale=640:360", *AAC]),
    "h264-alaw": ("mov", ("h264", "pcm_alaw"), [*X264, "-bf", "0", *ALAW]),
}
KEYS = {"h264": range(1, 6), "hevc": range(32)}  # types of NAL units that hold pictures
IMPATIENT = Patience(connect=5, packet=2, key=10)
EXACT = {GStreamer.name: 0.01, MediaMTX.name: 0.25}
"""Seconds. MediaMTX's sender reports go by arrival, and ffmpeg sends it several sounds in one packet."""


@functools.cache
def film(name: str, seconds: int = 40, size: str = "320x180") -> Path:
    ending, _, words = SHAPES[name]
    path = shelf() / f"{name}-{size}.{ending}"
    pictures, noise = f"testsrc2=s={size}:r=25", "anoisesrc=r=48000:a=0.1:seed=7"
    ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", noise, "-t", str(seconds), *words, str(path))
    return path


def films(*names: str) -> dict[str, tuple[Path, tuple[str, ...]]]:
    return {name: (film(name), SHAPES[name][1]) for name in names}


Serve = Callable[..., Server]


@pytest.fixture(params=[GStreamer, MediaMTX], ids=["gstreamer", "mediamtx"])
def serve(
    request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Iterator[Serve]:
    """Starts a server that shows the films of these names."""
    need(request.param)
    running: list[Server] = []

    def start(*names: str) -> Server:
        folder = tmp_path / f"server-{len(running)}"
        folder.mkdir()
        running.append(request.param(folder, films(*names)))
        running[-1].start()
        if len(running) == 1:
            record_property(f"tests of cameras against {running[0].name}", 1)
        return running[-1]

    yield start
    for each in running:
        each.kill()


@dataclass
class Taping:
    """A camera, its recorder, and what became of them."""

    url: str
    folder: Path
    wishes: Wishes = field(default_factory=lambda: Wishes(patience=IMPATIENT))
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.camera = Camera("door", lambda: AvSource(self.url, self.wishes), self._record)
        self.camera.start()

    def _record(self, tracks: tuple[Track, ...]) -> Recorder:
        self.recorder = Recorder(self.folder, tracks)
        return self.recorder

    @property
    def status(self) -> CameraStatus:
        return self.camera.status

    def until(self, frames: int) -> None:
        """So many pictures were written."""
        wait(lambda: self.status.frames >= frames, lambda: str(self.status))

    def stop(self) -> list[Path]:
        assert self.camera.stop(20)
        return self.recorder.close() if self.recorder else []


@dataclass(frozen=True)
class Stream:
    """Of a file: what each sample holds (pictures without their parameter sets), and when it is shown, in seconds."""

    samples: list[bytes]
    times: list[float]

    @property
    def shas(self) -> list[str]:
        return [hashlib.sha256(each).hexdigest() for each in self.samples]


def read(path: Path, kind: str) -> Stream:
    with av.open(str(path)) as container:
        (stream,) = [each for each in container.streams if each.type == kind]
        codec = stream.codec_context.codec.canonical_name
        packets = [packet for packet in container.demux(stream) if packet.size]
        data = [pictures(codec, bytes(packet)) if codec in KEYS else bytes(packet) for packet in packets]
        return Stream(data, [float(packet.pts * packet.time_base) for packet in packets])


def pictures(codec: str, sample: bytes) -> bytes:
    """Its slices alone: servers repeat parameter sets, and leave out what libx264 says of itself."""
    out, at = b"", 0
    while at < len(sample):
        end = at + 4 + int.from_bytes(sample[at : at + 4], "big")
        kind = sample[at + 4] & 31 if codec == "h264" else sample[at + 4] >> 1 & 63
        out += sample[at + 4 : end] if kind in KEYS[codec] else b""
        at = end
    return out


def shift(recorded: Stream, source: Stream, within: float = 0.01) -> float:
    """The recording is one unbroken piece of the source, moved by so many seconds, which are the same throughout."""
    first = source.shas.index(recorded.shas[0])
    assert recorded.shas == source.shas[first : first + len(recorded.shas)]
    moves = [a - b for a, b in zip(recorded.times, source.times[first:], strict=False)]
    assert max(moves) - min(moves) < within
    return moves[0]


def sound_shift(recorded: Stream, source: Stream, rate: int) -> float:
    """As `shift`, for sound whose packets a server may cut anew: PCM of one byte a sample."""
    at = b"".join(source.samples).find(b"".join(recorded.samples))
    assert at >= 0
    return recorded.times[0] - at / rate


def size(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        about = container.streams.video[0].codec_context
        return about.width, about.height


@pytest.mark.parametrize(
    ("name", "transport"), [("h264-aac", "tcp"), ("h265-aac", "udp"), ("h264-opus", "tcp"), ("h264-alaw", "udp")]
)
def test_what_was_sent_is_what_was_recorded(
    serve: Serve, name: str, transport: Literal["tcp", "udp"], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every picture and sound of a stretch, in order, with the distances that they had."""
    server = serve(name)
    taping = Taping(server.url(name), tmp_path / "out", Wishes(transport=transport, patience=IMPATIENT))
    taping.until(75)
    status = taping.status
    (path,) = taping.stop()
    source = film(name)
    within = EXACT[server.name]
    shown = shift(read(path, "video"), read(source, "video"), within)
    if name == "h264-alaw":
        heard = sound_shift(read(path, "audio"), read(source, "audio"), 8000)
    else:
        heard = shift(read(path, "audio"), read(source, "audio"), within)
    assert shown == pytest.approx(heard, abs=2 * within)
    assert (status.state, status.fps, status.gaps) == ("recording", pytest.approx(25, abs=0.5), 0)
    assert "not-a-secret" not in caplog.text + str(status)


def test_a_camera_that_was_killed_comes_back_with_a_gap(serve: Serve, tmp_path: Path) -> None:
    """Both stretches are whole, and the pause between them lasts as long in the file as it did."""
    server = serve("h264-aac")
    taping = Taping(server.url("h264-aac"), tmp_path / "out")
    taping.until(50)
    server.kill()
    wait(lambda: taping.status.state == "waiting", lambda: str(taping.status))
    before = taping.status
    server.start()
    taping.until(before.frames + 50)
    after = taping.status
    paths = taping.stop()
    assert after.gaps == 1
    assert after.reconnects >= 1
    assert before.last_error
    assert "not-a-secret" not in before.last_error
    found = [read(path, "video") for path in paths]
    shas = [sha for each in found for sha in each.shas]
    assert len(shas) >= before.frames + 50
    assert set(shas) <= set(read(film("h264-aac"), "video").shas)
    if len(paths) == 1:
        steps = [b - a for a, b in itertools.pairwise(found[0].times)]
        assert max(steps) == pytest.approx(after.gap_s, abs=0.1)
        assert sorted(steps)[-2] < 0.1


def test_a_frozen_camera_is_noticed_and_holds_up_no_other(serve: Serve, tmp_path: Path) -> None:
    frozen, well = serve("h264-aac"), serve("h264-aac")
    stuck = Taping(frozen.url("h264-aac"), tmp_path / "frozen")
    good = Taping(well.url("h264-aac"), tmp_path / "good")
    for each in (stuck, good):
        each.until(25)
    frozen.freeze()
    wait(lambda: stuck.status.state == "waiting", lambda: str(stuck.status))
    good.until(good.status.frames + 50)
    assert stuck.status.frames < good.status.frames
    frozen.thaw()
    stuck.until(stuck.status.frames + 50)
    assert (stuck.status.gaps, good.status.gaps) == (1, 0)
    assert stuck.stop()
    (path,) = good.stop()
    shift(read(path, "video"), read(film("h264-aac"), "video"), EXACT[well.name])


def test_a_frozen_camera_does_not_hold_up_the_end(serve: Serve, tmp_path: Path) -> None:
    server = serve("h264-aac")
    taping = Taping(server.url("h264-aac"), tmp_path / "out", Wishes(patience=Patience(packet=60)))
    taping.until(25)
    server.freeze()
    assert taping.camera.stop(4)
    assert taping.recorder is not None
    (path,) = taping.recorder.close()
    assert len(read(path, "video").samples) >= 25
    server.thaw()


def test_a_camera_that_comes_back_with_another_size_begins_a_new_segment(serve: Serve, tmp_path: Path) -> None:
    server = serve("h264-aac")
    taping = Taping(server.url("h264-aac"), tmp_path / "out")
    taping.until(25)
    taping.url = serve("large").url("large")
    server.kill()
    wait(lambda: taping.status.width == 640, lambda: str(taping.status))
    taping.until(taping.status.frames + 25)
    assert [size(path) for path in taping.stop()] == [(320, 180), (640, 360)]


def test_times_come_from_the_cameras_clock(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """By RTCP's sender reports: without them no sample here would have a time of its own."""
    monkeypatch.setattr(arrival.Arrival, "taken_ns", lambda *_: None)
    source = AvSource(serve("h264-aac").url("h264-aac"), Wishes(patience=IMPATIENT))
    track, _ = source.open()
    told: list[Sample] = []
    for sample in source.samples():
        if isinstance(sample, Sample) and sample.track == track.id and sample.wall_ns:
            told.append(sample)
        if len(told) == 50:
            break
    source.close()
    starts = [(each.wall_ns or 0) / 1e9 - (each.pts or 0) / track.timescale for each in told]
    assert max(starts) - min(starts) < 0.1
    assert abs(told[-1].wall_ns or 0) - time.time_ns() < 60 * 10**9


def test_a_camera_that_changes_its_size_while_it_sends_begins_a_new_segment(tmp_path: Path) -> None:
    """Nothing is lost between the two, and each file holds pictures of one size."""
    need(GStreamer)
    small, large = tmp_path / "small.h264", tmp_path / "large.h264"
    for path, wide in ((small, "320x180"), (large, "640x360")):
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={wide}:r=25", "-t", "3", *X264, "-bf", "0", str(path))
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes() + small.read_bytes())
    server = GStreamer(tmp_path, {"both": (both, ("h264",))})
    server.start()
    try:
        taping = Taping(server.url("both"), tmp_path / "out")
        taping.until(200)
        paths = taping.stop()
    finally:
        server.kill()
    assert [size(path) for path in paths] == [(320, 180), (640, 360), (320, 180)]
    counts = [len(read(path, "video").samples) for path in paths]
    assert counts[:2] == [75, 75]
    assert taping.status.gaps == 0


def mediamtx(tmp_path: Path, name: str) -> MediaMTX:
    need(MediaMTX)
    server = MediaMTX(tmp_path, films(name))
    server.start()
    return server


@pytest.mark.parametrize("way", ["rtmp", "hls"])
def test_other_ways_than_rtsp(way: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    server = mediamtx(tmp_path, "h264-aac")
    url = {
        "rtmp": f"rtmp://127.0.0.1:{server.rtmp}/h264-aac",
        "hls": f"http://127.0.0.1:{server.hls}/h264-aac/index.m3u8",
    }[way]
    try:
        taping = Taping(url, tmp_path / "out", Wishes(patience=Patience(packet=15)))
        taping.until(75)
        (path,) = taping.stop()
    finally:
        server.kill()
    record_property(f"tests of cameras by {way.upper()} against {server.name}", 1)
    source = film("h264-aac")
    shown = shift(read(path, "video"), read(source, "video"), 0.25)
    heard = shift(read(path, "audio"), read(source, "audio"), 0.25)
    assert shown == pytest.approx(heard, abs=0.3)


def test_mpeg_ts_by_udp(tmp_path: Path) -> None:
    """Parameter sets and ADTS come with the packets; the camera may join at any of them."""
    need(GStreamer)
    port, sender = free_port(), Processes(tmp_path)
    to = ["-c", "copy", "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"]
    sender.run("ffmpeg", "-v", "error", "-nostdin", "-re", "-i", str(film("h264-aac")), *to)
    try:
        taping = Taping(f"udp://127.0.0.1:{port}", tmp_path / "out")
        taping.until(75)
        (path,) = taping.stop()
    finally:
        sender.kill()
    source = film("h264-aac")
    shown, heard = (shift(read(path, kind), read(source, kind)) for kind in ("video", "audio"))
    assert shown == pytest.approx(heard, abs=0.01)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "flv", "m3u8"])
def test_a_file_is_recorded_from_its_first_picture_to_its_end(ending: str, tmp_path: Path) -> None:
    """An HLS playlist that has ended is such a file, too."""
    need(GStreamer)
    source = film("h264-aac", 6)
    path = tmp_path / f"copy.{ending}"
    ffmpeg("-i", str(source), "-c", "copy", *(["-hls_list_size", "0"] if ending == "m3u8" else []), str(path))
    taping = Taping(str(path), tmp_path / "out")
    assert taping.camera.join(60)
    (recorded,) = taping.stop()
    shown, whole = read(recorded, "video"), read(source, "video")
    assert shown.shas == whole.shas
    heard = shift(read(recorded, "audio"), read(source, "audio"))
    assert heard == pytest.approx(shift(shown, whole), abs=0.002 if ending != "flv" else 0.01)


def test_a_playlist_that_has_ended_is_read_once(tmp_path: Path) -> None:
    """By HTTP as well: it has a length, so it is no camera."""
    need(GStreamer)
    ffmpeg("-i", str(film("h264-aac", 6)), "-c", "copy", "-hls_list_size", "0", str(tmp_path / "all.m3u8"))
    port, web = free_port(), Processes(tmp_path)
    web.run(sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(tmp_path), str(port))
    wait(lambda: answers(port), web.said)
    try:
        taping = Taping(f"http://127.0.0.1:{port}/all.m3u8", tmp_path / "out")
        assert taping.camera.join(60)
        (path,) = taping.stop()
    finally:
        web.kill()
    assert read(path, "video").shas == read(film("h264-aac", 6), "video").shas


def test_srt_is_refused_with_what_to_do() -> None:
    """The wheels of PyAV have a libav without it."""
    source = AvSource("srt://127.0.0.1:9?passphrase=not-a-secret")
    with pytest.raises(RecorderError) as caught:
        source.open()
    if isinstance(caught.value, Unreachable):
        pytest.skip("this libav speaks SRT")
    assert "MediaMTX" in caught.value.hint
    assert "not-a-secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http"])
def test_who_never_answers_is_not_waited_for(scheme: str) -> None:
    """And nobody's password is in what is said of it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://viewer:not-a-secret@127.0.0.1:{silent.getsockname()[1]}/live/a?token=not-a-secret"
        source = AvSource(url, Wishes(patience=Patience(connect=1, packet=1)))
        with pytest.raises(Unreachable) as caught:
            source.open()
        source.close()
    assert "no answer" in str(caught.value)
    told = "".join(traceback.format_exception(caught.value)) + repr(source)
    assert "not-a-secret" not in told


def test_a_closed_port_is_told_as_such() -> None:
    source = AvSource(f"rtsp://viewer:not-a-secret@127.0.0.1:{free_port()}/a")
    with pytest.raises(Unreachable, match="refused") as caught:
        source.open()
    assert "not-a-secret" not in str(caught.value)


def test_a_file_without_anything_to_record_says_what_is_in_it(tmp_path: Path) -> None:
    need(GStreamer)
    path = tmp_path / "old.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "1", "-c:v", "mjpeg", str(path))
    with pytest.raises(RecorderError, match="mjpeg"):
        AvSource(str(path)).open()
