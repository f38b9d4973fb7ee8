"""`usenet recorder record` and `run` as a person types them: how much is recorded, and what is said if it can't be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.unit.recorder.footage import ffmpeg, film
from tests.unit.recorder.takes import held
from tests.unit.test_recorder_cli import BEGIN, said, segment, told
from tests.waiting import wait
from usenet.actions.recorder import live
from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.recorder import Recorder
from usenet.recorder.sources.avsource import AvSource
from usenet.recorder.tracks import Sample

CURE = "pip install 'usenet[recorder]'"


def test_seconds_are_those_of_the_film_however_fast_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "record", str(film()), "--out", str(tmp_path / "all.mp4"))
    said(capsys, "record", str(film()), "--out", str(tmp_path / "two.mp4"), "--seconds", "2")
    [every, two] = told(capsys, "verify", str(tmp_path))
    lengths = [max(seconds for _, _, seconds in checked["verdict"]["tracks"]) for checked in (every, two)]
    assert lengths[0] > 2.5
    assert lengths[1] == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("missing", ["av", "aiohttp"])
def test_without_its_packages_recording_says_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    (file := tmp_path / "cameras.yaml").write_text("directory: .\ncameras: {}\n")
    assert CURE in said(capsys, "run", "--config", str(file), code=5)
    if missing == "av":
        assert CURE in said(capsys, "record", str(film()), "--out", str(tmp_path / "x.mp4"), code=5)
    assert "right" in said(capsys, "run", "--config", str(file), "--check")


def test_uploading_to_s3_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    (file := tmp_path / "cameras.yaml").write_text(
        "directory: .\nupload: {storages: {offsite: {kind: s3, bucket: b}}}\ncameras: {}\n"
    )
    assert CURE in said(capsys, "run", "--config", str(file), code=5)


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_whoever_ends_a_recording_gets_a_finished_file(ending: str, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    os.mkfifo(slow := tmp_path / "slow.ts")  # a source that does not end
    ffmpeg("-i", str(film()), "-map", "0:v", "-c", "copy", str(tmp_path / "film.ts"))
    words = [sys.executable, "-m", "usenet", "recorder", "record", str(slow), "--out", str(out)]
    with subprocess.Popen(words) as process, slow.open("wb") as feed:
        feed.write((tmp_path / "film.ts").read_bytes())
        feed.flush()
        while not out.with_name("x.mp4.part").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.Signals[ending])
        feed.close()
        assert process.wait(60) == 0
    assert [path.name for path in tmp_path.glob("x.*")] == [out.name]


# A drive that is slow, where the first word says, until the file of the second is there. It tells what happens when.
SLOW = """
import sys, time
from pathlib import Path
from usenet.cli.main import main
from usenet.recorder.recorder import Recorder
from usenet.recorder.segment import Segment
from usenet.recorder.sources.camera import Camera

where, go = sys.argv[1], Path(sys.argv[2])

def pause(word):
    print(word, flush=True)
    while word == where and not go.exists():
        time.sleep(0.01)

def paused(word, act):
    return lambda self, *more: (pause(word), act(self, *more))[1]

Camera.stop = paused("stop", Camera.stop)
Segment.seal, Segment.sync = paused("seal", Segment.seal), paused("sync", Segment.sync)
Recorder.write = lambda self, sample, act=Recorder.write: (act(self, sample), pause("write"))
main(["recorder", "record", "--quiet", *sys.argv[3:]])
"""


@contextmanager
def slow(tmp_path: Path, where: str, *more: str, errors: str = "errors") -> Iterator[subprocess.Popen[str]]:
    """A recording of a source that does not end, into x.mp4, with such a drive; what went wrong is told in `errors`."""
    os.mkfifo(source := tmp_path / "slow.ts")
    ffmpeg("-i", str(film()), "-map", "0:v", "-c", "copy", str(tmp_path / "film.ts"))
    words = [sys.executable, "-c", SLOW, where, str(tmp_path / "go"), str(source), "--out", str(tmp_path / "x.mp4")]
    words += more
    with (
        (tmp_path / errors).open("w") as told,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        try:
            with source.open("wb", buffering=0) as feed:
                with suppress(BrokenPipeError):  # one that has enough of it leaves
                    feed.write((tmp_path / "film.ts").read_bytes())
                yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert any(line == f"{word}\n" for line in process.stdout), f"it ended before: {word}"


@pytest.mark.parametrize(
    ("where", "first", "second"), [("write", "write", "stop"), ("sync", "sync", "stop"), ("seal", "write", "seal")]
)
def test_a_second_ctrl_c_leaves_a_part_that_recover_finishes(
    where: str, first: str, second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.mp4"
    with slow(tmp_path, where) as process:
        until(process, first)
        process.send_signal(signal.SIGINT)
        until(process, second)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130  # however slow the drive is
    errors = (tmp_path / "errors").read_text()
    assert "Traceback" not in errors
    [*_, error, hint] = errors.splitlines()
    assert error == f"error: not finished yet: {out}"
    assert f"plays in {out}.part;" in hint
    assert hint.endswith(f"usenet recorder recover {out}")
    said(capsys, "recover", str(out))
    assert where == "write" or held(out)  # nothing may have been written yet


def test_a_second_ctrl_c_waits_for_nothing_where_it_can_not_be_told(tmp_path: Path) -> None:
    with slow(tmp_path, "seal", errors="/dev/full") as process:
        until(process, "write")
        process.send_signal(signal.SIGINT)
        until(process, "seal")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.mark.parametrize("ending", ["SIGTERM", "SIGHUP"])
def test_an_end_that_is_told_twice_still_finishes_the_file(ending: str, tmp_path: Path) -> None:
    """As a terminal that is closed does: the kernel says so, and the shell does."""
    with slow(tmp_path, "seal") as process:
        until(process, "write")
        process.send_signal(signal.Signals[ending])
        until(process, "seal")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert held(tmp_path / "x.mp4")


def test_what_a_recording_was_told_to_ignore_does_not_end_it(tmp_path: Path) -> None:
    """With nohup a terminal that is closed ends nothing."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with slow(tmp_path, "nowhere") as process:
            until(process, "write")
            there = ignores(process, signal.SIGHUP)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert there
    assert held(tmp_path / "x.mp4")


def ignores(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text()
    [ignored] = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn")]
    return bool(ignored >> (number - 1) & 1)


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_end_while_the_file_is_finished_anyway_changes_nothing(ending: str, tmp_path: Path) -> None:
    with slow(tmp_path, "seal", "--seconds", "0.5") as process:
        until(process, "seal")
        process.send_signal(signal.Signals[ending])
        wait(lambda: process.poll() is not None or ignores(process, signal.SIGTERM))
        (tmp_path / "go").touch()
        assert process.wait(60) == 0
    assert held(tmp_path / "x.mp4")


def test_ctrl_c_after_it_leaves_the_part(tmp_path: Path) -> None:
    with slow(tmp_path, "seal", "--seconds", "0.5") as process:
        until(process, "seal")
        process.send_signal(signal.SIGINT)
        wait(lambda: ignores(process, signal.SIGTERM))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "usenet recorder recover" in (tmp_path / "errors").read_text()


def test_ctrl_c_waits_for_what_is_still_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, write, pressed = [], Recorder.write, threading.Event()

    def slowly(recorder: Recorder, sample: Sample) -> None:
        if len(written) == 20:
            pressed.wait(60)  # it is not over before Ctrl-C, which would end all tests then
        time.sleep(0.005)
        write(recorder, sample)
        written.append(sample)

    def tell(_: live.Now) -> None:
        if len(written) == 20 and not pressed.is_set():
            pressed.set()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Recorder, "write", slowly)
    [file] = live.record(live.Wish(str(film()), tmp_path / "x.mp4"), tell)
    assert pressed.is_set()
    assert len(held(file)) == len(written)
    assert not [thread for thread in threading.enumerate() if "record" in thread.name]


def test_a_wrong_file_of_cameras_is_told_as_every_error_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("USENET_RECORDER_CONFIG", raising=False)
    (file := tmp_path / "cameras.yaml").write_text("directory: .\ncamera: {}\n")
    text = said(capsys, "run", "--check", "--config", str(file), code=4)
    assert text.startswith("error: ")
    assert "did you mean cameras?" in text
    assert "--config" in said(capsys, "run", "--check", code=2)
    file.write_text("directory: .\ncameras: {door: {url: 'rtsp://x/'}}\n")
    assert told(capsys, "run", "--check", "--config", str(file))["cameras"] == ["door"]


@pytest.mark.parametrize(
    ("failure", "times"),
    [
        (RecorderError("it refuses us", hint="check its user", code=4), 1),
        (Unreachable("no answer"), 3),
        (Unreachable("nobody knows it", hint="look for a slip in the name"), 3),
    ],
    ids=["refused", "away", "unknown"],
)
def test_a_camera_that_refuses_is_asked_once_and_one_that_is_away_again(
    failure: RecorderError,
    times: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def refuse(source: AvSource) -> None:
        asked.append(source)
        raise failure

    monkeypatch.setattr(AvSource, "open", refuse)
    words = ("record", "rtsp://camera/x", "--out", str(tmp_path / "x.mp4"))
    text = said(capsys, *words, code=4 if times == 1 else 5)
    assert failure.message in text
    assert f"hint:  {failure.hint or 'see whether the camera is on'}" in text
    assert len(asked) == times


def test_what_was_cut_off_is_not_recorded_over_and_the_cure_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.mp4"
    made = segment(out, begin=BEGIN)
    words = ("record", str(film()), "--out", str(out))
    assert "is being recorded" in said(capsys, *words, "--dry-run", code=2)
    made.close()
    assert f"usenet recorder recover {out}" in said(capsys, *words, code=2)
    said(capsys, "recover", str(out))
    assert held(out)


def test_the_hint_of_a_machine_without_a_stack_says_that_a_directory_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("list", "recover", "verify", "bench"):
        assert "name the directory" in said(capsys, verb, "--home", str(tmp_path), code=4)


@pytest.mark.parametrize("seconds", ["0", "-3"])
def test_no_time_at_all_is_refused(seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("record", str(film()), "--out", str(tmp_path / "x.mp4"), "--seconds", seconds)
    assert "more than 0" in said(capsys, *words, code=2)
