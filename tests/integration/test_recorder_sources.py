"""Real streams into real files: what a server sends is what the file holds, and a camera that fails comes back."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.integration.recorder_cameras.servers import GStreamer, MediaMTX, Server, need
from tests.integration.recorder_cameras.taping import (
    EXACT,
    IMPATIENT,
    X264,
    Taping,
    film,
    films,
    read,
    shift,
    size,
    sound_shift,
)
from tests.integration.recorder_films.making import ffmpeg
from tests.waiting import wait
from usenet.recorder.io import Files
from usenet.recorder.recorder import Rotate
from usenet.recorder.sources import arrival
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes
from usenet.recorder.tracks import Sample

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
    assert (status.state, status.fps, status.gaps) == ("recording", pytest.approx(25, abs=5), 0)
    assert "not-a-secret" not in caplog.text + str(status)


def test_segments_follow_each_other_without_loss(serve: Serve, tmp_path: Path) -> None:
    """Every picture and every sound is in one of them, and in each of them sound and picture are as far apart."""
    server = serve("h264-aac")
    taping = Taping(server.url("h264-aac"), tmp_path / "out", rotate=Rotate(seconds=0.5))
    taping.until(110)
    paths = taping.stop()
    assert len(paths) >= 4
    whole: dict[str, list[str]] = {"video": [], "audio": []}
    source = {kind: read(film("h264-aac"), kind) for kind in whole}
    apart = []
    for path in paths:
        found = {kind: read(path, kind) for kind in whole}
        for kind, stream in found.items():
            whole[kind] += stream.shas
        if path == paths[-1] and not found["audio"].samples:
            break  # it ended before its first sound came
        starts = {
            kind: stream.times[0] - source[kind].times[source[kind].shas.index(stream.shas[0])]
            for kind, stream in found.items()
        }
        apart.append(starts["audio"] - starts["video"])
        assert min(stream.times[0] for stream in found.values()) < 0.05
    for kind, shas in whole.items():
        first = source[kind].shas.index(shas[0])
        assert shas == source[kind].shas[first : first + len(shas)]
    assert max(apart) - min(apart) < EXACT[server.name]


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
        assert max(steps) == pytest.approx(after.gap_s, abs=0.5)  # a busy machine takes a picture later than it came
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
    assert taping.camera.stop(4) or taping.camera.join(30)
    assert taping.recorder is not None
    (path,) = taping.recorder.close()
    assert len(read(path, "video").samples) >= 25
    server.thaw()


class Stuck(Files):
    """A drive that stands still until it is let go, and never else: nothing is really synced."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        self.free.wait(60)
        super().pwrite(handle, data, offset)

    def sync(self, handle: int) -> None: ...

    def syncdir(self, directory: str) -> None: ...


def test_a_drive_that_stands_still_costs_one_gap_and_moves_nothing(serve: Serve, tmp_path: Path) -> None:
    """The camera is read all the while: what comes after the gap has the distance from what came before."""
    server, drive = serve("h264-aac"), Stuck()
    taping = Taping(server.url("h264-aac"), tmp_path / "out", io=drive, backlog=250_000)
    taping.until(25)
    drive.free.clear()
    wait(lambda: taping.status.dropping and taping.status.dropped > 50, lambda: str(taping.status))
    drive.free.set()
    taping.until(taping.status.frames + 75)
    status = taping.status
    (path,) = taping.stop()
    assert (status.gaps, status.reconnects, status.dropping) == (1, 0, False)
    recorded, source = read(path, "video"), read(film("h264-aac"), "video")
    at = [source.shas.index(sha) for sha in recorded.shas]
    left_out = [b - a - 1 for a, b in itertools.pairwise(at)]
    assert sum(count > 0 for count in left_out) == 1
    moves = [time - source.times[n] for time, n in zip(recorded.times, at, strict=True)]
    assert max(moves) - min(moves) < EXACT[server.name]


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
    assert abs((told[-1].wall_ns or 0) - time.time_ns()) < 60 * 10**9


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
        taping.until(160)
        paths = taping.stop()
    finally:
        server.kill()
    assert [size(path) for path in paths] == [(320, 180), (640, 360), (320, 180)]
    counts = [len(read(path, "video").samples) for path in paths]
    assert counts[:2] == [75, 75]
    assert taping.status.gaps == 0
