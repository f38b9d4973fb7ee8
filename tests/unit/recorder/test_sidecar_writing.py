"""Where samples go when a drive fails, is away, or comes back; and what is recovered before anything else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.unit.recorder.sidecar_bed import hours, recorded, samples, station
from tests.unit.recorder.takes import TRACKS, give, takes
from usenet.recorder.errors import BadSample, Full, Poisoned, RecorderError
from usenet.recorder.flusher import Coordinator
from usenet.recorder.recovery import Report
from usenet.recorder.segment import Segment
from usenet.recorder.sidecar import inventory, writing
from usenet.recorder.sidecar.places import WrongDrive
from usenet.recorder.sidecar.recovery import Recovery
from usenet.recorder.sidecar.wishes import Camera, Marker, Place, Protect, Recovering
from usenet.recorder.sidecar.writing import Writing
from usenet.recorder.tracks import Movie, Sample

DOOR = Camera(name="door", url="rtsp://camera/", segment_seconds=2)


@dataclass
class Spot:
    """A place that fails when a test says so."""

    where: Path
    coordinator: Coordinator
    refuses: RecorderError | None = None
    asked: int = 0
    living: set[Path] = field(default_factory=set)
    broken: list[Path] = field(default_factory=list)

    def directory(self, camera: str) -> Path:
        self.asked += 1
        if self.refuses:
            raise self.refuses
        (self.where / camera).mkdir(parents=True, exist_ok=True)
        return self.where / camera

    def began(self, path: Path) -> None:
        self.living.add(path)

    def ended(self, path: Path, error: RecorderError | None) -> None:
        self.living.discard(path)
        if error:
            self.broken.append(path)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.where.rglob("*.mp4*"))


@dataclass
class Bench:
    one: Spot
    two: Spot
    now: float = 0.0

    def writing(self, *spots: Spot, camera: Camera = DOOR) -> Writing:
        return Writing(camera, spots, TRACKS, Movie(), clock=lambda: self.now)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    coordinator = Coordinator()
    return Bench(Spot(tmp_path / "one", coordinator), Spot(tmp_path / "two", coordinator))


def write(to: Writing, given: list[Sample]) -> None:
    for sample in given:
        to.write(sample)


def shifted(given: list[Sample], seconds: float) -> list[Sample]:
    """The same samples, so much later."""
    rates = {track.id: track.timescale for track in TRACKS}
    return [
        replace(one, dts=one.dts + int(seconds * rates[one.track]), pts=one.pts + int(seconds * rates[one.track]))
        for one in given
        if one.dts is not None and one.pts is not None
    ]


def test_all_of_it_goes_to_the_first_place_in_segments(bench: Bench) -> None:
    to = bench.writing(bench.one, bench.two)
    write(to, samples(5))
    assert bench.one.living
    done = to.close()
    assert len(done) >= 2
    assert bench.one.names == [path.name for path in done]
    assert (bench.two.asked, bench.one.living) == (0, set())


def test_a_place_that_is_away_is_passed_over_and_taken_again_when_it_is_back(bench: Bench) -> None:
    bench.one.refuses = WrongDrive("the drive is away")
    to = bench.writing(bench.one, bench.two)
    write(to, samples(1.5))
    assert to.problem == ""
    bench.one.refuses = None
    write(to, shifted(samples(5), 1.5))
    done = to.close()
    assert sorted(path.parent.parent.name for path in done) == [*["one"] * (len(done) - 1), "two"]
    assert len(done) > 1


def test_where_there_is_no_place_it_says_so_and_asks_now_and_then(bench: Bench) -> None:
    bench.one.refuses = Full("the recordings may take 1 bytes")
    to = bench.writing(bench.one)
    write(to, samples(4))
    assert (to.problem, bench.one.asked, bench.one.names) == ("the recordings may take 1 bytes", 1, [])
    bench.one.refuses, bench.now = None, writing.AGAIN + 0.1
    write(to, shifted(samples(2), 4))
    assert to.problem == ""
    assert len(to.close()) == 1


def test_the_budget_that_is_used_up_finishes_the_segment_and_begins_no_other(bench: Bench) -> None:
    to = bench.writing(bench.one)
    write(to, samples(1))
    bench.one.refuses = Full("no more")
    write(to, shifted(samples(6), 1))
    assert to.problem == "no more"
    (done,) = to.close()
    assert bench.one.names == [done.name]
    assert bench.one.asked < 10


def poisoned(monkeypatch: pytest.MonkeyPatch, where: Path, after: int) -> None:
    """Segments in this place fail with this sample."""
    append, count = Segment.append, dict[str, int]()

    def fail(self: Segment, *given: object, **more: object) -> None:
        count[self.path] = count.get(self.path, 0) + 1
        if self.path.startswith(str(where)) and count[self.path] == after:
            self.poisoned = True
            raise Poisoned(f"{self.path}: input/output error")
        append(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "append", fail)


def test_a_drive_that_fails_is_left_for_the_other_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch, bench.one.where, after=20)
    to = bench.writing(bench.one, bench.two)
    write(to, samples(6))
    done = to.close()
    assert {path.parent.parent.name for path in done} == {"two"}
    assert bench.one.broken
    assert any(name.endswith(".part") for name in bench.one.names)


def test_with_one_drive_a_failed_segment_is_followed_by_a_new_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned(monkeypatch, bench.one.where, after=20)
    to = bench.writing(bench.one)
    write(to, samples(3))
    assert bench.one.asked == 3  # to open, for the first segment, and for the next one at once
    write(to, shifted(samples(3), 3))
    assert bench.one.asked == 3  # which failed as well: not with every key frame
    bench.now += writing.AGAIN + 0.1
    write(to, shifted(samples(1), 6))
    assert bench.one.asked == 4
    to.close()


def test_a_sample_that_no_file_can_hold_costs_itself_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    to = bench.writing(bench.one)
    append = Segment.append

    def fussy(self: Segment, track: int, data: bytes, **more: object) -> None:
        if data == b"bad":
            raise BadSample("it is bad")
        append(self, track, data, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Segment, "append", fussy)
    given = samples(1)
    write(to, [*given[:30], replace(given[30], data=b"bad"), *given[31:]])
    assert to.bad == 1
    assert len(to.close()) == 1


def test_what_is_always_kept_is_protected_from_its_first_byte(bench: Bench) -> None:
    to = bench.writing(bench.one, camera=replace(DOOR, protect=Protect("for the insurance")))
    write(to, samples(1))
    (live,) = bench.one.living
    assert live.with_name(live.name + ".protected").exists()
    (done,) = to.close()
    assert inventory.describe("door", done).protected == "for the insurance"


def crashed(place: Path, camera: str, name: str) -> Path:
    """A segment whose recorder died."""
    path = place / camera / name
    path.parent.mkdir(parents=True, exist_ok=True)
    segment = Segment.create(str(path), TRACKS, seconds=10)
    give(segment, takes(4))
    segment.cut()
    segment.close()
    return path


NAMES = [f"2026112{day}T120000.000Z.mp4" for day in range(4)]


def test_the_newest_is_recovered_first_over_all_cameras_and_the_rest_later(tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        crashed(tmp_path, f"camera{number % 2}", name)
    ticks = iter(range(1000))
    recovery = Recovery((Place(tmp_path),), Recovering(seconds=2), frozenset, clock=lambda: float(next(ticks)))
    recovery.first()
    done = sorted(path.name for path in tmp_path.rglob("*.mp4"))
    assert 0 < len(done) < 4
    assert done == NAMES[-len(done) :]
    assert recovery.told()["pending"] == 1
    recovery.again()
    assert sorted(path.name for path in tmp_path.rglob("*.mp4*")) == NAMES
    told = recovery.told()
    assert (told["pending"], told["finished"], told["chunks_dropped"]) == (0, 4, 0)


def test_a_drive_that_comes_later_is_recovered_then(tmp_path: Path) -> None:
    mount, now = tmp_path / "mount", [0.0]
    path = crashed(mount / "r", "door", NAMES[0])
    place = Place(mount / "r", Marker(mount / "marker", "ours"))
    recovery = Recovery((place,), Recovering(), frozenset, clock=lambda: now[0])
    recovery.first()
    assert not path.exists()
    (mount / "marker").write_text("ours")
    now[0] += 100
    recovery.again()
    assert path.exists()


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    live, dead = crashed(tmp_path, "door", NAMES[0]), crashed(tmp_path, "door", NAMES[1])
    recovery = Recovery((Place(tmp_path),), Recovering(), lambda: {live})
    recovery.first()
    assert (live.exists(), dead.exists()) == (False, True)


def test_one_that_another_process_writes_is_tried_again(tmp_path: Path) -> None:
    path, now = tmp_path / "door" / NAMES[0], [0.0]
    path.parent.mkdir()
    held = Segment.create(str(path), TRACKS, seconds=10)
    give(held, takes(2))
    recovery = Recovery((Place(tmp_path),), Recovering(), frozenset, clock=lambda: now[0])
    recovery.first()
    assert recovery.told()["pending"] == 1
    held.cut()
    held.close()
    now[0] += 100
    recovery.again()
    assert path.exists()
    assert recovery.told()["pending"] == 0


def test_one_that_can_t_be_recovered_holds_no_other_up_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from usenet.recorder.sidecar import recovery as module

    paths = [crashed(tmp_path, "door", name) for name in NAMES]

    def fails(path: Path, **more: object) -> Report:
        if path == paths[2]:
            raise Poisoned("the drive says no")
        return Report(path, path, "finished")

    monkeypatch.setattr(module, "recover", fails)
    recovery = Recovery((Place(tmp_path),), Recovering(), frozenset)
    recovery.first()
    told = recovery.told()
    assert (told["finished"], told["kept"], told["pending"]) == (3, 1, 0)
    assert told["problems"] == [{"file": str(paths[2]), "why": "the drive says no"}]


def test_a_station_recovers_before_it_records_and_finishes_all_when_it_closes(tmp_path: Path) -> None:
    path = crashed(tmp_path, "door", NAMES[0])
    of = station(tmp_path, "door", "gate")
    assert not of.ready
    of.posts["door"].camera = replace(of.posts["door"].camera, enabled=True)
    of.open()
    assert (path.exists(), of.ready) == (True, True)
    assert [post.recording for post in of.posts.values()] == [True, False]
    assert of.close() == []
    assert not any(name.suffix == ".part" for name in tmp_path.rglob("*"))
    of.open()
    assert not any(post.recording for post in of.posts.values())


def test_the_budget_stops_what_records_into_the_place(tmp_path: Path) -> None:
    from usenet.recorder.sidecar.wishes import Budget

    recorded(tmp_path, "door", hours(-5))
    of = station(tmp_path, "door", budget=Budget(max_bytes=1, min_free=1, policy="stop"))
    of.open()
    of.start("door", None)
    of.look()
    told = of.cameras()[0]
    assert (told["state"], of.posts["door"].recording) == ("idle", False)
    assert "the recordings may take 1 bytes" in str(told["problem"])
