"""Drives that sleep: who is woken, how long each has, and what is said of one that has not answered yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from usenet.adapters import shell
from usenet.adapters.mounts import Mounted
from usenet.adapters.shell import Done
from usenet.adapters.storage import look, markers, pulse
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Mount
from usenet.domain.storage.marker import Marker, text
from usenet.domain.storage.seen import Held

Answer = Callable[[str, float], Done]
OURS = text(Marker(stack="s", name="films", uuid="u"))
WELL = Done(0, OURS, "")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were run, `device` for the block that is read past all caches."""
    return []


@pytest.fixture
def held(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Held]:
    """How a drive is found that answers so; a FUSE drive, whose device has no number."""
    device = tmp_path / "disk"
    device.touch()
    row = Mounted(str(device), "ext4", "0:99", Mount(target=str(tmp_path / "drives" / "films")))

    def found(answer: Answer, **how: Any) -> Held:
        def run(words: Sequence[str], *, timeout: float = 10, **_: Any) -> Done:
            asked.append("device" if f"if={device}" in words else words[0])
            return answer(asked[-1], timeout)

        monkeypatch.setattr(shell, "run", run)
        place = look.places(tmp_path, {"films": True}, [row], **how)["films"].held
        assert place is not None
        return place

    return found


def after(seconds: float) -> Answer:
    """A drive that answers so late, but to whom waits."""

    def answer(what: str, timeout: float) -> Done:
        if what == "device" and timeout < seconds:
            raise SystemFailure(f"dd did not end within {timeout:g} s")
        return WELL

    return answer


def refused(why: str) -> Answer:
    return lambda what, _: Done(1, "", f"dd: failed to open: {why}\n") if what == "device" else WELL


def test_one_that_spins_up_for_twelve_seconds_is_well(held: Callable[..., Held]) -> None:
    found = held(after(12))
    assert (found.alive, found.unsure) == (True, "")
    assert found.marker is not None


def test_one_that_says_nothing_for_half_a_minute_is_dead(held: Callable[..., Held]) -> None:
    assert not held(after(31)).alive
    assert look.PATIENCE >= 30


def test_to_who_does_not_wait_it_is_neither_well_nor_dead(
    held: Callable[..., Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "_spins", lambda _: False)
    found = held(after(12), wake=False, patience=0.7)
    assert found.alive
    assert "has not answered yet" in found.unsure


def test_an_error_is_an_answer_and_needs_no_waiting(held: Callable[..., Held]) -> None:
    assert not held(refused("Input/output error")).alive


def test_what_only_root_may_read_is_not_dead(held: Callable[..., Held]) -> None:
    assert held(refused("Permission denied")).alive


def test_a_glance_asks_no_device_that_may_have_to_spin_up(
    held: Callable[..., Held], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held(after(0), wake=False)
    assert "device" not in asked
    monkeypatch.setattr(look, "_spins", lambda _: False)
    held(after(0), wake=False)
    assert "device" in asked


def test_one_that_is_known_to_be_dead_is_not_asked_again(held: Callable[..., Held], asked: list[str]) -> None:
    assert not held(after(0), dead={"films"}).alive
    assert asked == []


def test_a_directory_that_a_plain_user_may_not_read_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = Done(2, "", f"ls: cannot open directory '{tmp_path}': Permission denied\n")
    monkeypatch.setattr(shell, "run", lambda *_, **__: told)
    assert markers.look(tmp_path) == (None, True)
    monkeypatch.setattr(shell, "run", lambda *_, **__: Done(2, "", "ls: reading directory: Input/output error\n"))
    assert markers.look(tmp_path) == (None, False)


class Beat:
    """A pulse whose questions are answered by the test; `now` is the time."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.counters, self.asked = 100.0, ("1",), list[str]()
        self.answers: list[list[bool]] = []
        patch.setattr(pulse, "time", self)
        patch.setattr(pulse, "threading", self)
        patch.setattr(pulse, "_counters", lambda _: self.counters)
        patch.setattr(pulse, "_number", lambda device: f"8:{device}")
        self.pulse = pulse.Pulse(lambda _: True)

    def monotonic(self) -> float:
        return self.now

    def Thread(self, *, args: tuple[str, list[bool]], **_: Any) -> Beat:  # noqa: N802 - in place of threading
        self.asked.append(args[0])
        self.answers.append(args[1])
        return self

    def start(self) -> None:
        """Nobody answers yet."""


@pytest.fixture
def beat(monkeypatch: pytest.MonkeyPatch) -> Beat:
    return Beat(monkeypatch)


def test_the_pulse_gives_a_drive_half_a_minute(beat: Beat) -> None:
    beat.pulse.follow({"films": "1"})
    beat.counters = ("2",)
    for _ in range(30):
        assert not beat.pulse.silent()
        beat.now += 1
    assert beat.asked == ["films"]
    beat.answers[0].append(True)
    assert not beat.pulse.silent()


def test_another_look_does_not_begin_the_half_minute_anew(beat: Beat) -> None:
    beat.pulse.follow({"films": "1"})
    beat.counters = ("2",)
    for _ in range(int(pulse.OVERDUE) + 1):
        assert not beat.pulse.silent()
        beat.pulse.follow({"films": "1"})
        beat.now += 1
    assert beat.asked == ["films"]
    assert beat.pulse.silent() == {"films"}


def test_an_answer_that_came_too_late_is_not_taken_for_the_next(beat: Beat) -> None:
    beat.pulse.follow({"films": "1"}, doubtful=["films"])
    beat.pulse.silent()
    beat.now += pulse.OVERDUE + 1
    assert beat.pulse.silent() == {"films"}
    beat.answers[0].append(False)
    beat.counters = ("3",)
    assert not beat.pulse.silent()
    assert not beat.pulse.silent()


def test_who_is_in_doubt_is_asked_at_once_directories_too(beat: Beat) -> None:
    beat.pulse.follow({"films": "1", "nas": ""}, doubtful=["nas"])
    for _ in range(3):
        assert not beat.pulse.silent()
    assert beat.asked == ["nas"]
    beat.answers[0].append(True)
    for _ in range(3):
        assert not beat.pulse.silent()
    assert beat.asked == ["nas"]
