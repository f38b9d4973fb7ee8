"""A recorder: when its segments begin and end, what it says of them, and how it goes on after a failure."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import wait
from usenet.recorder import BadSample, Coordinator, Full, Poisoned, Recorder, RecorderError, Rotate, Sample, told
from usenet.recorder.boxes.box import boxes
from usenet.recorder.io import Files
from usenet.recorder.policy import Flush
from usenet.recorder.recorder import open as open_recording
from usenet.recorder.recovery import recover

from .takes import TRACKS, Take, by_track, held, takes

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND


class Clock:
    """A clock that moves with the samples."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> int:
        return self.now


def write(recorder: Recorder, given: list[Take], clock: Clock | None = None) -> None:
    for take in given:
        if clock is not None:
            clock.now = BEGIN + int(take.dts / (90_000 if take.track == 1 else 48_000) * SECOND)
        recorder.write(Sample(take.track, take.data, take.dts, take.dts + take.cts, take.sync))


@pytest.fixture
def still() -> Coordinator:
    """A coordinator that syncs nothing while a test runs."""
    return Coordinator(steady=lambda: 0.0)


def test_segments_follow_one_another_without_a_missing_sample(tmp_path: Path) -> None:
    given, clock = list(takes(9)), Clock()
    recorder = Recorder(tmp_path, TRACKS, rotate=Rotate(seconds=2.5), clock=clock)
    write(recorder, given, clock)
    files = recorder.close()
    assert [path.name[:18] for path in files] == [f"20231114T2213{20 + at}" + ".00" for at in (0, 3, 6)]
    assert sorted(tmp_path.iterdir()) == files
    together = [take.data for path in files for take in held(path)]
    assert sorted(together) == sorted(take.data for take in given)
    for path in files:
        video = [take for take in held(path) if take.track == 1]
        assert video[0].sync


def test_sound_and_picture_stay_together_over_segments(tmp_path: Path) -> None:
    given, clock = list(takes(9)), Clock()
    recorder = Recorder(tmp_path, TRACKS, rotate=Rotate(seconds=2.5), clock=clock)
    write(recorder, given, clock)
    when = {take.data: take.dts / (90_000 if take.track == 1 else 48_000) for take in given}
    for path in recorder.close():
        shifts = [when[take.data] - take.dts / (90_000 if take.track == 1 else 48_000) for take in held(path)]
        assert max(shifts) - min(shifts) < 1 / 40_000


def test_a_segment_begins_with_a_key_frame(tmp_path: Path, still: Coordinator) -> None:
    given = list(takes(4))[20:]
    recorder = Recorder(tmp_path, TRACKS, coordinator=still)
    write(recorder, given)
    skipped = recorder.status.skipped
    [path] = recorder.close()
    assert [take.data for take in by_track(held(path))] == [take.data for take in by_track(given[skipped:])]
    assert given[skipped].sync
    assert given[skipped].track == 1


def front(path: Path) -> bytes:
    """The moov of a finished file."""
    data = path.read_bytes()
    return next(data[at.start : at.end] for at in boxes(data) if at.kind == b"moov")


def test_files_of_one_recording_say_so(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path, TRACKS, rotate=Rotate(seconds=1), clock=clock)
    write(recorder, list(takes(4)), clock)
    tags = [dict(told.read(front(path)).tags) for path in recorder.close()]
    assert len({tag["usenet.recording"] for tag in tags}) == 1
    assert [tag["usenet.segment"] for tag in tags] == [str(at + 1) for at in range(len(tags))]
    assert len(tags) > 1


def test_a_clock_that_was_set_back_makes_no_file_twice(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        recorder = Recorder(tmp_path, TRACKS, clock=Clock())
        write(recorder, list(takes(1)))
        names += [path.name for path in recorder.close()]
    assert names == ["20231114T221320.000Z.mp4", "20231114T221320.000Z-2.mp4", "20231114T221320.000Z-3.mp4"]


def test_an_absence_is_a_gap_and_no_long_sample(tmp_path: Path) -> None:
    given, clock = list(takes(4)), Clock()
    recorder = Recorder(tmp_path, TRACKS, clock=clock)
    middle = next(at for at, take in enumerate(given) if take.track == 1 and take.dts == 60 * 3000)
    write(recorder, given[:middle], clock)
    recorder.gap(3000, "the camera was away")
    clock.now += 3 * SECOND
    for take in given[middle:]:
        later = 3 * (90_000 if take.track == 1 else 48_000)
        recorder.write(Sample(take.track, take.data, take.dts + later, take.dts + take.cts + later, take.sync))
    assert (recorder.status.gaps, 2900 < recorder.status.gap_ms < 3200) == (1, True)
    [path] = recorder.close()
    assert sorted(take.data for take in held(path)) == sorted(take.data for take in given)
    assert b'"at_ms"' in path.read_bytes()[:200_000]


def test_new_codec_settings_begin_a_new_segment(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, TRACKS)
    write(recorder, list(takes(2)))
    recorder.retrack(TRACKS)
    write(recorder, [take for take in takes(4) if take.dts >= 2 * (90_000 if take.track == 1 else 48_000)])
    assert len(recorder.close()) == 2


class Drive(Files):
    """A drive that fails as it is told to."""

    def __init__(self) -> None:
        self.number = 0
        self.on = "pwrite"

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        beyond = offset + len(data) > self.size(handle)  # a full drive takes what has its place already
        if self.on == "pwrite" and (self.number == errno.EIO or (self.number and beyond)):
            raise OSError(self.number, "as told")
        super().pwrite(handle, data, offset)

    def sync(self, handle: int) -> None:
        if self.number and self.on == "sync":
            raise OSError(self.number, "as told")
        super().sync(handle)


def test_after_a_full_drive_the_file_is_finished_and_the_next_one_begins_when_there_is_room(
    tmp_path: Path, still: Coordinator
) -> None:
    drive, given = Drive(), list(takes(6))
    recorder = Recorder(tmp_path, TRACKS, io=drive, coordinator=still)
    write(recorder, given[:150])
    drive.number = errno.ENOSPC
    with pytest.raises(Full):
        write(recorder, given[150:200])
    drive.number = 0
    write(recorder, given[200:])
    first, second = recorder.close()
    assert set(held(first)) <= set(given)
    assert {take.data for take in held(second)} <= {take.data for take in given[200:]}
    assert len(held(first)) > 100


def test_a_poisoned_segment_is_left_and_the_next_one_begins(tmp_path: Path) -> None:
    drive, given = Drive(), list(takes(6))
    failed: list[tuple[Path, RecorderError]] = []
    recorder = Recorder(tmp_path, TRACKS, io=drive, on_error=lambda path, error: failed.append((path, error)))
    write(recorder, given[:150])
    drive.number = errno.EIO
    with pytest.raises(Poisoned):
        write(recorder, given[150:200])
    drive.number = 0
    write(recorder, given[200:])
    files = recorder.close()
    assert len(files) == 1
    assert isinstance(failed[0][1], Poisoned)
    assert recover(failed[0][0]).chunks_kept > 0


def test_nothing_is_written_where_nothing_must_be(tmp_path: Path) -> None:
    def refuse(_: Path) -> None:
        raise Full("the drive is not there")

    recorder = Recorder(tmp_path, TRACKS, before_segment=refuse)
    with pytest.raises(Full, match="not there"):
        write(recorder, list(takes(1)))
    assert recorder.close() == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_becomes_durable_by_itself(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, TRACKS, flush=Flush("time", 250, 50))
    write(recorder, list(takes(1)))
    assert recorder.status.seq > 0
    wait(lambda: recorder.status.durable_lag_s == 0.0)
    status = recorder.status
    assert status.durable_seq == status.seq
    recorder.close()


def test_a_sync_that_hangs_holds_up_no_other_segment(tmp_path: Path) -> None:
    go = threading.Event()

    class Slow(Files):
        def sync(self, handle: int) -> None:
            if self.begun:
                go.wait(60)
            super().sync(handle)

        begun = False

    slow, coordinator = Slow(), Coordinator()
    flush = Flush("time", 250, 50)
    one = Recorder(tmp_path / "one", TRACKS, io=slow, coordinator=coordinator, flush=flush)
    two = Recorder(tmp_path / "two", TRACKS, coordinator=coordinator, flush=flush)
    for recorder in (one, two):
        recorder.directory.mkdir()
    write(one, list(takes(1)))
    slow.begun = True
    write(one, list(takes(2))[80:])
    write(two, list(takes(2)))
    wait(lambda: two.status.durable_lag_s == 0.0)
    assert one.status.durable_lag_s > 0
    go.set()
    assert len(one.close() + two.close()) == 2
    coordinator.close()


def test_finished_files_are_told_when_they_are_finished(tmp_path: Path) -> None:
    done: list[Path] = []
    seen: Callable[[Path], None] = lambda path: done.append(path) if path.exists() else None  # noqa: E731
    recorder = Recorder(tmp_path, TRACKS, rotate=Rotate(seconds=1), on_finished=seen)
    write(recorder, list(takes(4)))
    assert recorder.close() == done
    assert len(done) > 1


def test_a_full_drive_leaves_no_files_without_samples(tmp_path: Path) -> None:
    class Heads(Files):
        """A drive that has room for heads, and for nothing else."""

        def pwrite(self, handle: int, data: bytes, offset: int) -> None:
            if data[4:8] == b"moof":
                raise OSError(errno.ENOSPC, "as told")
            super().pwrite(handle, data, offset)

    told: list[RecorderError] = []
    recorder = Recorder(tmp_path, TRACKS, io=Heads(), on_error=lambda _, error: told.append(error))
    for take in takes(3):
        try:
            write(recorder, [take])
        except Full as error:
            told.append(error)
    assert recorder.close() == []
    assert list(tmp_path.iterdir()) == []
    assert any(isinstance(error, Full) for error in told)


def test_a_closed_recorder_takes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    recorder, given = Recorder(tmp_path, TRACKS), list(takes(2))
    write(recorder, given[:70])
    files = recorder.close()
    with pytest.raises(RecorderError, match="is closed"):
        write(recorder, given[70:])
    assert recorder.close() == files
    assert sorted(tmp_path.iterdir()) == files


def test_a_key_frame_without_bytes_begins_no_segment(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, TRACKS)
    with pytest.raises(BadSample, match="without bytes"):
        recorder.write(Sample(1, b"", 0, 0))
    recorder.write(Sample(1, b"depends on it", 3000, 3000, sync=False))
    assert (recorder.status.skipped, recorder.close()) == (1, [])


def test_tracks_that_cannot_be_recorded_end_no_segment(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, TRACKS)
    write(recorder, list(takes(1)))
    for wrong in ((), (TRACKS[0], TRACKS[0])):
        with pytest.raises(RecorderError):
            recorder.retrack(wrong)
    write(recorder, [take for take in takes(2) if take.dts >= (90_000 if take.track == 1 else 48_000)])
    assert len(recorder.close()) == 1


def test_what_fails_unforeseen_while_a_segment_is_finished_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> Path:
        raise MemoryError("as told")

    def refuse(path: Path, error: RecorderError) -> None:
        told.append((path.suffix, error.message))
        raise ValueError("of the one who was told")

    told: list[tuple[str, str]] = []
    recorder = Recorder(tmp_path, TRACKS, on_error=refuse)
    write(recorder, list(takes(1)))
    monkeypatch.setattr("usenet.recorder.segment.Segment.seal", fail)
    assert recorder.close() == []
    assert told
    assert told[0][0] == ".mp4"
    assert "as told" in told[0][1]
    assert "of the one who was told" in caplog.text
    monkeypatch.undo()
    assert recover(next(tmp_path.glob("*.part"))).state == "finished"


def test_a_segment_whose_length_is_a_whole_number_of_groups_is_that_long(tmp_path: Path) -> None:
    clock = Clock()
    recorder = Recorder(tmp_path, TRACKS, rotate=Rotate(seconds=2), clock=clock)
    write(recorder, list(takes(8)), clock)
    assert [sum(take.track == 1 for take in held(path)) for path in recorder.close()] == [60, 60, 60, 60]


def test_one_file_is_opened_written_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "door.mp4"
    with open_recording(path, TRACKS) as recorder:
        write(recorder, list(takes(2)))
        with pytest.raises(FileExistsError):
            open_recording(path, TRACKS)
    assert held(path) == by_track(list(takes(2)))
    with pytest.raises(FileExistsError):
        open_recording(path, TRACKS)
    with pytest.raises(RecorderError, match="MP4 file"):
        open_recording(tmp_path / "door.mkv", TRACKS)
    assert list(tmp_path.iterdir()) == [path]
