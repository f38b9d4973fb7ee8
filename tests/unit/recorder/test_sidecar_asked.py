"""What was asked for over HTTP outlives the process, and nothing else does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.recorder.sidecar_bed import station
from tests.waiting import wait
from usenet.recorder.sidecar.asked import NAME, Asked

ODD = ["", "[]", "{", '{"cameras": 3}', '{"cameras": {"door": "noon"}}', '{"version": 1}', "\0"]


def test_what_was_asked_for_goes_on_after_a_crash(tmp_path: Path) -> None:
    before = station(tmp_path, "door", "gate", "yard")
    before.open()
    before.start("door", None)
    before.start("gate", 3600)
    until = before.posts["gate"].told()["until"]

    after = station(tmp_path, "door", "gate", "yard")
    after.open()
    assert {name: post.recording for name, post in after.posts.items()} == {"door": True, "gate": True, "yard": False}
    assert (after.posts["door"].told()["until"], after.posts["gate"].told()["until"]) == (None, until)


def test_an_orderly_restart_goes_on_too(tmp_path: Path) -> None:
    before = station(tmp_path, "door")
    before.open()
    before.start("door", None)
    assert before.close() == []
    after = station(tmp_path, "door")
    after.open()
    assert after.posts["door"].recording


def test_what_was_stopped_stays_stopped(tmp_path: Path) -> None:
    before = station(tmp_path, "door", "gate")
    before.open()
    before.start("door", None)
    before.start("gate", 0.05)
    before.stop("door")
    wait(lambda: not before.posts["gate"].recording)
    assert json.loads((tmp_path / NAME).read_text()) == {"version": 1, "cameras": {}}
    after = station(tmp_path, "door", "gate")
    after.open()
    assert not any(post.recording for post in after.posts.values())


def test_what_ended_meanwhile_and_who_is_gone_are_forgotten(tmp_path: Path) -> None:
    Asked(tmp_path / NAME).remember("late", time.time() - 1)
    Asked(tmp_path / NAME).remember("gone", None)
    after = station(tmp_path, "late", "door")
    after.open()
    assert not any(post.recording for post in after.posts.values())
    assert Asked(tmp_path / NAME).now() == {}


def test_who_is_always_recorded_is_not_remembered(tmp_path: Path) -> None:
    of = station(tmp_path, "door")
    object.__setattr__(of.posts["door"].camera, "enabled", True)
    of.open()
    of.stop("door")
    of.start("door", None)
    assert Asked(tmp_path / NAME).now() == {}


@pytest.mark.parametrize("text", ODD)
def test_a_damaged_memory_is_told_and_costs_no_recording(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).write_text(text)
    of = station(tmp_path, "door")
    of.open()
    assert "can't be read" in caplog.text
    of.start("door", None)
    assert Asked(tmp_path / NAME).now() == {"door": None}


def test_a_memory_that_can_not_be_written_is_told_and_costs_no_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{NAME}.new").mkdir()
    of = station(tmp_path, "door")
    of.open()
    of.start("door", None)
    assert of.posts["door"].recording
    assert "will not go on" in caplog.text
