"""The recorder as people run it: a process, cameras that come and go, signals, and a crash in between."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from tests.integration.conftest import free_port
from tests.integration.recorder_cameras.servers import GStreamer, need
from tests.integration.recorder_process import Process, begin, pictures
from tests.integration.recorder_sender import RATE, Cameras
from tests.unit.recorder.uploads import azure_server
from tests.waiting import wait

pytestmark = pytest.mark.slow


@pytest.fixture
def cameras() -> Iterator[Cameras]:
    made = Cameras()
    yield made
    made.close()


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.child.kill()
        process.gone()


def of(cameras: Cameras, name: str, **more: Any) -> dict[str, Any]:
    return {"url": cameras.url(name), "enabled": False, "flush": "evidence", **more}


def files(folder: Path, camera: str) -> list[str]:
    place = folder / "recordings" / camera
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def whole(path: Path) -> int:
    """How many pictures a film has; each must be the next one of what the camera sent."""
    shown = pictures(path)
    steps = {(later - earlier) % 200 for earlier, later in pairwise(shown)}
    assert steps <= {1}, f"pictures are missing or doubled in {path.name}: {steps}"
    return len(shown)


def test_a_camera_is_recorded_from_start_to_stop(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    run = begin(tmp_path, {"door": of(cameras, "door"), "gate": of(cameras, "gate")})
    started.append(run)
    run.ready()
    assert run.ask("POST", "/cameras/door/start")[0] == 200
    live = run.until("door", lambda one: one["state"] == "recording" and one["frames"] > 5)
    assert (live["width"], live["codecs"]) == (160, ["avc1"])
    assert run.ask("GET", f"/recordings/door/{live['segment']}")[0] == 307
    assert run.camera("gate")["state"] == "idle"

    assert run.ask("POST", "/cameras/door/rotate")[0] == 200
    second = run.until("door", lambda one: one["segment"] not in (None, live["segment"]))["segment"]
    status, done = run.ask("POST", "/cameras/door/stop")
    assert status == 200, done
    assert [one["name"] for one in done["files"]] == [live["segment"], second] == files(tmp_path, "door")
    for one in done["files"]:
        path = tmp_path / "recordings" / "door" / one["name"]
        assert one["size"] == path.stat().st_size
        assert one["duration"] == pytest.approx(whole(path) / RATE, abs=1.5 / RATE)
        assert run.ask("GET", f"/recordings/door/{one['name']}")[1] == path.read_bytes()
    listed = run.ask("GET", "/recordings")[1]
    assert ([one["name"] for one in listed["recordings"]], listed["total"]) == ([second, live["segment"]], 2)


def test_a_duration_is_kept(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    run = begin(tmp_path, {"door": of(cameras, "door")})
    started.append(run)
    run.ready()
    run.ask("POST", "/cameras/door/start", {"duration": 6})
    run.until("door", lambda one: one["state"] == "idle")
    (name,) = files(tmp_path, "door")
    assert whole(tmp_path / "recordings" / "door" / name) > 0


def test_what_was_asked_for_goes_on_after_a_kill(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    addresses = {name: of(cameras, name) for name in ("door", "gate")}
    run = begin(tmp_path, addresses)
    started.append(run)
    run.ready()
    run.ask("POST", "/cameras/door/start", {"duration": 3600})
    until = datetime.fromisoformat(run.until("door", lambda one: one["frames"] > 5)["until"])
    run.signal(signal.SIGKILL)
    run.gone()
    again = begin(tmp_path, addresses)
    started.append(again)
    again.ready()
    went_on = again.until("door", lambda one: one["frames"] > 5)
    assert abs(datetime.fromisoformat(went_on["until"]) - until) < timedelta(minutes=1)
    assert again.camera("gate")["state"] == "idle"
    (first, *_) = files(tmp_path, "door")
    assert whole(tmp_path / "recordings" / "door" / first) > 0


def test_sigterm_finishes_every_camera(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    names = ("a", "b", "c")
    run = begin(tmp_path, {name: of(cameras, name, enabled=True) for name in names})
    started.append(run)
    for name in names:
        run.until(name, lambda one: one["frames"] > 10)
    run.signal(signal.SIGTERM)
    assert run.gone() == 0, run.told()
    said = {line["camera"]: line["files"] for line in run.events("stop")}
    for name in names:
        (file,) = files(tmp_path, name)
        assert file.endswith(".mp4")
        assert said[name] == file
        assert whole(tmp_path / "recordings" / name / file) > 10


def test_after_a_crash_it_recovers_before_it_is_ready(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    run = begin(tmp_path, {"door": of(cameras, "door", enabled=True)})
    started.append(run)
    live = run.until("door", lambda one: one["frames"] > 30)
    run.signal(signal.SIGKILL)
    run.gone()
    assert f"{live['segment']}.part" in files(tmp_path, "door")
    again = begin(tmp_path, {"door": of(cameras, "door")})
    started.append(again)
    again.ready()
    assert files(tmp_path, "door") == [live["segment"]]
    assert whole(tmp_path / "recordings" / "door" / live["segment"]) > 25
    events = [line.get("event") for line in again.said]
    assert events.index("recover") < events.index("ready")
    assert again.ask("GET", "/status")[1]["recovery"]["finished"] == 1


def test_a_camera_that_stalls_holds_no_other_up(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    run = begin(tmp_path, {name: of(cameras, name, enabled=True) for name in ("good", "stalls")})
    started.append(run)
    run.until("good", lambda one: one["frames"] > 5)
    run.until("stalls", lambda one: one["frames"] > 5)
    cameras.stalled.add("stalls")
    before = run.camera("good")["frames"]
    run.until("good", lambda one: one["frames"] > before + 20)  # what had been sent is written meanwhile
    seen = run.camera("stalls")["frames"]
    run.until("good", lambda one: one["frames"] > before + 50)
    assert run.camera("stalls")["frames"] <= seen + RATE
    assert run.ask("POST", "/cameras/good/stop")[0] == 200
    assert run.ask("POST", "/cameras/good/start")[0] == 200
    run.until("good", lambda one: one["frames"] > 5)
    run.signal(signal.SIGTERM)
    assert run.gone() == 0, run.told()
    for name in ("good", "stalls"):
        for file in files(tmp_path, name):
            assert whole(tmp_path / "recordings" / name / file) > 5


def test_a_second_sigterm_ends_it_at_once_and_loses_nothing(
    tmp_path: Path, cameras: Cameras, started: list[Process]
) -> None:
    run = begin(tmp_path, {"stalls": of(cameras, "stalls", enabled=True)})
    started.append(run)
    live = run.until("stalls", lambda one: one["frames"] > 5)
    cameras.stalled.add("stalls")  # its reader is left behind, after a while
    run.signal(signal.SIGTERM)
    wait(lambda: run.events("stopping"), run.told)
    run.signal(signal.SIGTERM)
    code = run.gone()
    if code == 0:
        pytest.skip("it was done before the second signal came")
    assert code == 128 + signal.SIGTERM
    again = begin(tmp_path, {})
    started.append(again)
    again.ready()
    assert whole(tmp_path / "recordings" / "stalls" / live["segment"]) > 5


def test_a_camera_that_comes_back_goes_on_with_a_gap(tmp_path: Path, cameras: Cameras, started: list[Process]) -> None:
    run = begin(tmp_path, {"door": of(cameras, "door", enabled=True)})
    started.append(run)
    run.until("door", lambda one: one["frames"] > 10)
    cameras.away.add("door")
    run.until("door", lambda one: one["reconnects"] > 0 and one["state"] == "away" and not one["connected"])
    cameras.away.clear()
    back = run.until("door", lambda one: one["connected"] and one["gaps"] == 1)
    assert back["gap_s"] > 0, f"{back}\n{run.told()}"


def test_a_drive_that_is_away_is_not_written_to_and_taken_when_it_is_back(
    tmp_path: Path, cameras: Cameras, started: list[Process]
) -> None:
    (tmp_path / "drive").mkdir()
    marker = tmp_path / "drive" / "marker"
    run = begin(
        tmp_path,
        {"door": of(cameras, "door", enabled=True, segment_seconds=2)},
        directory="drive/recordings",
        marker={"file": "drive/marker", "id": "ours"},
    )
    started.append(run)
    held = run.until("door", lambda one: one["state"] == "held")
    assert "the drive is away" in held["problem"]
    assert list((tmp_path / "drive").iterdir()) == []
    marker.write_text("ours")
    run.until("door", lambda one: one["state"] == "recording" and one["frames"] > 5)
    marker.unlink()
    run.until("door", lambda one: one["state"] == "held")
    wait(lambda: not list((tmp_path / "drive").rglob("*.part")), run.told)  # what was begun is finished
    assert run.ask("GET", "/health/ready")[0] == 200


def test_the_budget_keeps_the_drive_free_while_it_records(
    tmp_path: Path, cameras: Cameras, started: list[Process]
) -> None:
    run = begin(
        tmp_path,
        {"door": of(cameras, "door", enabled=True, segment_seconds=2)},
        budget={"max_bytes": "80K", "policy": "evict", "min_free": "1M"},
    )
    started.append(run)
    first = run.until("door", lambda one: one["segment"])["segment"]
    kept = run.ask("POST", f"/recordings/door/{first}/protect", {"reason": "the first one"})
    assert kept[0] == 200, kept
    wait(lambda: len(run.events("evict")) > 1, lambda: f"{run.ask('GET', '/status')}\n{run.told()}")
    gone = {Path(line["file"]).name for line in run.events("evict")}
    here = files(tmp_path, "door")
    assert first in here
    assert not gone & set(here)
    assert run.ask("GET", "/status")[1]["places"][0]["evicted"] >= 2


@pytest.mark.parametrize("words", [["--config", "none.yaml"], ["--config", "wrong.json"]])
def test_what_is_wrong_is_one_line_and_a_code(tmp_path: Path, words: list[str]) -> None:
    import sys

    (tmp_path / "wrong.json").write_text('{"directory": "r", "budget": {"policy": "guess"}}')
    path = tmp_path / words[1]
    run = Process([sys.executable, "-m", "usenet.recorder", "--config", str(path)], tmp_path / "token")
    assert run.gone() == 4
    (line,) = run.said
    assert (line["level"], bool(line["hint"]), run.odd) == ("error", True, [])
    assert str(path) in line["message"]


def test_nothing_makes_room_before_its_copy_is_verified(
    tmp_path: Path, cameras: Cameras, started: list[Process]
) -> None:
    port, keys = free_port(), tmp_path / "keys"
    keys.write_text(f"AZURE_STORAGE_KEY={azure_server.KEY}\n")
    keys.chmod(0o600)
    storage = {
        "kind": "azure",
        "bucket": azure_server.CONTAINER,
        "account": azure_server.ACCOUNT,
        "endpoint": f"http://127.0.0.1:{port}/{azure_server.ACCOUNT}",
        "credentials": "keys",
    }
    run = begin(
        tmp_path,
        {"door": of(cameras, "door", enabled=True, segment_seconds=2)},
        budget={"max_bytes": "80K", "policy": "evict", "min_free": "1M", "uploaded_first": True},
        upload={"storages": {"offsite": storage}},
    )
    started.append(run)
    held = run.until("door", lambda one: one["state"] == "held")
    assert "would not be enough, so nothing is" in held["problem"]
    assert run.events("evict") == []
    kept = {
        name: path.read_bytes() for name in files(tmp_path, "door") if (path := _path(tmp_path, name)).suffix == ".mp4"
    }
    assert kept

    store = azure_server.Blobs()
    server = azure_server.serve(store, port)
    try:
        wait(lambda: run.events("evict"), lambda: f"{run.ask('GET', '/status')}\n{run.told()}")
        run.until("door", lambda one: one["state"] == "recording")
        gone = {Path(line["file"]).name for line in run.events("evict")}
        with store.lock:
            copies = {
                name.rpartition("/")[2]: b"".join(data for _, data in blob.committed)
                for name, blob in store.blobs.items()
                if blob.committed is not None
            }
        assert gone
        assert gone <= set(copies)
        assert all(copies[name] == kept[name] for name in gone & set(kept))
    finally:
        server.shutdown()
        server.server_close()


def _path(folder: Path, name: str) -> Path:
    return folder / "recordings" / "door" / name


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a filesystem")
def test_a_full_drive_costs_a_chunk_and_it_goes_on_when_there_is_room(
    tmp_path: Path, cameras: Cameras, started: list[Process]
) -> None:
    drive = tmp_path / "recordings"
    drive.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "recorder-test", str(drive)], check=True, timeout=60)
    try:
        run = begin(tmp_path, {"door": of(cameras, "door", enabled=True)}, budget={"min_free": "2M"})
        started.append(run)
        live = run.until("door", lambda one: one["frames"] > 10)["segment"]
        with contextlib.suppress(OSError), (drive / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        held = run.until("door", lambda one: one["state"] == "held")
        assert held["problem"]
        wait(lambda: files(tmp_path, "door") == [live], run.told)
        whole(drive / "door" / live)
        (drive / "filler").unlink()
        run.until("door", lambda one: one["state"] == "recording")
        run.signal(signal.SIGTERM)
        assert run.gone() == 0, run.told()
        for name in files(tmp_path, "door"):
            whole(drive / "door" / name)
    finally:
        for process in started:
            process.child.kill()
            process.gone()
        subprocess.run(["umount", "--lazy", str(drive)], check=True, timeout=60)


def test_an_rtsp_camera_with_a_password_is_recorded_with_its_sound_and_told_nowhere(
    tmp_path: Path, started: list[Process]
) -> None:
    need(GStreamer)
    film = tmp_path / "film.mp4"
    shown = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=60", "-f", "lavfi", "-i", "sine=r=48000:d=60"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *shown, *coded, str(film)], check=True, timeout=120)
    server = GStreamer(tmp_path, {"film": (film, ("h264", "aac"))})
    server.start()
    try:
        (tmp_path / "door.url").write_text(server.url("film") + "\n")
        camera = {"url_file": "door.url", "flush": "evidence"}
        run = begin(tmp_path, {"door": camera, "silent": camera | {"audio": False}})
        started.append(run)
        live = run.until("door", lambda one: one["frames"] > 20)
        run.until("silent", lambda one: one["frames"] > 20)
        assert live["codecs"] == ["avc1", "mp4a"]
        server.freeze()
        assert run.ask("GET", "/status")[0] == 200
        server.thaw()
        (tmp_path / "door.url").unlink()
        server.kill()
        away = run.until("door", lambda one: one["state"] == "away")
        run.until("door", lambda one: "the address can't be read" in (one["problem"] or ""))
        assert "not-a-secret" not in f"{away}{run.ask('GET', '/status')}{run.ask('GET', '/metrics')}{run.told()}"
        run.signal(signal.SIGTERM)
        assert run.gone() == 0, run.told()
        for name, kinds in (("door", ["video", "audio"]), ("silent", ["video"])):
            for file in files(tmp_path, name):
                with av.open(str(tmp_path / "recordings" / name / file)) as container:
                    assert [stream.type for stream in container.streams] == kinds
                    assert len(list(container.decode(video=0))) > 15
    finally:
        server.kill()
