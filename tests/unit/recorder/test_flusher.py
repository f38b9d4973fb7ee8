"""The coordinator by a clock that the test moves: when it asks a drive, how often, and how it lets go."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import wait
from usenet.recorder.errors import Full, Poisoned, RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.io import Files
from usenet.recorder.policy import Flush
from usenet.recorder.segment import Segment

from .takes import TRACKS

EVERY = 0.05  # seconds
FLUSH = Flush("time", 10_000, int(EVERY * 1000))


class Hands:
    """Two clocks of a machine. They stand still until they are moved; the steady one never goes back."""

    def __init__(self) -> None:
        self.now, self.steady = 1_700_000_000.0 + 0.3 * EVERY, 100.0

    def go(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds


class Drive(Files):
    """Remembers by the wall clock when it was asked to sync; hangs while `go` is not set; fails as it is told."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.asked: list[float] = []
        self.go = threading.Event()
        self.go.set()
        self.number = 0
        self.on = ""

    def sync(self, handle: int) -> None:
        self.asked.append(self.hands.now)
        self.go.wait(60)
        self._fail("sync")

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        self._fail("pwrite")
        super().pwrite(handle, data, offset)

    def _fail(self, call: str) -> None:
        if self.on == call:
            raise OSError(self.number, "as told")


class Bed:
    """Segments on one drive, their coordinator, and what it told of them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hands = folder, Hands()
        self.drive = Drive(self.hands)
        self.coordinator = Coordinator(wall=lambda: self.hands.now, steady=lambda: self.hands.steady)
        self.segments: list[Segment] = []
        self.told: list[tuple[Segment, RecorderError]] = []

    def segment(self, flush: Flush = FLUSH) -> Segment:
        path = self.folder / f"{len(self.segments)}.mp4"
        made = Segment.create(str(path), TRACKS, seconds=10, flush=flush, io=self.drive)
        self.segments.append(made)
        self.drive.asked.clear()
        self.coordinator.add(made, lambda *failed: self.told.append(failed))
        return made

    def sample(self) -> None:
        """One more for each segment, at the end of its first track."""
        for segment in self.segments:
            segment.append(1, b"sample", dts=self.count * 3000)
        self.count += 1

    count = 0

    def tick(self) -> None:
        """To just behind the next whole multiple of the interval, by the wall clock."""
        self.hands.go(EVERY - self.hands.now % EVERY + 0.1 * EVERY)

    def synced(self) -> None:
        """What was given so far is durable."""
        wait(lambda: all(segment.clean for segment in self.segments) and self.rests())

    def rests(self, *of: Segment) -> bool:
        """No sync of these runs, or of any: at a tick before that the segment would be left out until the next one."""
        members = [each for each in list(self.coordinator._members.values()) if not of or each.segment in of]
        return all(each.running is None or each.running.done() for each in members)

    def end(self) -> None:
        self.drive.on = ""
        self.drive.go.set()
        self.coordinator.close()
        for segment in self.segments:
            segment.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.end()


def idle(bed: Bed) -> None:
    """The coordinator has looked at its clock several times since, and what it began then is done."""
    looked: list[float] = []
    steady, changed = bed.coordinator._steady, bed.coordinator._changed

    def nudged() -> None:
        with changed:
            changed.notify()

    bed.coordinator._steady = lambda: looked.append(0.0) or steady()  # type: ignore[func-returns-value]
    wait(lambda: nudged() or (len(looked) > 6 and bed.rests()))
    bed.coordinator._steady = steady


def test_all_segments_are_asked_at_the_same_ticks_of_the_wall_clock(bed: Bed) -> None:
    for _ in range(3):
        bed.segment()
    for _ in range(4):
        bed.drive.asked.clear()
        bed.sample()
        before = bed.hands.now // EVERY
        idle(bed)
        assert bed.drive.asked == []
        bed.tick()
        bed.synced()
        assert [asked // EVERY - before for asked in bed.drive.asked] == [1, 1, 1]


def test_an_interval_is_each_segments_own(bed: Bed) -> None:
    often, seldom = bed.segment(), bed.segment(Flush("time", 10_000, 10 * FLUSH.sync_ms))
    bed.hands.go(10 * EVERY - bed.hands.now % (10 * EVERY) + 0.1 * EVERY)
    idle(bed)
    bed.sample()
    bed.tick()
    wait(lambda: often.clean)
    idle(bed)
    assert not seldom.clean
    bed.hands.go(10 * EVERY)
    bed.synced()


def test_nothing_new_is_no_sync(bed: Bed) -> None:
    bed.segment()
    for _ in range(3):
        bed.tick()
        idle(bed)
    assert bed.drive.asked == []


@pytest.mark.parametrize("step", [-3600.0, -3.3 * EVERY, 3.3 * EVERY, 3600.0])
def test_a_clock_that_is_set_keeps_nothing_waiting(bed: Bed, step: float) -> None:
    """No longer than one interval of real time, whichever way it was set."""
    bed.segment()
    bed.sample()
    bed.tick()
    bed.synced()
    bed.sample()
    bed.hands.now += step
    bed.hands.go(1.1 * EVERY)
    bed.synced()
    bed.sample()
    bed.tick()
    bed.synced()


def slow(bed: Bed, milliseconds: float, syncs: int) -> None:
    for _ in range(syncs):
        bed.coordinator._took(milliseconds)


def test_a_slow_drive_is_asked_less_often_and_as_before_when_it_has_recovered(bed: Bed) -> None:
    bed.segment()
    seen = []
    for _ in range(5):
        slow(bed, 5 * FLUSH.sync_ms, 16)
        seen.append(bed.coordinator.stretch)
    assert seen == [2, 4, 8, 8, 8]
    bed.tick()
    idle(bed)
    bed.sample()
    for _ in range(2):
        bed.tick()
        idle(bed)
    assert bed.drive.asked == []
    bed.hands.go(8 * EVERY)
    bed.synced()
    assert len(bed.drive.asked) == 1
    slow(bed, 0.01, 5000)
    assert bed.coordinator.stretch == 1


def test_a_drive_that_needs_less_than_half_the_interval_is_asked_at_every_tick(bed: Bed) -> None:
    bed.segment()
    slow(bed, 0.45 * FLUSH.sync_ms, 2000)
    assert bed.coordinator.stretch == 1


def test_a_segment_that_is_synced_seldom_does_not_speed_up_a_slow_drive(bed: Bed) -> None:
    bed.segment()
    bed.segment(Flush("time", 10_000, 40 * FLUSH.sync_ms))
    slow(bed, 0.9 * FLUSH.sync_ms, 20)
    assert bed.coordinator.stretch == 2
    slow(bed, 0.9 * FLUSH.sync_ms, 500)
    assert bed.coordinator.stretch == 2


def test_a_segment_whose_sync_hangs_is_not_asked_again_and_holds_up_no_other(bed: Bed, tmp_path: Path) -> None:
    hangs = bed.segment()
    bed.drive.go.clear()
    bed.sample()
    bed.tick()
    wait(lambda: bed.drive.asked)
    free = Segment.create(str(tmp_path / "free.mp4"), TRACKS, seconds=10, flush=FLUSH)
    bed.coordinator.add(free, lambda *_: None)
    for at in range(3):
        free.append(1, b"sample", dts=at * 3000)
        bed.sample()
        bed.tick()
        wait(lambda: free.clean and bed.rests(free))
    assert len(bed.drive.asked) == 1
    assert not hangs.clean
    bed.drive.go.set()
    wait(lambda: bed.rests(hangs))
    bed.tick()
    bed.synced()
    bed.coordinator.remove(free)
    free.close()


def in_background(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_a_segment_that_was_removed_is_not_touched_any_more(bed: Bed) -> None:
    segment = bed.segment()
    bed.drive.go.clear()
    bed.sample()
    bed.tick()
    wait(lambda: bed.drive.asked)
    removing = in_background(lambda: bed.coordinator.remove(segment))
    removing.join(0.2)
    assert removing.is_alive()  # its sync still runs
    bed.drive.go.set()
    removing.join()
    bed.sample()
    for _ in range(3):
        bed.tick()
        idle(bed)
    assert len(bed.drive.asked) == 1
    bed.coordinator.remove(segment)  # again: nothing to do


@pytest.mark.parametrize(
    ("call", "number", "kind"),
    [("sync", errno.EIO, Poisoned), ("pwrite", errno.EIO, Poisoned), ("pwrite", errno.ENOSPC, Full)],
)
def test_a_failure_is_told_once(bed: Bed, call: str, number: int, kind: type[RecorderError]) -> None:
    segment = bed.segment()
    bed.sample()
    bed.drive.on, bed.drive.number = call, number
    bed.tick()
    wait(lambda: bed.told)
    for _ in range(3):
        bed.tick()
        idle(bed)
    assert [(failed, type(error)) for failed, error in bed.told] == [(segment, kind)]


def test_without_a_thread_to_spare_it_is_tried_again(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = bed.coordinator._pool.submit, []

    def submit(*call: object) -> object:
        if not refused:
            refused.append(call)
            raise RuntimeError("can't start new thread")
        return real(*call)  # type: ignore[arg-type]

    monkeypatch.setattr(bed.coordinator._pool, "submit", submit)
    bed.segment()
    bed.sample()
    bed.tick()
    wait(lambda: refused)
    bed.tick()
    bed.synced()


def test_a_fault_of_ours_is_logged_and_tried_again(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    segment = bed.segment()
    bed.sample()
    with monkeypatch.context() as wrong:
        wrong.setattr(segment, "cut", lambda: 1 // 0)
        bed.tick()
        wait(lambda: "was not synced" in caplog.text and bed.rests())
    bed.tick()
    bed.synced()
    assert bed.told == []


def test_closed_it_leaves_segments_as_they_are(bed: Bed) -> None:
    segment = bed.segment()
    bed.sample()
    bed.coordinator.close()
    for _ in range(3):
        bed.tick()
    assert bed.drive.asked == []
    assert segment.pending
    bed.coordinator.close()
    bed.coordinator.remove(segment)
    assert segment.cut() == 1
