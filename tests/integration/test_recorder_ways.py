"""Other ways than RTSP: RTMP, HLS, MPEG-TS, files; who does not answer, and what cannot be read."""

from __future__ import annotations

import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import free_port
from tests.integration.recorder_cameras.servers import GStreamer, MediaMTX, Processes, answers, need
from tests.integration.recorder_cameras.taping import Taping, film, films, read, shift
from tests.integration.recorder_films.making import ffmpeg
from tests.waiting import wait
from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes


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


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp", "http"])
def test_a_name_that_nobody_knows_is_told_as_such(scheme: str) -> None:
    """Longer than a name may be: no name server is asked for it."""
    name = "camera" * 12
    with pytest.raises(Unreachable, match=f"no machine is known by the name {name}") as caught:
        AvSource(f"{scheme}://viewer:not-a-secret@{name}/a").open()
    assert "slip" in caught.value.hint
    assert "not-a-secret" not in str(caught.value)


def test_a_file_without_anything_to_record_says_what_is_in_it(tmp_path: Path) -> None:
    need(GStreamer)
    path = tmp_path / "old.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-t", "1", "-c:v", "mjpeg", str(path))
    with pytest.raises(RecorderError, match="mjpeg"):
        AvSource(str(path)).open()
