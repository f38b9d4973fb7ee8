"""A camera that comes and goes, a drive that is slow or fails: what is recorded, what is told."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from usenet.recorder.errors import BadSample, Full, RecorderError, Unreachable
from usenet.recorder.policy import PRESETS
from usenet.recorder.sources.backoff import Backoff
from usenet.recorder.sources.camera import Camera, gathering
from usenet.recorder.sources.source import Retrack
from usenet.recorder.tracks import Sample, Track

ENTRY = b"\0\0\0\x10avc1" + bytes(8)
PICTURE = Track(1, "video", 1000, ENTRY, width=320, height=180, duration=40)
TRACKS = (PICTURE,)
SECOND = 60.0  # nothing here takes so long unless it is broken, on a busy machine neither


def frame(n: int, *, size: int = 100) -> Sample:
    return Sample(1, bytes([n % 256]) * size, n * 40, n * 40, n % 5 == 0, 40)


class Script:
    """A source that does what it is told, one thing after another."""

    def __init__(self, *acts: object, live: bool = True, behind_s: float = 0.0) -> None:
        self.acts, self.live, self.behind_s = acts, live, behind_s
        self.closed = False

    def open(self) -> tuple[Track, ...]:
        if self.acts and isinstance(self.acts[0], Exception):
            raise self.acts[0]
        return TRACKS

    def samples(self) -> Iterator[Sample | Retrack]:
        for act in self.acts:
            if isinstance(act, Exception):
                raise act
            if isinstance(act, Sample | Retrack):
                yield act
            elif callable(act):
                act()

    def close(self) -> None:
        self.closed = True


class Tape:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.before: Callable[[Sample], None] = lambda _: None

    def write(self, sample: Sample) -> None:
        self.before(sample)
        self.said.append(sample)

    def gap(self, milliseconds: int, reason: str) -> None:
        self.said.append((milliseconds, reason))

    def retrack(self, tracks: Sequence[Track]) -> None:
        self.said.append(tuple(tracks))

    @property
    def samples(self) -> list[Sample]:
        return [each for each in self.said if isinstance(each, Sample)]

    @property
    def gaps(self) -> list[tuple[int, str]]:
        return [each for each in self.said if isinstance(each, tuple) and isinstance(each[0], int)]


class Bench:
    """A camera whose connections are scripts; time passes only while it waits, and where a script says so."""

    def __init__(self, *scripts: Script, **how: object) -> None:
        self.tape, self.now, self.waits = Tape(), 1000.0, list[float]()
        self.scripts = list(scripts)
        self.rest = iter(scripts)
        self.asked = list[tuple[Track, ...]]()
        self.exhausted = threading.Event()
        settings = {"backoff": Backoff(1, 8, 0), "clock": lambda: self.now, "wait": self.wait} | how
        self.camera = Camera("door", self.next, self.record, **settings)  # type: ignore[arg-type]

    def next(self) -> Script:
        script = next(self.rest, None)
        if script is not None:
            return script
        self.exhausted.set()
        return Script(Unreachable("no more"))

    def record(self, tracks: tuple[Track, ...]) -> Tape:
        self.asked.append(tracks)
        return self.tape

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if self.exhausted.is_set():
            time.sleep(0.001)

    def pass_by(self, seconds: float) -> Callable[[], None]:
        def passing() -> None:
            self.now += seconds

        return passing

    def run(self) -> None:
        """Until all scripts are played."""
        self.camera.start()
        assert self.exhausted.wait(SECOND)
        assert self.camera.stop(SECOND)


def test_everything_a_camera_gives_is_written_in_order() -> None:
    given = [frame(n) for n in range(20)]
    bench = Bench(Script(*given))
    bench.run()
    assert bench.tape.said == given
    assert bench.asked == [TRACKS]


def test_a_camera_that_went_away_is_asked_again_and_its_absence_is_a_gap() -> None:
    first = Script(frame(0), frame(1), Unreachable("door: no answer"))
    bench = Bench(first, Script(Unreachable("door: no route")), Script(frame(5), frame(6)))
    bench.run()
    assert first.closed
    assert bench.tape.said == [frame(0), frame(1), (3000, "door: no route"), frame(5), frame(6)]
    status = bench.camera.status
    assert (status.gaps, status.gap_s) == (1, 3.0)
    assert status.reconnects >= 2


def test_what_was_taken_before_it_was_read_is_no_gap() -> None:
    bench = Bench(Script(frame(0), Unreachable("away")), Script(frame(5), behind_s=0.4))
    bench.run()
    assert bench.tape.gaps == [(600, "away")]


def test_before_the_first_picture_there_is_no_gap() -> None:
    bench = Bench(Script(Unreachable("away")), Script(frame(0)))
    bench.run()
    assert bench.tape.said == [frame(0)]


def test_a_live_stream_that_ends_is_asked_again() -> None:
    bench = Bench(Script(frame(0)), Script(frame(5)))
    bench.run()
    assert bench.tape.samples == [frame(0), frame(5)]
    assert "ended" in bench.tape.gaps[0][1]


def test_it_is_asked_more_and_more_seldom_until_it_was_well_for_a_while() -> None:
    bench = Bench()
    down = [Script(Unreachable("no")) for _ in range(4)]
    well = Script(frame(0), bench.pass_by(60), frame(1), Unreachable("no"))
    bench.rest = iter([*down, well, Script(Unreachable("no"))])
    bench.run()
    assert bench.waits[:6] == [1, 2, 4, 8, 1, 2]


def test_a_camera_that_accepts_and_hangs_up_is_not_well() -> None:
    bench = Bench(*[Script(frame(0), Unreachable("no")) for _ in range(4)])
    bench.run()
    assert bench.waits[:4] == [1, 2, 4, 8]


def test_a_camera_that_takes_a_minute_to_say_nothing_is_not_well() -> None:
    bench = Bench()
    bench.rest = iter([Script(bench.pass_by(60), Unreachable("no")) for _ in range(3)])
    bench.run()
    assert bench.waits[:3] == [1, 2, 4]


def test_a_refusal_is_not_asked_again_soon() -> None:
    bench = Bench(Script(RecorderError("wrong password")))
    bench.run()
    assert bench.waits[0] == 8


def test_a_bug_in_a_source_does_not_end_the_camera(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        bench = Bench(Script(frame(0), ValueError("oops")), Script(frame(5)))
        bench.run()
    assert bench.tape.samples == [frame(0), frame(5)]
    assert "ValueError" in caplog.text


def test_other_settings_are_told_before_their_first_picture() -> None:
    other = (Track(1, "video", 1000, ENTRY, width=640, height=360),)
    bench = Bench(Script(frame(0), Retrack(other), frame(5)))
    bench.run()
    assert bench.tape.said == [frame(0), other, frame(5)]
    assert (bench.camera.status.width, bench.camera.status.height) == (640, 360)


def test_a_camera_that_comes_back_as_it_was_needs_no_new_tracks() -> None:
    bench = Bench(Script(frame(0)), Script(frame(5)))
    bench.run()
    assert TRACKS not in bench.tape.said


def test_the_status_tells_what_is_recorded() -> None:
    reached, go_on = threading.Event(), threading.Event()
    bench = Bench(Script(*[frame(n) for n in range(50)], reached.set, lambda: go_on.wait(SECOND)))
    bench.camera.start()
    assert reached.wait(SECOND)
    wait_for(lambda: bench.camera.status.frames == 50)
    status = bench.camera.status
    go_on.set()
    assert bench.camera.stop(SECOND)
    assert (status.state, status.bytes, status.codecs) == ("recording", 5000, ("avc1",))
    assert (status.width, status.height, status.fps) == (320, 180, pytest.approx(25))
    assert bench.camera.status.state == "stopped"


def test_how_long_nothing_came_is_told() -> None:
    reached, go_on = threading.Event(), threading.Event()
    bench = Bench()
    bench.rest = iter([Script(frame(0), frame(1), bench.pass_by(7), reached.set, lambda: go_on.wait(SECOND))])
    bench.camera.start()
    assert reached.wait(SECOND)
    assert bench.camera.status.unread_s == 7
    go_on.set()
    assert bench.camera.stop(SECOND)


def test_a_slow_drive_never_blocks_the_camera_and_costs_one_gap(caplog: pytest.LogCaptureFixture) -> None:
    """The drive stands still for 100 pictures; what comes first behind the gap is a key frame."""
    stuck, read_all = threading.Event(), threading.Event()
    bench = Bench(backlog=1000)
    bench.tape.before = lambda _: stuck.wait(SECOND)
    on_and_on = [frame(n) for n in range(100)]
    later = [frame(n) for n in range(103, 112)]
    drained = lambda: wait_for(lambda: bench.camera.status.waiting_bytes <= 100)  # noqa: E731 - one line of a script
    bench.rest = iter([Script(*on_and_on, bench.pass_by(4), read_all.set, lambda: stuck.wait(SECOND), drained, *later)])
    bench.camera.start()
    assert read_all.wait(SECOND), "the camera was made to wait"
    assert bench.camera.status.dropping
    with caplog.at_level(logging.WARNING):
        stuck.set()
        assert bench.exhausted.wait(SECOND)
        assert bench.camera.stop(SECOND)
    assert bench.tape.samples[:10] == on_and_on[:10]
    written = bench.tape.said
    behind = written[written.index(bench.tape.gaps[0]) + 1]
    assert behind == frame(105)
    assert bench.tape.gaps[0] == (4000, "the drive was too slow")
    assert bench.camera.status.dropped == 92
    assert "92 samples dropped" in caplog.text


def test_a_stuck_camera_does_not_hold_up_its_end_nor_another_camera() -> None:
    free = threading.Event()
    stuck = Bench(Script(frame(0), lambda: free.wait(SECOND * 4), Unreachable("no answer")))
    well = Bench(Script(*[frame(n) for n in range(100)]))
    stuck.camera.start()
    well.run()
    assert len(well.tape.samples) == 100
    wait_for(lambda: stuck.tape.samples == [frame(0)])
    assert stuck.camera.stop(0.5) or stuck.camera.join(SECOND)
    free.set()
    wait_for(lambda: stuck.scripts[0].closed)
    assert stuck.tape.samples == [frame(0)], "nothing is written after the end"
    assert (stuck.camera.status.state, stuck.camera.status.last_error) == ("stopped", "")


def test_a_stream_without_an_end_can_be_ended() -> None:
    script = Script()
    script.acts = (frame(n) for n in itertools.count())  # type: ignore[assignment]
    bench = Bench(script)
    script.open = lambda: TRACKS  # type: ignore[method-assign]
    bench.camera.start()
    wait_for(lambda: bool(bench.tape.samples))
    assert bench.camera.stop(SECOND)
    wait_for(lambda: script.closed)


def test_a_stuck_drive_is_told_at_the_end() -> None:
    free = threading.Event()
    bench = Bench(Script(frame(0)))
    bench.tape.before = lambda _: free.wait(SECOND * 4)
    bench.camera.start()
    assert bench.exhausted.wait(SECOND)
    assert not bench.camera.stop(0.2)
    free.set()


def test_a_full_drive_is_told_and_recording_goes_on_if_so_wished() -> None:
    heard: list[RecorderError] = []

    def failed(error: RecorderError) -> bool:
        heard.append(error)
        return True

    bench = Bench(Script(*[frame(n) for n in range(10)]), failed=failed)

    def full(sample: Sample) -> None:
        if sample == frame(3):
            raise Full("no room")

    bench.tape.before = full
    bench.run()
    assert [str(error) for error in heard] == ["no room"]
    assert len(bench.tape.samples) == 9


def test_a_full_drive_ends_the_camera_where_nobody_wishes_otherwise() -> None:
    bench = Bench(Script(*[frame(n) for n in range(10)]))

    def full(sample: Sample) -> None:
        raise Full("no room")

    bench.tape.before = full
    bench.camera.start()
    assert bench.camera.join(SECOND)
    assert (bench.camera.status.state, bench.camera.status.last_error) == ("stopped", "no room")


def test_a_place_that_refuses_is_asked_again_at_the_next_key_frame() -> None:
    bench = Bench(Script(*[frame(n) for n in range(10)]), failed=lambda _: True)
    refusals = iter([Full("no room")])

    def record(tracks: tuple[Track, ...]) -> object:
        for refusal in refusals:
            raise refusal
        return bench.record(tracks)

    bench.camera = Camera(
        "door",
        bench.next,
        record,  # type: ignore[arg-type]
        failed=lambda _: True,
        backoff=Backoff(1, 8, 0),
        clock=lambda: bench.now,
        wait=bench.wait,
    )
    bench.run()
    assert bench.tape.samples == [frame(n) for n in range(5, 10)]


def test_a_bad_sample_is_left_out_and_counted() -> None:
    bench = Bench(Script(*[frame(n) for n in range(5)]))

    def bad(sample: Sample) -> None:
        if sample == frame(2):
            raise BadSample("nothing in it")

    bench.tape.before = bad
    bench.run()
    assert len(bench.tape.samples) == 4
    assert bench.camera.status.dropped == 1


def test_a_file_is_read_once_to_its_end_at_the_pace_of_the_drive() -> None:
    given = [frame(n) for n in range(300)]
    bench = Bench(Script(*given, live=False), backlog=500)
    bench.camera.start()
    assert bench.camera.join(SECOND)
    assert bench.tape.said == given
    assert bench.camera.status.reconnects == 0


def test_a_file_that_is_not_there_is_asked_for_once() -> None:
    bench = Bench(Script(Unreachable("no such file"), live=False))
    bench.camera.start()
    assert bench.camera.join(SECOND)
    assert (bench.camera.status.state, bench.camera.status.last_error) == ("stopped", "no such file")


def test_a_camera_can_be_stopped_before_it_was_started() -> None:
    assert Bench().camera.stop(0.1)


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECOND
    while not true():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_policy_that_cuts_at_each_picture_lets_none_wait() -> None:
    assert gathering(PRESETS["evidence"]) == 0
    assert gathering(PRESETS["default"]) > 0
