"""What was asked for over HTTP outlives the process, and nothing else does."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest

from tests.unit.recorder.sidecar_bed import Scripted, station
from tests.waiting import wait
from usenet.recorder.errors import RecorderError
from usenet.recorder.sidecar.answers import Refused
from usenet.recorder.sidecar.asked import NAME, Asked, Wish
from usenet.recorder.sidecar.station import Station
from usenet.recorder.sidecar.wishes import Camera

WISH = '{{"cameras": {{"door": {{"until": {0}, "seconds": {0}}}}}}}'
ODD = ["", "[]", "{", '{"cameras": 3}', '{"cameras": {"door": "noon"}}', '{"version": 1}', "\0", "[" * 100_000]
ODD += [WISH.format(number) for number in ("NaN", "Infinity", "-Infinity", "1e999", '"1e9999"', "true", "[]")]


def seconds_left(of: Station, camera: str) -> float:
    timer = of.posts[camera]._timer
    return timer.interval if timer else math.inf


def test_what_was_asked_for_goes_on_after_a_crash(tmp_path: Path) -> None:
    before = station(tmp_path, "door", "gate", "yard")
    before.open()
    before.start("door", None)
    before.start("gate", 3600)
    until = Asked(tmp_path / NAME).now()["gate"].until or 0
    after = station(tmp_path, "door", "gate", "yard")
    after.open()
    assert {name: post.recording for name, post in after.posts.items()} == {"door": True, "gate": True, "yard": False}
    assert after.posts["door"].told()["until"] is None
    assert 3500 < seconds_left(after, "gate") <= until - time.time() + 60
    assert Asked(tmp_path / NAME).now() == {"door": Wish(), "gate": Wish(until, 3600)}


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
    wait(lambda: json.loads((tmp_path / NAME).read_text()) == {"version": 1, "cameras": {}})
    assert not before.posts["gate"].recording
    after = station(tmp_path, "door", "gate")
    after.open()
    assert not any(post.recording for post in after.posts.values())


def test_what_ended_meanwhile_and_who_is_gone_are_forgotten(tmp_path: Path) -> None:
    Asked(tmp_path / NAME).remember("late", Wish(time.time() - 1, 60))
    Asked(tmp_path / NAME).remember("gone", Wish())
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
    assert Asked(tmp_path / NAME).now() == {"door": Wish()}


def test_a_memory_that_can_not_be_written_is_told_and_costs_no_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"{NAME}.new").mkdir()
    of = station(tmp_path, "door")
    of.open()
    of.start("door", None)
    assert of.posts["door"].recording
    assert "will not go on" in caplog.text


def test_a_clock_that_was_set_back_makes_nothing_longer(tmp_path: Path) -> None:
    Asked(tmp_path / NAME).remember("door", Wish(time.time() + 30 * 86400, 60))
    of = station(tmp_path, "door")
    of.open()
    assert seconds_left(of, "door") == 60


@pytest.mark.parametrize("far", [1e12, 1e308])
def test_a_time_that_nobody_can_have_asked_for_ends_after_a_day(tmp_path: Path, far: float) -> None:
    Asked(tmp_path / NAME).remember("door", Wish(far, far))
    of = station(tmp_path, "door")
    of.open()
    assert (of.ready, seconds_left(of, "door")) == (True, 86_400)


def test_one_that_can_not_be_begun_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> None:
        raise RecorderError("no thread is left")

    def feed(camera: Camera) -> Scripted:
        made = Scripted(camera, tmp_path / camera.name)
        if camera.name == "door":
            made.start = refuse  # type: ignore[method-assign]
        return made

    for name in ("door", "gate"):
        Asked(tmp_path / NAME).remember(name, Wish())
    memory = Asked(tmp_path / NAME).now()
    of = station(tmp_path, "door", "gate", feed=feed)
    of.open()
    assert of.ready
    assert {name: post.recording for name, post in of.posts.items()} == {"door": False, "gate": True}
    assert "can't go on" in caplog.text
    assert Asked(tmp_path / NAME).now() == memory


def test_nobody_may_ask_before_it_went_on(tmp_path: Path) -> None:
    """Else who asks for the same camera meanwhile would end the others, or be forgotten."""
    seen: list[bool] = []

    def feed(camera: Camera) -> Scripted:
        seen.append(of.ready)
        return Scripted(camera, tmp_path / camera.name)

    Asked(tmp_path / NAME).remember("door", Wish())
    of = station(tmp_path, "door", feed=feed)
    of.open()
    assert seen == [False]
    assert of.ready


def test_a_stop_that_can_not_be_written_down_still_counts(tmp_path: Path) -> None:
    of = station(tmp_path, "door", "gate")
    of.open()
    of.start("door", None)
    (tmp_path / f"{NAME}.new").mkdir()
    of.stop("door")
    assert Asked(tmp_path / NAME).now() == {}


def test_a_link_that_somebody_left_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.new").symlink_to(tmp_path / "elsewhere")
    Asked(tmp_path / NAME).remember("door", Wish())
    assert Asked(tmp_path / NAME).now() == {"door": Wish()}
    assert not (tmp_path / "elsewhere").exists()


def test_one_that_is_not_finished_is_told_at_the_end(tmp_path: Path) -> None:
    of = station(tmp_path, "door")
    of.open()
    of.start("door", None)

    def busy(why: str = "") -> dict[str, object]:
        raise Refused(503, "busy", "it is still being finished")

    of.posts["door"].stop = busy  # type: ignore[method-assign]
    assert of.close() == ["door"]
