"""storage add and remove on real filesystems, beside containers that go on running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, inside, put, running, share, shared_stack, until_ended

pytestmark = pytest.mark.engine


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Stack:
    return shared_stack(bench, make_stack)


COSTS = {
    "ext4": [],
    "xfs": [],
    "btrfs": [],
    "exfat": ["no hardlinks", "no owners and rights"],
    "ntfs": ["no owners and rights", "slower than the filesystems of Linux"],
}


@pytest.mark.slow
def test_each_filesystem_appears_in_a_container_that_goes_on_running(bench: Bench, home: Stack) -> None:
    container = running(home)
    before = home.containers()
    for kind, costs in COSTS.items():
        drive = bench.drive(kind)
        put(drive, "film.mkv", kind, kind)
        dry = home.run("storage", "add", drive.device, "--name", kind, "--dry-run").stdout
        told = home.run("storage", "add", drive.device, "--name", kind).stdout
        for cost in costs:
            assert cost in dry
            assert cost in told
        assert "seen by: player" in dry
        assert inside(container, f"cat /data/drives/{kind}/film.mkv") == (0, kind)
        assert inside(container, f"echo new > /data/drives/{kind}/new && cat /data/drives/{kind}/new") == (0, "new")
    assert home.containers() == before
    for kind in ("exfat", "ntfs"):
        seen = inside(container, f"stat -c '%u %g %a' /data/drives/{kind}/film.mkv")
        assert seen == (0, "1000 1000 775")
    for kind in COSTS:
        told = home.run("storage", "remove", kind).stdout
        assert inside(container, f"ls -A /data/drives/{kind}") == (0, "")
        code, said = inside(container, f"touch /data/drives/{kind}/stray")
        assert code != 0, said
    assert home.containers() == before
    assert drives.hidden({loop.device for loop in bench.loops}) == []


def test_what_is_added_twice_or_only_shown_changes_nothing(bench: Bench, home: Stack) -> None:
    drive = bench.drive()

    def state() -> tuple[object, ...]:
        settings, table = (home.home / "usenet.yaml").read_text(), drives.mounted()
        return settings, {t for t in table if str(home.home) in t}, sorted((home.home / "data").rglob("*"))

    before = state()
    told = home.json("storage", "add", drive.device, "--name", "films", "--dry-run")
    assert [one.split()[0] for one in told["steps"]] == ["write", "give", "make", "mount", "write"]
    assert state() == before
    assert not (home.home / ".usenet" / "stack-id").exists()
    done = home.json("storage", "add", drive.device, "--name", "films")
    assert done["steps"] == told["steps"]
    before = state()
    again = home.json("storage", "add", drive.uuid)
    assert (again["drive"], again["steps"]) == ("films", [])
    home.json("storage", "remove", "films", "--dry-run")
    assert state() == before
    lines = [line for line in drives.fstab.PATH.read_text().splitlines() if str(home.home) in line]
    shared, mount = lines
    assert shared == f"{home.home}/data {home.home}/data none rbind,rshared,nofail 0 0"
    assert mount.startswith(f"UUID={drive.uuid} {home.home}/data/drives/films ext4 ")
    assert "nofail" in mount


def test_a_mounted_filesystem_and_a_directory_are_bound(bench: Bench, home: Stack, tmp_path: Path) -> None:
    drive, elsewhere, directory = bench.drive(), tmp_path / "else where", tmp_path / "old films"
    elsewhere.mkdir()
    directory.mkdir()
    (directory / "b").write_text("b")
    drives.call("mount", drive.device, str(elsewhere))
    try:
        (elsewhere / "a").write_text("a")
        container = running(home, media="read")
        before = home.containers()
        for path, name in ((elsewhere, "a"), (directory, "b")):
            told = home.json("storage", "add", str(path), "--name", name)
            assert any(step.startswith(f"bind {path} to ") for step in told["steps"]), told
            assert inside(container, f"cat /data/drives/{name}/{name}") == (0, name)
        for name in ("a", "b"):
            home.run("storage", "remove", name)
            assert inside(container, f"ls -A /data/drives/{name}") == (0, "")
        assert home.containers() == before
        assert sorted(p.name for p in elsewhere.iterdir()) == ["a", "lost+found"]
        assert [p.name for p in directory.iterdir()] == ["b"]
    finally:
        drives.call("umount", "--lazy", str(elsewhere))


def test_a_drive_with_an_open_file_is_not_removed(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    put(drive, "film", "x")
    container = running(home)
    home.run("storage", "add", drive.device, "--name", "films")
    before = drives.belongings(home, drive)
    inside(container, "exec 3>>/data/drives/films/new; echo one >&3; sleep 300 >/dev/null 2>&1 3>&3 &")
    told = home.run("storage", "remove", "films", code=5).stderr
    assert f"in container {container[:12]}" in told
    assert "/data/drives/films/new" in told
    assert drives.belongings(home, drive) == before
    until_ended(container, "sleep")
    home.run("storage", "remove", "films")
    assert inside(container, "cat /data/drives/films/new")[0] != 0
    with_file = home.json("storage", "add", drive.device, "--name", "films")
    assert with_file["drive"] == "films"
    assert inside(container, "cat /data/drives/films/new") == (0, "one")


def test_a_drive_of_another_stack_is_left_alone_unless_it_is_taken_over(
    bench: Bench, home: Stack, make_stack: Callable[..., Stack]
) -> None:
    other, drive = bench.keep(make_stack()), bench.drive()
    share(other)
    other.settings({})
    home.run("storage", "add", drive.device, "--name", "films")
    marker = home.home / "data" / "drives" / "films" / ".usenet-drive.json"
    text = marker.read_text()
    for options in ((), ("--dry-run",)):
        told = other.run("storage", "add", drive.device, "--name", "mine", *options, code=3).stderr
        assert "this drive belongs to another stack, as films" in told
        assert "--adopt" in told
    assert marker.read_text() == text
    drives.call("umount", str(marker.parent))  # as at its own machine, before it is carried to the other
    other.run("storage", "add", drive.device, "--name", "mine", "--adopt")
    taken = (other.home / "data" / "drives" / "mine" / ".usenet-drive.json").read_text()
    assert taken != text
    drives.call("mount", drive.device, str(marker.parent))  # as fstab does, which knows no markers
    home.run("storage", "remove", "films")
    assert str(marker.parent) not in drives.mounted()
    assert (other.home / "data" / "drives" / "mine" / ".usenet-drive.json").read_text() == taken


def test_two_drives_with_one_uuid_are_both_refused(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    twin = bench.twin(drive)
    for word in (drive.device, twin.device, drive.uuid):
        assert "the same UUID" in home.run("storage", "add", word, code=3).stderr
    twin.take_away()
    home.run("storage", "add", drive.device, "--name", "films")


def test_a_read_only_drive_gets_not_one_byte(bench: Bench, home: Stack) -> None:
    drive, locked = bench.drive(), bench.drive(read_only=True)
    put(drive, "film", "x")
    container = running(home)
    before = drive.image.read_bytes()
    home.run("storage", "add", drive.device, "--name", "films", "--read-only")
    assert inside(container, "cat /data/drives/films/film") == (0, "x")
    assert inside(container, "touch /data/drives/films/new")[0] != 0
    home.run("storage", "remove", "films")
    assert drive.image.read_bytes() == before
    home.run("storage", "add", locked.device, "--name", "locked")
    assert "read_only: true" in (home.home / "usenet.yaml").read_text()
    assert inside(container, "touch /data/drives/locked/new")[0] != 0


def test_a_full_drive_stays_outside(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    with drives.by_hand(drive) as place:
        drives.call("sh", "-c", f"cat /dev/zero > {place}/big || true")
        drives.call("sh", "-c", f"while mkdir {place}/d$((n=n+1)) 2>/dev/null; do :; done")  # the last blocks too
    before = drives.belongings(home, drive)
    told = home.run("storage", "add", drive.device, "--name", "films", code=5).stderr
    assert "no space left to write" in told
    assert drives.belongings(home, drive) == before
    with drives.by_hand(drive) as place:
        (place / "big").unlink()
    home.run("storage", "add", drive.device, "--name", "films")


def test_a_server_that_is_gone_holds_nobody_up(bench: Bench, home: Stack) -> None:
    drive, cable = bench.drive(), bench.cable()
    (cable.end / "film").write_text("x")
    (cable.end / "old").mkdir()
    home.run("storage", "add", str(cable.end / "old"), "--name", "old")
    home.run("storage", "add", drive.device, "--name", "films")
    held = home.home / "data" / "drives" / "films" / "held"
    held.write_text("x")
    # A process of its own: whoever closes a file of a silent server waits for it.
    other = drives.holding(cable.end / "film")
    holder = drives.holding(held)
    try:
        with cable.silent():
            assert f"sleep ({holder.pid}): {held}" in home.run("storage", "remove", "films", code=5).stderr
            home.run("storage", "list")
            home.run("storage", "add", str(cable.end / "old" / "x"), code=3)
    finally:
        for one in (holder, other):
            one.kill()
            one.wait()
    home.run("storage", "remove", "films")
    home.run("storage", "remove", "old")


def test_names_and_places_that_cannot_be(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    for name in ("../x", "a/b", "..", ".", "A", "-a", "a\nb", "x" * 33):
        home.run("storage", "add", drive.device, f"--name={name}", code=3)
    home.run("storage", "add", drive.device, "--name", "films")
    (home.home / "data" / "drives" / "films" / "sub").mkdir()
    for path, why in (
        (home.home / "data" / "drives" / "films" / "sub", "overlap"),
        (home.home, "overlap"),
        (Path("/"), "holds / of this machine"),
        (home.home.parent / "none", "is no directory and no drive"),
    ):
        assert why in home.run("storage", "add", str(path), code=3).stderr
    root = next(s for t, s in drives.mounted().items() if t == "/")
    home.run("storage", "add", root, code=3)
    assert list(home.json("config", "get", "storage.drives")) == ["films"]


@pytest.mark.parametrize(("label", "name"), [("My Films 2", "my-films-2"), ("two\nlines", "two-lines")])
def test_labels_become_names(bench: Bench, home: Stack, label: str, name: str) -> None:
    drive = bench.drive(label=label)
    assert home.json("storage", "add", drive.device)["drive"] == name
    (row,) = [one for one in home.json("storage", "list") if one["uuid"] == drive.uuid]
    assert (row["name"], row["label"], row["state"]) == (name, label, "mounted")


def test_a_container_older_than_the_shared_mount_sees_drives_after_what_is_said(
    bench: Bench, make_stack: Callable[..., Stack]
) -> None:
    stack, drive = bench.keep(make_stack()), bench.drive()
    put(drive, "film", "x")
    container = running(stack)
    told = stack.run("storage", "add", drive.device, "--name", "films").stdout
    assert "containers that run now see it after: usenet services up" in told
    assert inside(container, "cat /data/drives/films/film")[0] != 0
    stack.run("services", "up")  # which gives the container the shared mount, and with it all later drives
    container, started = stack.containers()["player"]
    assert inside(container, "cat /data/drives/films/film") == (0, "x")
    second = bench.drive()
    put(second, "film", "y")
    assert "see it after" not in stack.run("storage", "add", second.device, "--name", "more").stdout
    assert inside(container, "cat /data/drives/more/film") == (0, "y")
    assert stack.containers()["player"] == (container, started)
