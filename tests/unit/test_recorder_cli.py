"""`usenet recorder` as a person types it: listing, finishing, cutting, measuring; and every wish that can't be met."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.recorder.footage import film
from tests.unit.recorder.takes import TRACKS, held, takes
from usenet.cli.flags import FLAGS
from usenet.cli.main import run
from usenet.recorder.errors import Poisoned
from usenet.recorder.recorder import Recorder
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Movie

BEGIN = 1_700_000_000_000_000_000
FIRST, SECOND = "20231114T221320.000Z.mp4", "20231114T221330.000Z.mp4"


def segment(path: Path, seconds: float = 4, begin: int = BEGIN) -> Segment:
    path.parent.mkdir(exist_ok=True)
    made = Segment.create(str(path), TRACKS, seconds=10, movie=Movie(created_ns=begin))
    for take in takes(seconds):
        made.append(take.track, take.data, dts=take.dts, cts=take.cts, sync=take.sync, wall_ns=begin)
    made.cut()
    return made


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """One that was cut off, of the door; one that is finished, of the garden."""
    segment(tmp_path / "door" / FIRST).close()
    segment(tmp_path / "garden" / FIRST).seal()
    return tmp_path


def anew(*words: str) -> int:
    """As a new process: with no flag of the run before."""
    vars(FLAGS).clear()
    return run(["recorder", *words])


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert anew(*words) == code
    out, err = capsys.readouterr()
    return out if code == 0 else out + err


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert anew(*words, "--json") == code
    return json.loads(capsys.readouterr().out)


def test_the_list_says_what_is_finished_recorded_and_cut_off(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = segment(recordings / "street" / SECOND)
    rows = {row["camera"]: row for row in told(capsys, "list", str(recordings))}
    assert {camera: row["state"] for camera, row in rows.items()} == {
        "door": "cut off",
        "garden": "finished",
        "street": "recording",
    }
    assert rows["garden"]["seconds"] == pytest.approx(4, abs=0.1)
    assert rows["garden"]["start"] == "2023-11-14T22:13:20.000Z"
    assert f"usenet recorder recover {recordings}\n" in said(capsys, "list", str(recordings))
    assert [row["camera"] for row in told(capsys, "list", str(recordings), "--camera", "door")] == ["door"]
    assert [row["camera"] for row in told(capsys, "list", str(recordings / "garden"))] == ["garden"]
    live.seal()


def test_what_a_person_named_is_listed_too_and_what_is_not_ours_never(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (recordings / "foreign.mp4").write_bytes(film().read_bytes())
    segment(recordings / "mine.mp4", begin=BEGIN).seal()
    segment(recordings / "garden" / "cut.mp4", begin=BEGIN).close()
    rows = {row["name"]: row for row in told(capsys, "list", str(recordings)) if row["name"] != FIRST}
    assert {name: row["state"] for name, row in rows.items()} == {"mine.mp4": "finished", "cut.mp4": "cut off"}
    assert rows["mine.mp4"]["seconds"] == pytest.approx(4, abs=0.1)
    assert rows["mine.mp4"]["start"].startswith("2023-11-14T22:13:20.")
    monkeypatch.chdir(recordings / "garden")
    assert {(row["camera"], row["name"]) for row in told(capsys, "list", ".")} == {
        ("garden", FIRST),
        ("garden", "cut.mp4"),
    }


def test_recover_finishes_what_was_cut_off_and_leaves_what_is_recorded(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live = segment(recordings / "street" / SECOND)
    assert f"finish {recordings / 'door' / FIRST}" in said(capsys, "recover", str(recordings), "--dry-run")
    assert (recordings / "door" / f"{FIRST}.part").exists()
    reports = {Path(report["path"]).parent.name: report for report in told(capsys, "recover", str(recordings), code=1)}
    assert {name: report["state"] for name, report in reports.items()} == {"door": "finished", "street": "kept"}
    assert len(held(recordings / "door" / FIRST)) == len(list(takes(4)))
    live.seal()
    assert "nothing was cut off" in said(capsys, "recover", str(recordings))


def test_export_cuts_and_joins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment(tmp_path / "door" / FIRST).seal()
    segment(tmp_path / "door" / SECOND, begin=BEGIN + 10 * 10**9).seal()
    out = tmp_path / "cut.mp4"
    times = ("--from", "2023-11-14T22:13:21Z", "--to", "2023-11-14T22:13:33Z")
    assert len(said(capsys, "export", str(tmp_path / "door"), "--out", str(out), *times, "--dry-run").splitlines()) == 2
    assert not out.exists()
    made = told(capsys, "export", str(tmp_path / "door"), "--out", str(out), *times)
    assert len(made["sources"]) == 2
    assert made["seconds"] == pytest.approx(12, abs=0.1)
    assert {take.data for take in held(out)} == {take.data for take in takes(4)}
    assert len(held(out)) == pytest.approx(2 * len(list(takes(3))), abs=8)
    late = ("--from", "2023-11-14T22:13:31Z")
    made = told(capsys, "export", str(tmp_path / "door"), "--out", str(tmp_path / "late.mp4"), *late)
    assert [Path(source).name for source in made["sources"]] == [SECOND]


def test_bench_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("bench", str(tmp_path), "--cameras", "2", "--seconds", "1.5", "--megabits", "1")
    [load] = told(capsys, *words)
    assert (load["cameras"], load["preset"]) == (2, "default")
    assert load["fsync_p99_ms"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_drive_that_fails_the_bench_is_no_drive_that_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise Poisoned("the drive does not keep what it is given", hint="look at: dmesg")

    monkeypatch.setattr(Recorder, "write", refuse)
    words = ("bench", str(tmp_path), "--cameras", "2", "--seconds", "1", "--megabits", "1")
    assert "does not keep" in said(capsys, *words, code=5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["list", "nowhere"], 2, "no such directory"),
        (["recover", "nowhere"], 2, "no such file"),
        (["recover", "--policy", "brave", "."], 2, "strict, skip, align"),
        (["export", "nowhere"], 2, "--out"),
        (["export", "nowhere", "--out", "x.mp4"], 2, "no such file"),
        (["export", ".", "--out", "x.mp4", "--from", "noon"], 2, '"noon" is no time'),
        (["export", ".", "--out", "x.mp4"], 2, "no recording"),
        (["bench", "nowhere"], 2, "no such directory"),
        (["bench", ".", "--flush", "never"], 2, "evidence, default, hdd, archive"),
        (["bench", ".", "--cameras", "0", "--dry-run"], 2, "nothing would be written"),
        (["bench", ".", "--seconds", "0"], 2, "nothing would be written"),
        (["bench", ".", "--megabits", "-4"], 2, "nothing would be written"),
        (["export", ".", "--out", "x.mkv"], 2, "MP4"),
        (["export", ".", "--out", "nowhere/x.mp4"], 2, "no such directory"),
        (["export", ".", "--out", "x.mp4", "--from", "2026-11-22", "--to", "2026-11-21"], 2, "not before --to"),
        (["record", "nowhere.mp4"], 2, "--out"),
        (["record", "nowhere.mp4", "--out", "x.mkv"], 2, "MP4"),
        (["record", "nowhere.mp4", "--out", "nowhere/x.mp4"], 2, "no such directory"),
        (["record", "nowhere.mp4", "--out", "x.mp4", "--flush", "never"], 2, "evidence"),
        (["record", "nowhere.mp4", "--out", "x.mp4", "--transport", "smoke"], 2, "tcp, udp"),
        (["record", "nowhere.mp4", "--out", "x.mp4"], 5, "No such file"),
        (["run", "--config", "nowhere.yaml"], 4, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    words: list[str],
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sentence in said(capsys, *words, code=code)
    assert list(tmp_path.iterdir()) == []


def test_a_password_in_an_address_is_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("record", "rtsp://me:hidden@127.0.0.1:9/x", "--out", str(tmp_path / "x.mp4"))
    assert "hidden" not in said(capsys, *words, "--dry-run")
    assert "hidden" not in said(capsys, *words, code=5)


def test_a_file_that_is_there_is_never_written_over(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = recordings / "garden" / FIRST
    before = done.read_bytes()
    assert "there already" in said(capsys, "export", str(done), "--out", str(done), code=2)
    assert "there already" in said(capsys, "record", str(done), "--out", str(done), code=2)
    assert done.read_bytes() == before


def test_verify_asks_other_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = tmp_path / "x.mp4"
    said(capsys, "record", str(film()), "--out", str(done))
    [checked] = told(capsys, "verify", "--deep", str(done))
    assert (checked["verdict"]["kind"], checked["verdict"]["findings"], checked["against"]) == ("finished", [], [])
    assert "ffprobe" in checked["agree"]
    assert "right" in said(capsys, "verify", str(done))
    data = bytearray(done.read_bytes())
    data[-20] ^= 1
    done.write_bytes(data)
    assert "NOT right" in said(capsys, "verify", "--deep", str(done), code=3)


VIDEO = {"codec_type": "video", "nb_read_packets": "119"}


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (json.dumps({"streams": [VIDEO]}), "1 tracks"),
        (json.dumps({"streams": [VIDEO, {**VIDEO, "codec_type": "audio"}]}), "119 and 119 samples"),
        ("", "ffprobe"),
    ],
    ids=["a track less", "a sample less", "it fails"],
)
def test_another_program_that_finds_something_else_is_told(
    recordings: Path,
    printed: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tools := tmp_path / "tools").mkdir()
    program = tools / "ffprobe"
    program.write_text(f"#!/bin/sh\necho '{printed}'\n[ -n '{printed}' ] || {{ echo ffprobe: no >&2; exit 1; }}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/bin")
    assert sentence in said(capsys, "verify", str(recordings / "garden" / FIRST), code=3)
