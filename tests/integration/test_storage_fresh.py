"""storage add of drives that mkfs has just left, and of drives that are mounted somewhere in part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, share

pytestmark = pytest.mark.engine


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Stack:
    """A stack whose data root is shared, without services."""
    stack = bench.keep(make_stack())
    share(stack)
    stack.settings({})
    return stack


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def given(told: dict[str, list[str]]) -> list[str]:
    return [one for one in told["steps"] if one.startswith("give ")]


def wrong(home: Stack, place: Path) -> list[str]:
    """What `storage check` finds at a place."""
    problems = home.json("storage", "check", code=1)["problems"]  # of the data root in any case
    return [one["what"] for one in problems if one["about"] == str(place)]


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_services_can_write_to_a_drive_that_was_just_made(bench: Bench, home: Stack, kind: str) -> None:
    drive, place = bench.drive(kind), home.home / "data" / "drives" / "films"
    step = ["give the empty top directory of films to 1000:1000, so that services can write"]
    assert given(home.json("storage", "add", drive.device, "--name", "films", "--dry-run")) == step
    with drives.by_hand(drive, kind) as shown:
        assert owner(shown) == (0, 0)
    told = home.json("storage", "add", drive.device, "--name", "films")
    assert given(told) == step
    assert not any("belongs to" in note for note in told["notes"])
    assert owner(place) == (1000, 1000)
    # From inside: no other user may go through the directories above.
    drives.call("sh", "-c", 'cd "$0" && setpriv --reuid=1000 --regid=1000 --clear-groups touch film', str(place))
    assert not wrong(home, place)


def filled(drive: Loop, name: str) -> None:
    with drives.by_hand(drive) as place:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("x")


@pytest.mark.parametrize("name", ["film", ".hidden", "films/film", "lost+found/#12"])
def test_a_drive_with_anything_on_it_stays_its_owners(bench: Bench, home: Stack, name: str) -> None:
    drive = bench.drive()
    filled(drive, name)
    for options in (["--dry-run"], []):
        assert given(home.json("storage", "add", drive.device, "--name", "films", *options)) == []
    place = home.home / "data" / "drives" / "films"
    assert owner(place) == (0, 0)
    assert wrong(home, place) == ["it belongs to 0:0, the services run as 1000:1000"]


def test_a_drive_that_somebody_gave_away_already_stays_so(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    with drives.by_hand(drive) as place:
        drives.call("chown", "1234:1234", str(place))
    assert given(home.json("storage", "add", drive.device, "--name", "films")) == []
    assert owner(home.home / "data" / "drives" / "films") == (1234, 1234)


def test_an_empty_drive_that_is_read_only_gets_not_one_byte(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    before = drive.image.read_bytes()
    assert given(home.json("storage", "add", drive.device, "--name", "films", "--read-only")) == []
    home.run("storage", "remove", "films")
    assert drive.image.read_bytes() == before


def test_a_directory_that_is_bound_somewhere_is_not_taken_for_its_drive(
    bench: Bench, home: Stack, tmp_path: Path
) -> None:
    drive, whole, part = bench.drive(), tmp_path / "the whole drive", tmp_path / "part"
    whole.mkdir()
    part.mkdir()
    drives.call("mount", drive.device, str(whole))
    (whole / "old").mkdir()
    (whole / "film").write_text("x")
    drives.call("mount", "--bind", str(whole / "old"), str(part))
    drives.call("umount", str(whole))
    try:
        (step,) = [
            one
            for one in home.json("storage", "add", drive.device, "--name", "films", "--dry-run")["steps"]
            if "/data/drives/films" in one and one.startswith(("mount", "bind"))
        ]
        assert step.startswith(f"mount {drive.device} ")
        home.run("storage", "add", drive.device, "--name", "films")
        assert (home.home / "data" / "drives" / "films" / "film").read_text() == "x"
        home.run("storage", "remove", "films")
        told = home.json("storage", "add", str(part), "--name", "old")  # who names the directory means it
        assert any(one.startswith(f"bind {part} to ") for one in told["steps"])
    finally:
        drives.call("umount", "--lazy", str(part))
