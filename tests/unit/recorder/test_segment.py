"""A segment from its first sample to a finished file, and every way in which it ends otherwise."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from usenet.recorder import commit as commits
from usenet.recorder import head, index, told
from usenet.recorder.boxes.box import boxes
from usenet.recorder.errors import BadSample, Busy, Full, Poisoned, RecorderError
from usenet.recorder.head import FLIP, life
from usenet.recorder.io import Files
from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.recovery import recover, recover_all
from usenet.recorder.scan import hop
from usenet.recorder.segment import Segment
from usenet.recorder.tracks import Movie

from .takes import AUDIO, TRACKS, VIDEO, by_track, give, held, takes


def segment(path: Path, **more: object) -> Segment:
    return Segment.create(str(path), TRACKS, seconds=10, **more)  # type: ignore[arg-type]


def crashed(path: Path, seconds: float = 4, **more: object) -> None:
    """A segment whose recorder died: nothing was pending, nothing was said."""
    broken = segment(path, **more)
    give(broken, takes(seconds))
    broken.cut()
    broken.close()


@pytest.mark.parametrize("preset", PRESETS)
def test_what_goes_in_comes_out_while_it_records_and_when_it_is_finished(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "x.mp4"
    given = list(takes(4))
    live = segment(path, flush=PRESETS[preset])
    give(live, given)
    live.cut()
    assert held(tmp_path / "x.mp4.part") == by_track(given)
    assert live.seal() == path
    assert held(path) == by_track(given)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.mp4"]


def test_a_finished_file_begins_with_its_moov(tmp_path: Path) -> None:
    done = segment(tmp_path / "x.mp4")
    give(done, takes(2))
    data = done.seal().read_bytes()
    assert life(data[:64]) == "sealed-head"
    free = int.from_bytes(data[FLIP : FLIP + 4], "big")
    assert data[FLIP + free + 4 : FLIP + free + 8] == b"moov"


def test_a_moov_that_outgrew_its_reserve_goes_to_the_end(tmp_path: Path) -> None:
    given = list(takes(40))
    done = Segment.create(str(tmp_path / "x.mp4"), TRACKS, seconds=0.1, flush=PRESETS["evidence"])
    give(done, given)
    path = done.seal()
    assert life(path.read_bytes()[:64]) == "sealed-tail"
    assert held(path) == by_track(given)


def test_after_a_crash_everything_that_was_cut_is_in_the_file(tmp_path: Path) -> None:
    crashed(tmp_path / "x.mp4")
    report = recover(tmp_path / "x.mp4.part")
    assert (report.state, report.chunks_dropped, report.index_used) == ("finished", 0, True)
    assert report.loss_upper_bound_s == 1.25  # a sync interval and a chunk, as promised
    assert held(tmp_path / "x.mp4") == by_track(list(takes(4)))


@pytest.mark.parametrize("gone", [["index"], ["commit"], ["index", "commit"]])
def test_index_and_commit_are_not_needed(tmp_path: Path, gone: list[str]) -> None:
    for name in ("x.mp4", "y.mp4"):
        crashed(tmp_path / name, nonce=7)
    for end in gone:
        (tmp_path / f"x.mp4.{end}").unlink()
    first, second = recover(tmp_path / "x.mp4"), recover(tmp_path / "y.mp4")
    assert first.chunks_kept == second.chunks_kept
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "y.mp4").read_bytes()


def test_the_index_is_a_function_of_the_part(tmp_path: Path) -> None:
    crashed(tmp_path / "x.mp4")
    told = (tmp_path / "x.mp4.index").read_bytes()
    said = index.read_header(told)
    io = Files()
    part = io.open(str(tmp_path / "x.mp4.part"), "read")
    start = FLIP + len(said.head) - FLIP + said.reserve
    chunks = list(hop(io, part, start, io.size(part), said.nonce, 0))
    io.close(part)
    assert b"".join(index.record(chunk, said.nonce) for chunk in chunks) == told[said.length :]


def damage(path: Path, at: int, data: bytes = b"\xff\x00\xff\x00") -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def chunk_offsets(path: Path) -> list[index.Record]:
    told = memoryview((path.parent / f"{path.name}.index").read_bytes())
    said = index.read_header(told)
    return [row for _, row in index.records(told, said.length, len(said.head) + said.reserve, said.nonce)]


@pytest.mark.parametrize(
    ("policy", "kept", "first_after"),
    [("strict", 7, None), ("skip", 17, False), ("align", 17, True)],
)
def test_a_damaged_chunk_costs_what_the_policy_says(
    tmp_path: Path, policy: str, kept: int, first_after: bool | None
) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    row = chunk_offsets(path)[7]
    damage(tmp_path / "x.mp4.part", row.off + row.moof_len + 20)
    report = recover(path, policy=policy)  # type: ignore[arg-type]
    assert (report.chunks_kept, report.chunks_dropped) == (kept, 18 - kept)
    after = [take for take in held(path) if take.track == 1 and take.dts >= 8 * 7 * 3000]
    assert (after[0].sync if after else None) is first_after
    assert set(held(path)) <= set(takes(4))
    if policy != "strict":
        assert len(report.gaps) == 1
        assert report.gaps[0].lost
        assert 200 <= report.gaps[0].ms <= 300


def test_a_damaged_header_without_an_index_is_found_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    damage(tmp_path / "x.mp4.part", chunk_offsets(path)[5].off + 4)
    (tmp_path / "x.mp4.index").unlink()
    report = recover(path)
    assert (report.chunks_kept, report.chunks_dropped) == (17, 1)


def test_a_torn_head_is_made_again_from_the_index(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    damage(tmp_path / "x.mp4.part", 40, bytes(300))
    assert recover(path).chunks_kept == 18
    assert held(path) == by_track(list(takes(4)))


def test_a_torn_head_without_an_index_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    (tmp_path / "x.mp4.index").unlink()
    damage(tmp_path / "x.mp4.part", 40, bytes(300))
    before = (tmp_path / "x.mp4.part").read_bytes()
    report = recover(path)
    assert report.state == "kept"
    assert "no index" in report.reason
    assert (tmp_path / "x.mp4.part").read_bytes() == before


@pytest.mark.parametrize("field", ["nonce", "reserve", "version"])
def test_a_changed_bit_in_the_guard_of_the_head_is_seen(tmp_path: Path, field: str) -> None:
    path = tmp_path / "x.mp4"
    crashed(path)
    part = tmp_path / "x.mp4.part"
    guard = part.read_bytes().index(b"RHD1") - 8
    damage(part, guard + {"reserve": 1, "nonce": 18, "version": 25}[field], b"\x55")
    assert recover(path).chunks_kept == 18


def test_a_head_of_another_segment_costs_no_chunk(tmp_path: Path) -> None:
    for name, nonce in (("x.mp4", 1), ("y.mp4", 2)):
        crashed(tmp_path / name, nonce=nonce)
    other = (tmp_path / "y.mp4.part").read_bytes()
    start = len(index.read_header((tmp_path / "x.mp4.index").read_bytes()).head) + 32
    damage(tmp_path / "x.mp4.part", 0, other[:start])
    (tmp_path / "x.mp4.index").unlink()
    report = recover(tmp_path / "x.mp4")
    assert report.state == "kept"
    assert (tmp_path / "x.mp4.part").exists()


def test_a_segment_of_a_later_version_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.mp4"
    monkeypatch.setattr(head, "VERSION", 2)
    crashed(path)
    monkeypatch.setattr(head, "VERSION", 1)
    before = (tmp_path / "x.mp4.part").read_bytes()
    report = recover(path)
    assert (report.state, report.reason) == ("kept", "the segment is of version 2, this program knows 1")
    assert (tmp_path / "x.mp4.part").read_bytes() == before
    assert (tmp_path / "x.mp4.index").exists()


def test_what_was_durable_is_believed_and_the_rest_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    broken = segment(path)
    for take in takes(4):
        give(broken, [take])
        if broken.seq == 10 and broken.durable == 0:
            broken.sync()
    broken.close()
    row = chunk_offsets(path)[3]
    damage(tmp_path / "x.mp4.part", row.off + row.moof_len + 20)
    copy = tmp_path / "deep"
    copy.mkdir()
    for end in ("part", "index", "commit"):
        (copy / f"x.mp4.{end}").write_bytes((tmp_path / f"x.mp4.{end}").read_bytes())
    assert recover(path).chunks_dropped == 0
    assert recover(copy / "x.mp4", deep=True).chunks_dropped == 1


def test_a_segment_without_samples_leaves_nothing(tmp_path: Path) -> None:
    segment(tmp_path / "x.mp4").close()
    assert recover(tmp_path / "x.mp4").state == "nothing"
    assert list(tmp_path.iterdir()) == []


def test_a_segment_that_is_written_is_left_alone(tmp_path: Path) -> None:
    live = segment(tmp_path / "x.mp4")
    give(live, takes(1))
    with pytest.raises(Busy):
        recover(tmp_path / "x.mp4")
    assert recover_all(tmp_path) == []
    live.seal()


def test_a_name_that_is_taken_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        segment(tmp_path / "x.mp4")
    crashed(tmp_path / "y.mp4")
    (tmp_path / "y.mp4").write_bytes(b"mine")
    with pytest.raises(Busy, match="there already"):
        recover(tmp_path / "y.mp4")
    assert (tmp_path / "y.mp4").read_bytes() == b"mine"
    (tmp_path / "y.mp4").unlink()
    assert recover(tmp_path / "y.mp4").state == "finished"
    assert held(tmp_path / "y.mp4") == by_track(list(takes(4)))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"track": 3}, "no track 3"),
        ({"dts": 2999}, "not later than"),
        ({"data": b""}, "without bytes"),
        ({"cts": 1 << 40}, "too long"),
    ],
)
def test_a_sample_that_no_file_can_hold_is_refused_and_nothing_is_lost(
    tmp_path: Path, more: dict[str, int], sentence: str
) -> None:
    live = segment(tmp_path / "x.mp4")
    given = list(takes(1))
    give(live, given)
    with pytest.raises(BadSample, match=sentence):
        live.append(**{"track": 1, "data": b"x", "dts": 1 << 20, **more})  # type: ignore[arg-type]
    assert held(live.seal()) == by_track(given)


class Failing(Files):
    """A drive on which one kind of call fails from a moment on."""

    def __init__(self) -> None:
        self.call, self.number = "", 0
        self.synced = 0

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        if self.call == "pwrite" and offset:
            raise OSError(self.number, "as told")
        super().pwrite(handle, data, offset)

    def sync(self, handle: int) -> None:
        self.synced += 1
        if self.call == "sync":
            raise OSError(self.number, "as told")
        super().sync(handle)


def test_a_full_drive_costs_one_chunk_and_the_file_is_finished(tmp_path: Path) -> None:
    io = Failing()
    live = segment(tmp_path / "x.mp4", io=io)
    given = list(takes(4))
    give(live, given[:150])
    live.cut()
    io.call, io.number = "pwrite", errno.ENOSPC
    with pytest.raises(Full):
        give(live, given[150:])
    io.call = ""
    assert held(live.seal()) == by_track(given[:150])


def test_a_failing_sync_is_never_tried_again(tmp_path: Path) -> None:
    io = Failing()
    live = segment(tmp_path / "x.mp4", io=io)
    give(live, takes(2))
    io.call, io.number = "sync", errno.EIO
    with pytest.raises(Poisoned):
        live.sync()
    asked = io.synced
    io.call = ""
    for again in (live.sync, lambda: give(live, list(takes(3))[-1:]), live.seal):
        if again == live.sync:
            assert live.sync() == 0
        else:
            with pytest.raises(Poisoned):
                again()
    assert io.synced == asked
    live.close()
    handle = io.open(str(tmp_path / "x.mp4.commit"), "read")
    said = commits.read(io, handle)
    io.close(handle)
    assert said is not None
    assert (said.state, said.poison_from) == ("poisoned", 1)
    report = recover(tmp_path / "x.mp4")
    assert report.chunks_verified == report.chunks_kept > 0


def test_an_index_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    class NoIndex(Files):
        def open(self, path: str, mode: str) -> int:
            handle = super().open(path, mode)  # type: ignore[arg-type]
            self.index = handle if path.endswith(".index") else getattr(self, "index", -1)
            return handle

        def pwrite(self, handle: int, data: bytes, offset: int) -> None:
            if handle == self.index and offset:
                raise OSError(errno.EIO, "as told")
            super().pwrite(handle, data, offset)

    live = segment(tmp_path / "x.mp4", io=NoIndex())
    given = list(takes(3))
    give(live, given)
    assert held(live.seal()) == by_track(given)


def test_no_room_for_the_head_leaves_nothing_behind(tmp_path: Path) -> None:
    class Tiny(Files):
        def allocate(self, handle: int, offset: int, length: int) -> None:
            raise OSError(errno.ENOSPC, "as told")

    with pytest.raises(Full):
        segment(tmp_path / "x.mp4", io=Tiny())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flush", "chunks"),
    [
        (Flush("frame"), 60),
        (Flush("time", chunk_ms=500), 4),
        (Flush("gop"), 2),
        (Flush("bytes", chunk_bytes=5000), 4),
    ],
)
def test_a_chunk_ends_when_the_policy_says(tmp_path: Path, flush: Flush, chunks: int) -> None:
    live = segment(tmp_path / "x.mp4", flush=flush)
    give(live, takes(2))
    assert live.cut() in {chunks, chunks + 1}  # what is left at the end is one more
    live.close()


def test_title_place_and_tags_survive_the_crash(tmp_path: Path) -> None:
    movie = Movie(title="Tür", location="+48.1+011.5/", tags=(("who", "me"), ("why", "")))
    crashed(tmp_path / "x.mp4", movie=movie)
    (tmp_path / "x.mp4.index").unlink()
    recover(tmp_path / "x.mp4")
    data = (tmp_path / "x.mp4").read_bytes()
    assert told.read(next(data[at.start : at.end] for at in boxes(data) if at.kind == b"moov")) == movie


def test_the_newest_is_recovered_first_and_the_rest_by_the_next_call(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        crashed(tmp_path / name, 1)
    assert [report.path.name for report in recover_all(tmp_path, budget_s=0)] == ["c.mp4"]
    assert [report.path.name for report in recover_all(tmp_path)] == ["b.mp4", "a.mp4"]


@pytest.mark.parametrize(
    ("tracks", "sentence"),
    [
        ((), "at least one"),
        ((VIDEO, VIDEO), "the same number"),
        ((replace(VIDEO, id=1 << 16),), "its number"),
        ((replace(VIDEO, id=0),), "its number"),
        ((replace(AUDIO, timescale=0),), "its timescale"),
        ((replace(VIDEO, width=1 << 16),), "its size"),
    ],
)
def test_tracks_that_no_file_can_hold_are_refused_before_a_file_is_made(
    tmp_path: Path, tracks: Any, sentence: str
) -> None:
    with pytest.raises(RecorderError, match=sentence):
        Segment.create(str(tmp_path / "x.mp4"), tracks)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"sync_ms": 0}, {"chunk_ms": 0}, {"index_every": 0}, {"chunk_bytes": 1 << 31}])
def test_a_policy_that_would_never_flush_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(RecorderError, match="can't flush"):
        Flush(**wrong)  # type: ignore[arg-type]


def test_a_track_may_begin_after_any_time(tmp_path: Path) -> None:
    live = segment(tmp_path / "x.mp4")
    live.append(1, b"first", dts=0)
    live.append(2, b"late", dts=1 << 33)
    with pytest.raises(BadSample, match="too long after"):
        live.append(2, b"later", dts=1 << 34)
    assert [(take.track, take.dts) for take in held(live.seal())] == [(1, 0), (2, 1 << 33)]


def test_lost_time_longer_than_a_table_can_say_stops_no_recovery(tmp_path: Path) -> None:
    path, track = tmp_path / "x.mp4", replace(VIDEO, timescale=1_000_000_000, duration=1)
    broken = Segment.create(str(path), [track], seconds=10)
    for at in range(3):
        broken.append(1, b"%d" % at, dts=at * 4_000_000_000)
        broken.cut()
    broken.close()
    row = chunk_offsets(path)[1]
    damage(tmp_path / "x.mp4.part", row.off + row.moof_len + 8, b"x")
    assert recover(path).chunks_kept == 2
    assert [take.data for take in held(path)] == [b"0", b"2"]


def test_sound_does_not_wait_for_pictures_that_stopped_coming(tmp_path: Path) -> None:
    live = segment(tmp_path / "x.mp4", flush=Flush("time", chunk_ms=500))
    live.append(1, b"picture", dts=0)
    give(live, [take for take in takes(10) if take.track == 2])
    assert live.seq in range(15, 21)
    live.close()


def test_a_segment_without_a_sample_is_no_file(tmp_path: Path) -> None:
    live = segment(tmp_path / "x.mp4")
    with pytest.raises(RecorderError, match="nothing is left"):
        live.seal()
    assert list(tmp_path.iterdir()) == []


def test_a_finished_segment_takes_no_more(tmp_path: Path) -> None:
    live = segment(tmp_path / "x.mp4")
    give(live, takes(1))
    live.seal()
    with pytest.raises(RecorderError, match="has ended"):
        live.append(1, b"x", dts=1 << 20)


def test_a_recording_of_any_length_can_be_planned() -> None:
    assert head.reserve(TRACKS, float("inf"), 250) == head.MOST
    assert head.reserve(TRACKS, 86_400, 250) < head.MOST


def test_what_cannot_be_read_of_the_index_is_read_from_the_part(tmp_path: Path) -> None:
    class Unreadable(Files):
        def open(self, path: str, mode: str) -> int:
            handle = super().open(path, mode)  # type: ignore[arg-type]
            self.index = handle if path.endswith(".index") else getattr(self, "index", -1)
            return handle

        def pread(self, handle: int, length: int, offset: int) -> bytes:
            if handle == self.index:
                raise OSError(errno.EIO, "as told")
            return super().pread(handle, length, offset)

    live = segment(tmp_path / "x.mp4", io=Unreadable())
    given = list(takes(3))
    give(live, given)
    assert held(live.seal()) == by_track(given)


class Lying(Failing):
    """A kernel that tells a failed sync once, and forgets what was not on the drive when it is told to."""

    def __init__(self, fails: int) -> None:
        super().__init__()
        self.fails, self.forgotten = fails, 0

    def sync(self, handle: int) -> None:
        self.synced += 1
        if self.synced == self.fails:
            raise OSError(errno.EIO, "as told")
        Files.sync(self, handle)

    def forget(self, handle: int) -> None:
        self.forgotten += 1


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_sync_that_fails_while_a_segment_is_finished_is_told_to_the_recovery(tmp_path: Path, step: int) -> None:
    io = Lying(3 + step)
    live = segment(tmp_path / "x.mp4", io=io)
    give(live, takes(2))
    with pytest.raises(Poisoned):
        live.seal()
    handle = io.open(str(tmp_path / "x.mp4.commit"), "read")
    said = commits.read(io, handle)
    io.close(handle)
    assert said is not None
    assert said.state == "poisoned"
    report = recover(tmp_path / "x.mp4", io=io)
    assert (report.state, io.forgotten) == ("finished", 1)


def test_a_sync_that_ends_after_another_one_failed_makes_nothing_durable(tmp_path: Path) -> None:
    class Two(Files):
        def sync(self, handle: int) -> None:
            if live is not None and not live.poisoned:
                live.poisoned = True  # as the other sync does when it fails meanwhile

    live: Segment | None = None
    live = segment(tmp_path / "x.mp4", io=Two())
    give(live, takes(1))
    assert live.sync() == 0
    assert live.durable == 0
    live.close()


class Bad(Files):
    """A drive that can't read some pages of a file, or a whole one, and removes nothing."""

    def __init__(self, end: str, *pages: int) -> None:
        self.end, self.pages = end, pages
        self.handles: set[int] = set()

    def open(self, path: str, mode: str) -> int:  # type: ignore[override]
        handle = super().open(path, mode)  # type: ignore[arg-type]
        self.handles.add(handle) if path.endswith(self.end) else self.handles.discard(handle)
        return handle

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        if handle in self.handles:
            if any(offset < (page + 1) * 4096 and page * 4096 < offset + length for page in self.pages):
                raise OSError(errno.EIO, "as told")
            if not self.pages:
                raise OSError(errno.EIO, "as told")
        return super().pread(handle, length, offset)


@pytest.mark.parametrize("end", ["index", "commit"])
def test_a_recovery_needs_to_read_neither_index_nor_commit(tmp_path: Path, end: str) -> None:
    crashed(tmp_path / "x.mp4")
    assert recover(tmp_path / "x.mp4", io=Bad(end)).state == "finished"
    assert held(tmp_path / "x.mp4") == by_track(list(takes(4)))


@pytest.mark.parametrize("index_too", [True, False])
@pytest.mark.parametrize("chunk", [7, -1])
def test_a_place_that_cannot_be_read_costs_its_chunk_and_is_not_cut_off(
    tmp_path: Path, chunk: int, index_too: bool
) -> None:
    path = tmp_path / "x.mp4"
    broken = segment(path)
    for take in takes(4):
        give(broken, [take._replace(data=take.data * 20)])
    broken.close()
    rows, size = chunk_offsets(path), (tmp_path / "x.mp4.part").stat().st_size
    if not index_too:
        (tmp_path / "x.mp4.index").unlink()
    page = (rows[chunk].off + rows[chunk].moof_len + 8) // 4096 + 2
    assert rows[chunk].off < page * 4096 < (page + 1) * 4096 < rows[chunk].end
    report = recover(path, io=Bad(".part", page))
    assert (report.state, report.chunks_kept, report.chunks_dropped) == ("finished", len(rows) - 1, 1)
    assert path.stat().st_size == size


def test_a_drive_that_reads_nothing_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    broken = segment(path)
    for take in takes(4):
        give(broken, [take._replace(data=take.data * 300)])
    broken.cut()
    broken.close()
    row, part = chunk_offsets(path)[0], (tmp_path / "x.mp4.part").read_bytes()
    with pytest.raises(Poisoned):
        recover(path, io=Bad(".part", *range(row.off // 4096 + 1, len(part) // 4096 + 1)))
    assert (tmp_path / "x.mp4.part").read_bytes() == part
    assert recover(path).chunks_dropped == 0


def test_what_cannot_be_removed_does_not_make_a_finished_file_unfinished(tmp_path: Path) -> None:
    class Clinging(Files):
        def unlink(self, path: str) -> None:
            raise OSError(errno.EIO, "as told")

    live = segment(tmp_path / "x.mp4", io=Clinging())
    give(live, takes(1))
    assert live.seal() == tmp_path / "x.mp4"
    assert recover(tmp_path / "x.mp4").state == "finished"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.mp4"]


def test_a_recovery_that_comes_when_the_recorder_has_just_finished_changes_nothing(tmp_path: Path) -> None:
    class Late(Files):
        """A recovery that waits behind its `open` until the recorder is done."""

        def lock(self, handle: int) -> bool:
            live.seal()
            return super().lock(handle)

    live = segment(tmp_path / "x.mp4")
    give(live, takes(1))
    report = recover(tmp_path / "x.mp4", deep=True, io=Late())
    assert (report.state, report.reason) == ("finished", "there is nothing to finish")
    assert held(tmp_path / "x.mp4") == by_track(list(takes(1)))


def test_a_directory_that_is_not_there_is_no_failing_drive(tmp_path: Path) -> None:
    with pytest.raises(Poisoned, match="No such file") as told:
        segment(tmp_path / "gone" / "x.mp4")
    assert "mounted" in told.value.hint


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="No such file"):
        recover_all(tmp_path / "away")


@pytest.mark.parametrize("end", ["part", "index", "commit"])
@pytest.mark.parametrize("held", [b"", bytes(70_000), b"somebody else's"])
def test_what_others_made_is_never_removed(tmp_path: Path, end: str, held: bytes) -> None:
    """Browsers and download clients call their unfinished files .part, and fill them with zeros first."""
    path = tmp_path / f"film.mp4.{end}"
    path.write_bytes(held)
    assert recover(tmp_path / "film.mp4").final is None
    recover_all(tmp_path)
    assert path.read_bytes() == held


@pytest.mark.parametrize("name", ["x.mp4", "20261121T172229.250Z.mp4"])
def test_what_a_crash_left_of_ours_goes(tmp_path: Path, name: str) -> None:
    """Made, and cut off before a byte was durable: by its name, or by what is beside it, it is known as ours."""
    crashed(tmp_path / "made.mp4", 1)
    (tmp_path / f"{name}.part").write_bytes(bytes(70_000))
    if name == "x.mp4":
        (tmp_path / f"{name}.index").write_bytes((tmp_path / "made.mp4.index").read_bytes()[:10])
    for left in tmp_path.glob("made*"):
        left.unlink()
    assert recover(tmp_path / name).state == "nothing"
    assert list(tmp_path.iterdir()) == []


def test_another_name_than_a_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hosts.index").write_bytes(b"mine")
    with pytest.raises(RecorderError, match="no recording"):
        recover(tmp_path / "hosts")
    assert (tmp_path / "hosts.index").exists()
