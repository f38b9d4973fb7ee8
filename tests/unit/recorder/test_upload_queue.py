"""Many segments to several storages: the oldest first, patient, and whatever happens in between, each exactly once."""

from __future__ import annotations

import errno
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usenet.recorder.errors import Unreachable
from usenet.recorder.upload.journal import peek
from usenet.recorder.upload.layout import journal_of, key_of
from usenet.recorder.upload.pace import Patience
from usenet.recorder.upload.queue import Times, Uploader
from usenet.recorder.upload.storage import Found, Refused
from usenet.recorder.upload.uploader import Uploads, is_uploaded

from .uploads.memory import Clock, Counting, Disk, Kill, Memory, journals, kill, quiet, unreachable
from .uploads.segments import Growing, finished


def names(count: int) -> list[str]:
    return [f"20261121T17{minute:02}00.000Z.mp4" for minute in range(count)]


def make(root: Path, storage: Memory, clock: Clock, disk: Disk | None = None) -> Uploader:
    times = Times(clock, clock, lambda: Patience(1, 300, chance=lambda: 1.0))
    return Uploader(root, storage, part_size=128, io=disk, times=times)


def run(uploader: Uploader, clock: Clock, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    """Step as often as is worth while in this time."""
    end = clock.now + seconds
    while clock.now < end and not until():
        clock.sleep(min(uploader.step(), end - clock.now))


def test_the_oldest_comes_first_across_cameras(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    for number, name in enumerate(names(6)):
        finished(tmp_path / "ba"[number % 2], 300, name, seed=number)
    run(make(tmp_path, storage, clock), clock, 10)
    assert [Path(key).name for key in storage.objects] == names(6)
    assert {key.split("/")[0] for key in storage.objects} == {"a", "b"}


def test_what_is_uploaded_is_not_asked_about_again(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    finished(tmp_path / "cam", 300)
    run(make(tmp_path, storage, clock), clock, 10)
    storage.calls.clear()
    again = make(tmp_path, storage, clock)
    run(again, clock, 60)
    assert storage.calls == []
    assert again.metrics.waiting == 0


def test_a_storage_that_fails_is_left_alone_longer_and_longer(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    finished(tmp_path / "cam", 300)
    storage.trouble = lambda call: unreachable()
    uploader, waits = make(tmp_path, storage, clock), []
    for _ in range(10):
        waits.append(uploader.step())
        clock.sleep(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert uploader.metrics.errors == 10
    assert "no answer" in uploader.metrics.last_error
    storage.trouble = lambda call: None
    run(uploader, clock, 5)
    assert uploader.metrics.segments == 1
    assert uploader.metrics.paused_s == 0
    finished(tmp_path / "cam", 300, names(1)[0])
    storage.trouble = lambda call: unreachable()
    clock.sleep(5)
    assert uploader.step() == 1


def test_it_asks_nothing_while_it_waits(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    finished(tmp_path / "cam", 300)
    storage.trouble = lambda call: unreachable()
    uploader = make(tmp_path, storage, clock)
    uploader.step()
    asked = len(storage.calls)
    clock.sleep(0.5)
    assert uploader.step() == pytest.approx(0.5)
    assert len(storage.calls) == asked
    assert uploader.metrics.paused_s == pytest.approx(1.0)


def test_one_segment_that_cannot_be_uploaded_holds_up_no_other(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    first, *others = (finished(tmp_path / "cam", 300, name, seed=number) for number, name in enumerate(names(4)))
    storage.objects[key_of(first, tmp_path, "")] = b"somebody's"
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 120)
    assert [is_uploaded(path, ["memory"]) for path in (first, *others)] == [False, True, True, True]
    assert uploader.metrics.waiting == 1
    assert 3 < uploader.metrics.errors < 9


def test_a_segment_waits_longer_and_longer_until_a_step_of_it_works(tmp_path: Path) -> None:
    storage, clock, disk, waits = Memory(), Clock(), Disk(), []
    finished(tmp_path / "cam", 1000)
    uploader = make(tmp_path, storage, clock, disk)
    uploader.step()

    def full(call: str) -> None:
        if call == "pwrite":
            raise OSError(errno.ENOSPC, "full")

    for disk.trouble in (full, full, full, quiet, full, full, full):
        uploader.step()
        waits.append(uploader.step() if disk.trouble is full else 0)  # when the next is worth while
        clock.sleep(waits[-1])
    assert waits == [1, 2, 4, 0, 1, 2, 4]


def test_one_segment_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    first, *others = (finished(tmp_path / "cam", 300, name, seed=number) for number, name in enumerate(names(4)))
    refused, begin = key_of(first, tmp_path, ""), storage.begin

    def picky(key: str) -> str:
        if key == refused:
            raise Refused("such a key is not allowed")
        return begin(key)

    storage.begin = picky  # type: ignore[method-assign]
    run(make(tmp_path, storage, clock), clock, 60)
    assert [is_uploaded(path, ["memory"]) for path in (first, *others)] == [False, True, True, True]


def test_a_live_segment_with_nothing_to_send_does_not_end_a_storage_s_rest(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    finished(tmp_path / "cam", 300)
    Growing(tmp_path / "cam", "20261121T180000.000Z.mp4")
    storage.trouble = lambda call: unreachable()
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 600)
    assert 8 < uploader.metrics.errors < 12


def test_metrics(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock(2e9)
    path = finished(tmp_path / "cam", 300)
    uploader = make(tmp_path, storage, clock)
    storage.trouble = lambda call: unreachable()
    uploader.step()
    assert uploader.metrics.waiting == 1
    assert uploader.metrics.lag_s == pytest.approx(2e9 - path.stat().st_mtime)
    storage.trouble = lambda call: None
    run(uploader, clock, 5)
    told = uploader.metrics
    assert (told.storage, told.segments, told.waiting, told.lag_s) == ("memory", 1, 0, 0)
    assert told.bytes_sent == path.stat().st_size
    assert told.parts_sent == -(-path.stat().st_size // 128)


def test_a_live_segment_is_followed_to_its_end(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    growing = Growing(tmp_path / "cam").grow(300)
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 6)
    assert uploader.metrics.parts_sent == 2
    growing.grow(300)
    run(uploader, clock, 6)
    assert uploader.metrics.parts_sent == 5
    path = growing.finish()
    run(uploader, clock, 6)
    assert storage.objects == {key_of(path, tmp_path, ""): path.read_bytes()}
    assert is_uploaded(path, ["memory"])


def test_what_is_gone_is_given_up(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    growing, uploaded = Growing(tmp_path / "cam").grow(300), finished(tmp_path / "old", 300)
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 6)
    assert len(storage.open) == 1
    growing.part.unlink()
    uploaded.unlink()
    run(uploader, clock, 6)
    assert not storage.open
    assert len(storage.objects) == 1
    assert journals(tmp_path) == []


def test_what_cannot_be_given_up_now_is_given_up_later(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    growing = Growing(tmp_path / "cam").grow(300)
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 6)
    growing.part.unlink()
    storage.trouble = lambda call: unreachable()
    storage.calls.clear()
    run(uploader, clock, 100)
    assert storage.open
    assert 5 < len(storage.calls) < 9  # less and less often
    assert uploader.metrics.segments == 0
    storage.trouble = lambda call: None
    run(uploader, clock, 100)
    assert not storage.open
    assert uploader.metrics.segments == 0


def test_what_is_back_is_uploaded_after_all(tmp_path: Path) -> None:
    storage, clock = Memory(), Clock()
    growing = Growing(tmp_path / "cam").grow(300)
    away = growing.part.with_name("away")
    uploader = make(tmp_path, storage, clock)
    run(uploader, clock, 6)
    growing.part.rename(away)
    storage.trouble = lambda call: unreachable()
    run(uploader, clock, 6)
    away.rename(growing.part)
    path = growing.finish()
    storage.trouble = lambda call: None
    run(uploader, clock, 100)
    assert storage.objects == {key_of(path, tmp_path, ""): path.read_bytes()}
    assert storage.calls.count("begin") == 1


def test_a_file_that_disappears_in_the_middle_is_no_error(tmp_path: Path) -> None:
    storage, clock, disk = Memory(), Clock(), Disk()
    path = finished(tmp_path / "cam", 3000)
    uploader = make(tmp_path, storage, clock, disk)
    for _ in range(4):
        uploader.step()
    path.unlink()
    run(uploader, clock, 10)
    assert not storage.objects
    assert not storage.open


@pytest.mark.parametrize("error", [Refused("quota"), Unreachable("slow"), OSError(errno.EIO, "drive")])
def test_a_storage_in_trouble_holds_up_no_other(tmp_path: Path, error: Exception) -> None:
    near, far, clock = Memory("near"), Memory("far"), Clock()

    def trouble(call: str) -> None:
        raise error

    near.trouble = trouble
    path = finished(tmp_path / "cam", 300)
    for storage in (near, far):
        run(make(tmp_path, storage, clock), clock, 20)
    assert is_uploaded(path, ["far"])
    assert not is_uploaded(path, ["near"])
    assert not is_uploaded(path, ["near", "far"])
    near.trouble = lambda call: None
    run(make(tmp_path, near, clock), clock, 20)
    assert is_uploaded(path, ["near", "far"])


def test_threads_upload_side_by_side_and_stop(tmp_path: Path) -> None:
    stuck, done = threading.Event(), threading.Event()
    slow, quick = Memory("slow"), Memory("quick")

    def trouble(call: str) -> None:
        stuck.wait(60)

    slow.trouble = trouble
    quick.trouble = lambda call: done.set() if call == "complete done" else None
    path = finished(tmp_path / "cam", 300)
    uploads = Uploads([Uploader(tmp_path, storage, part_size=128) for storage in (slow, quick)])
    uploads.start()
    assert done.wait(60)
    stuck.set()
    uploads.stop(60)
    assert is_uploaded(path, ["quick"]) or not uploads.metrics[1].segments
    assert [told.storage for told in uploads.metrics] == ["slow", "quick"]


def test_queues_of_one_storage_are_told_together(tmp_path: Path) -> None:
    clock, storage, roots = Clock(2e9), Memory(), [tmp_path / "one", tmp_path / "two"]
    queues = [make(root, storage, clock) for root in roots]
    for number, root in enumerate(roots):
        finished(root / "cam", 300, names(2)[number])
    run(queues[0], clock, 10)
    storage.trouble = lambda call: unreachable()
    queues[1].step()
    (told,) = Uploads(queues).metrics
    assert (told.storage, told.segments, told.waiting, told.errors) == ("memory", 1, 1, 1)
    assert told.bytes_sent == queues[0].metrics.bytes_sent
    assert told.lag_s > 0
    assert told.paused_s == 1
    assert "no answer" in told.last_error


def test_a_fault_of_the_program_ends_no_queue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    storage, done, faults = Memory(), threading.Event(), iter(range(3))

    def trouble(call: str) -> None:
        if next(faults, None) is not None:
            raise ZeroDivisionError
        if call == "complete done":
            done.set()

    storage.trouble = trouble
    finished(tmp_path / "cam", 300)
    uploads = Uploads([Uploader(tmp_path, storage, part_size=128)], rest=0.001)
    uploads.start()
    assert done.wait(60)
    uploads.stop(60)
    assert sum("a fault of the program" in record.message for record in caplog.records) == 3


# Any interleaving.

ACTIONS = st.one_of(
    st.tuples(st.just("grow"), st.integers(1, 400)),
    st.tuples(st.just("run"), st.integers(1, 40)),
    st.tuples(st.just("kill"), st.integers(0, 40)),
    st.tuples(st.just("fail"), st.integers(0, 20)),
    st.tuples(st.just("full"), st.integers(0, 20)),
    st.tuples(st.just("lie"), st.integers(1, 6)),
    st.tuples(st.just("forget"), st.integers(0, 3)),
    st.tuples(st.just("lose part"), st.integers(1, 12)),
    st.tuples(st.just("crash"), st.integers(0, 500)),
    st.tuples(st.just("finish"), st.sampled_from([0, 0, 50, 200])),
    st.tuples(st.just("journal lost"), st.just(0)),
)


@dataclass
class World:
    """One segment, one storage, a recorder and an uploader that are killed again and again."""

    root: Path
    clock: Clock = field(default_factory=Clock)
    storage: Memory = field(default_factory=Memory)
    disk: Disk = field(default_factory=Disk)

    def __post_init__(self) -> None:
        self.growing = Growing(self.root / "cam")
        self.uploader = make(self.root, self.storage, self.clock, self.disk)
        self.path, self.done = self.growing.path, False

    def act(self, action: str, number: int) -> None:
        getattr(self, f"do_{action.replace(' ', '_')}")(number)
        self.check()

    def do_grow(self, size: int) -> None:
        if not self.done:
            self.growing.grow(size)

    def do_finish(self, tail: int) -> None:
        if not self.done:
            self.growing.finish(tail=tail)
            self.done = True

    def do_crash(self, lost: int) -> None:
        """The recorder's machine: its uploader dies with it."""
        if not self.done:
            self.growing.cut(lost)
        self._restart()

    def do_run(self, steps: int) -> None:
        for _ in range(steps):
            self.clock.sleep(self.uploader.step())
            self.check()

    def do_kill(self, at: int) -> None:
        self._with(Counting(at, kill), torn=at * 7)

    def do_fail(self, at: int) -> None:
        self._with(Counting(at, unreachable), storage_only=True)

    def do_full(self, at: int) -> None:
        def full() -> None:
            raise OSError(errno.ENOSPC, "full")

        self._with(Counting(at, full))

    def do_lie(self, times: int) -> None:
        left = iter(range(times))
        true: Callable[[Found], Found] = lambda found: found  # noqa: E731
        self.storage.told = lambda found: found if next(left, None) is None else Found(found.size, {"parts": "[]"})
        self.do_run(8)
        self.storage.told = true

    def do_forget(self, _: int) -> None:
        self.storage.open.clear()

    def do_lose_part(self, number: int) -> None:
        for _, parts in self.storage.open.values():
            parts.pop(number, None)

    def do_journal_lost(self, _: int) -> None:
        for journal in journals(self.root):
            journal.unlink()
        self._restart()

    def _with(self, trouble: Counting, *, torn: int = 0, storage_only: bool = False) -> None:
        self.disk.torn = torn
        self.storage.trouble = trouble
        self.disk.trouble = (lambda call: None) if storage_only else trouble
        try:
            self.do_run(12)
        except Kill:
            self._restart()
        self.storage.trouble = self.disk.trouble = lambda call: None

    def _restart(self) -> None:
        self.uploader = make(self.root, self.storage, self.clock, self.disk)

    def check(self) -> None:
        """Whoever says uploaded is right."""
        if peek(journal_of(self.path, "memory")).verified or is_uploaded(self.path, ["memory"]):
            assert self.storage.objects[self.key] == self.path.read_bytes()
        assert len(self.storage.objects) <= 1

    @property
    def key(self) -> str:
        return key_of(self.path, self.root, "")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=14))
def test_any_interleaving_ends_in_one_whole_object(actions: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        for action, number in actions:
            world.act(action, number)
        world.do_finish(0)
        run(world.uploader, world.clock, 5000, lambda: is_uploaded(world.path, ["memory"]))
        world.check()
        assert world.storage.objects == {world.key: world.path.read_bytes()}
        assert is_uploaded(world.path, ["memory"])


@pytest.mark.parametrize("live", [False, True])
def test_killed_before_and_after_every_single_call(tmp_path: Path, live: bool) -> None:
    for at in range(400):
        world = World(tmp_path / str(at))
        world.growing.grow(500)
        if not live:
            world.do_finish(0)
        counting = Counting(at, kill)
        world.storage.trouble = world.disk.trouble = counting
        try:
            run(world.uploader, world.clock, 30)
            world.do_finish(0)
            run(world.uploader, world.clock, 30)
            assert at > 50
            return
        except Kill:
            world.storage.trouble = world.disk.trouble = lambda call: None
            world.check()
            world.do_finish(0)
            world._restart()
            run(world.uploader, world.clock, 30)
        assert world.storage.objects == {world.key: world.path.read_bytes()}, at
        assert is_uploaded(world.path, ["memory"]), at
        empty = [parts for _, parts in world.storage.open.values()]
        assert not any(empty), (at, "parts were left open")
    pytest.fail("it never ended by itself")
