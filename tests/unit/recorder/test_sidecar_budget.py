"""What is deleted for room, and what never is: decided without a drive, then on files that are really there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.recorder.sidecar_bed import hours, recorded
from usenet.recorder.errors import Full
from usenet.recorder.sidecar import inventory, protect
from usenet.recorder.sidecar.budget import Held, Room, decide, may_go
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.places import WrongDrive
from usenet.recorder.sidecar.wishes import Budget, Marker, Place

recordings = st.builds(
    Held,
    path=st.integers(0, 10**6).map("/r/{}.mp4".format),
    began=st.integers(0, 99).map("{:02}".format),
    bytes=st.integers(0, 100),
    finished=st.booleans(),
    protected=st.booleans(),
    ours=st.booleans(),
    uploaded=st.booleans(),
)
inventories = st.lists(recordings, min_size=3, max_size=30, unique_by=lambda held: held.path)
tight = st.builds(
    Budget, max_bytes=st.integers(1, 200), min_free=st.just(1), policy=st.just("evict"), uploaded_first=st.booleans()
)
any_budget = st.builds(
    Budget,
    max_bytes=st.none() | st.integers(1, 2000),
    max_percent=st.none() | st.integers(1, 100),
    min_free=st.integers(1, 500),
    policy=st.sampled_from(["refuse", "stop", "evict"]),
    uploaded_first=st.booleans(),
)
budgets = tight | any_budget
rooms = st.builds(Room, total=st.integers(1000, 3000), free=st.integers(0, 1000))


@given(budgets, inventories, rooms)
def test_nothing_goes_that_may_not(budget: Budget, held: list[Held], room: Room) -> None:
    by_path = {one.path: one for one in held}
    gone = [by_path[path] for path in decide(budget, held, room, right_drive=True).evict]
    assert all(one.ours and one.finished and not one.protected for one in gone)
    assert not budget.uploaded_first or all(one.uploaded for one in gone)
    assert not gone or budget.policy == "evict"


GOOD = Held(path="/r/x.mp4", began="x", bytes=100, uploaded=True)


def test_where_all_of_them_would_not_be_enough_none_goes() -> None:
    """Something else fills the drive: every recording would be lost, and still none could begin."""
    held = [GOOD, GOOD._replace(path="/r/y.mp4", began="y")]
    budget = Budget(min_free=500, policy="evict")
    decision = decide(budget, held, Room(1000, 250), right_drive=True)
    assert (decision.verdict, decision.evict, decision.over) == ("refuse", (), 50)
    assert decide(budget, held, Room(1000, 300), right_drive=True).evict == ("/r/x.mp4", "/r/y.mp4")


MAY_NOT = {
    "protected": GOOD._replace(protected=True),
    "live": GOOD._replace(finished=False),
    "not ours": GOOD._replace(ours=False),
    "not uploaded": GOOD._replace(uploaded=False),
}


@pytest.mark.parametrize("what", MAY_NOT)
def test_each_reason_to_stay_is_enough(what: str) -> None:
    budget = Budget(min_free=500, policy="evict", uploaded_first=True)
    assert decide(budget, [GOOD], Room(1000, 450), right_drive=True).evict == (GOOD.path,)
    assert decide(budget, [MAY_NOT[what]], Room(1000, 450), right_drive=True).evict == ()


@given(budgets, inventories, rooms)
def test_on_another_drive_nothing_goes_and_nothing_begins(budget: Budget, held: list[Held], room: Room) -> None:
    decision = decide(budget, held, room, right_drive=False)
    assert (decision.verdict, decision.evict) == ("refuse", ())


@given(budgets, inventories, rooms)
def test_the_oldest_goes_first_and_not_one_more_than_must(budget: Budget, held: list[Held], room: Room) -> None:
    decision = decide(budget, held, room, right_drive=True)
    by_path = {one.path: one for one in held}
    gone = [by_path[path] for path in decision.evict]
    stay = [one for one in held if may_go(one, budget) and one not in gone]
    assert all(one.began <= other.began for one in gone for other in stay)
    if gone and decision.verdict == "go":
        assert decide(budget, without(held, gone[:-1]), freed(room, gone[:-1]), right_drive=True).evict


@given(budgets, inventories, rooms)
def test_what_it_allows_then_keeps_every_limit(budget: Budget, held: list[Held], room: Room) -> None:
    decision = decide(budget, held, room, right_drive=True)
    if decision.verdict != "go":
        assert decision.because
        return
    gone = [one for one in held if one.path in decision.evict]
    room, used = freed(room, gone), sum(one.bytes for one in without(held, gone) if one.ours)
    assert room.free >= budget.min_free
    assert budget.max_bytes is None or used <= budget.max_bytes
    assert budget.max_percent is None or used <= room.total * budget.max_percent / 100


def without(held: list[Held], gone: list[Held]) -> list[Held]:
    return [one for one in held if one not in gone]


def freed(room: Room, gone: list[Held]) -> Room:
    return Room(room.total, room.free + sum(one.bytes for one in gone))


def keeper(directory: Path, **more: object) -> Keeper:
    marker = more.pop("marker", None)
    uploaded = more.pop("uploaded", lambda _: False)
    budget = Budget(min_free=1, **{"policy": "evict", **more})  # type: ignore[arg-type]
    return Keeper(Place(directory, marker), budget, uploaded)  # type: ignore[arg-type]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*.mp4*"))


def taken(*paths: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in paths)


def test_the_oldest_recording_makes_room(tmp_path: Path) -> None:
    old, middle, new = (recorded(tmp_path, camera, hours(n)) for n, camera in enumerate(("b", "a", "b")))
    one = keeper(tmp_path, max_bytes=taken(middle, new))
    assert one.look() == "go"
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]
    assert (one.sight.evicted, one.sight.used) == (1, taken(middle, new))


@pytest.mark.parametrize(("policy", "verdict"), [("refuse", "refuse"), ("stop", "stop")])
def test_the_other_policies_delete_nothing(tmp_path: Path, policy: str, verdict: str) -> None:
    path = recorded(tmp_path, "door")
    one = keeper(tmp_path, max_bytes=1, policy=policy)
    assert one.look() == verdict
    with pytest.raises(Full, match="the recordings may take 1 bytes"):
        one.directory("door")
    assert path.exists()


def test_what_is_protected_live_or_not_ours_stays_whatever_it_takes(tmp_path: Path) -> None:
    kept = recorded(tmp_path, "door", hours(0))
    protect.protect(kept, "the fence was cut", "2026")
    live = tmp_path / "door" / "20260101T000000.000Z.mp4.part"
    live.write_bytes(bytes(5000))
    strange = tmp_path / "door" / "20260101T000001.000Z.mp4"
    strange.write_bytes(b"somebody else's film, with a name like ours" * 100)
    other = tmp_path / "door" / "holiday.mp4"
    other.write_bytes(kept.read_bytes())
    below = tmp_path / "Films" / "20260101T000000.000Z.mp4"
    below.parent.mkdir()
    below.write_bytes(kept.read_bytes())
    link = tmp_path / "door" / "20260101T000002.000Z.mp4"
    link.symlink_to(other)
    one = keeper(tmp_path, max_bytes=1)
    assert one.look() == "refuse"
    assert all(path.exists() for path in (kept, live, strange, other, below, link))


def test_with_uploaded_first_only_what_has_a_verified_copy_goes(tmp_path: Path) -> None:
    old, new = recorded(tmp_path, "door", hours(0)), recorded(tmp_path, "door", hours(1))
    one = keeper(tmp_path, max_bytes=taken(old), uploaded_first=True, uploaded=lambda path: path == new)
    assert one.look() == "go"
    assert (old.exists(), new.exists()) == (True, False)


def test_a_drive_that_was_changed_loses_nothing(tmp_path: Path) -> None:
    path, marker = recorded(tmp_path / "r", "door"), tmp_path / "marker"
    marker.write_text("another drive\n")
    one = keeper(tmp_path / "r", max_bytes=1, marker=Marker(marker, "our drive"))
    assert one.look() == "away"
    with pytest.raises(WrongDrive, match="marker of another drive"):
        one.directory("door")
    assert path.exists()
    marker.write_text("our drive\n")
    assert one.look() == "go"
    assert not path.exists()


def test_a_missing_drive_gets_no_directory(tmp_path: Path) -> None:
    one = keeper(tmp_path / "mount" / "r", marker=Marker(tmp_path / "mount" / "marker", "x"))
    (tmp_path / "mount").mkdir()
    with pytest.raises(WrongDrive, match="the drive is away"):
        one.directory("door")
    assert list((tmp_path / "mount").iterdir()) == []
    assert "the drive is away" in one.sight.error


def test_a_marker_may_be_one_of_the_values_of_a_drives_own(tmp_path: Path) -> None:
    (tmp_path / "marker").write_text('{"usenet": 1, "stack": "s", "drive": "cctv", "uuid": "9c1e"}')
    for told, right in (("9c1e", True), ("9c1", False), ("uuid", False)):
        one = keeper(tmp_path / "r", marker=Marker(tmp_path / "marker", told))
        if right:
            assert one.directory("door") == tmp_path / "r" / "door"
        else:
            with pytest.raises(WrongDrive):
                one.directory("door")


def test_a_marker_on_another_drive_than_the_recordings_is_no_marker(tmp_path: Path) -> None:
    one = keeper(tmp_path / "r", marker=Marker(Path("/proc/sys/kernel/ostype"), "Linux"))
    with pytest.raises(WrongDrive, match="is not on the drive whose marker is"):
        one.directory("door")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("camera", ["..", ".", "", "door/../door", "/door", "Door"])
def test_no_camera_leads_outside(tmp_path: Path, camera: str) -> None:
    path = recorded(tmp_path / "r", "door")
    assert inventory.find(tmp_path / "r", "door", path.name) == path
    assert inventory.find(tmp_path / "r", camera, path.name) is None
    assert inventory.find(tmp_path, "r", f"door/{path.name}") is None
    assert inventory.find(tmp_path / "r", "door", f"../door/{path.name}") is None


def test_a_recording_that_was_protected_after_the_decision_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path, "door")
    looked = inventory.held

    def late(*asked: Any) -> Any:
        found = looked(*asked)
        protect.protect(path, "just now", "2026")
        return found

    monkeypatch.setattr(inventory, "held", late)
    assert keeper(tmp_path, max_bytes=1).look() == "refuse"
    assert path.exists()


def test_both_forms_of_a_finished_file_are_known_as_ours(tmp_path: Path) -> None:
    from tests.unit.recorder.takes import TRACKS, give, takes
    from usenet.recorder.head import life
    from usenet.recorder.policy import PRESETS
    from usenet.recorder.segment import Segment

    tail = tmp_path / "20260101T000000.000Z.mp4"
    done = Segment.create(str(tail), TRACKS, seconds=0.1, flush=PRESETS["evidence"])
    give(done, takes(40))
    done.seal()
    head = recorded(tmp_path, "door")
    assert (life(tail.read_bytes()[:64]), life(head.read_bytes()[:64])) == ("sealed-tail", "sealed-head")
    assert inventory.is_ours(tail)
    assert inventory.is_ours(head)
    changed = head.stat()
    data = head.read_bytes().replace(b"RHD1", b"XXXX")
    head.write_bytes(data)
    os.utime(head, ns=(changed.st_atime_ns, changed.st_mtime_ns + 10**10))
    assert not inventory.is_ours(head)


def test_a_file_is_read_once_and_again_when_it_was_changed(tmp_path: Path) -> None:
    path = recorded(tmp_path, "door")
    found, proven = inventory.held(tmp_path, {})
    assert ([one.ours for one in found], list(proven)) == ([True], [str(path)])
    trusted = {str(path): proven[str(path)]._replace(ours=False)}
    assert not inventory.held(tmp_path, trusted)[0][0].ours
    os.utime(path, ns=(0, proven[str(path)].changed + 10**10))  # as a write ten seconds later
    assert inventory.held(tmp_path, trusted)[0][0].ours
    path.unlink()
    assert inventory.held(tmp_path, proven) == ([], {})
