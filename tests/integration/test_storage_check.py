"""storage status, health, check and layout on real drives, beside real containers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, inside, running, serving, shared_stack
from tests.waiting import wait
from usenet.actions.storage import check
from usenet.domain.errors import SystemFailure

pytestmark = pytest.mark.engine


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Stack:
    """A stack whose data root is shared and has its tree, without services."""
    stack = shared_stack(bench, make_stack)
    (stack.home / "data").chmod(0o2775)
    os.chown(stack.home / "data", 1000, 1000)
    stack.run("storage", "layout")
    return stack


def wrong(home: Stack, *options: str) -> list[str]:
    """What `storage check` finds; its exit code says whether there is any."""
    done = home.run("--json", "storage", "check", *options, code=None)
    found = json.loads(done.stdout)["problems"]
    assert done.returncode == bool(found)
    return [f"{one['about']}: {one['what']}" for one in found]


def add(home: Stack, device: str, name: str, *options: str) -> Path:
    """Add a drive and give it to the user of the stack."""
    home.run("storage", "add", device, "--name", name, *options)
    root = home.home / "data" / "drives" / name
    os.chown(root, 1000, 1000)
    root.chmod(0o2775)
    return root


def states(home: Stack) -> dict[str, str]:
    return {one["drive"]: one["state"] for one in home.json("storage", "status")["drives"]}


def come_to(home: Stack, wanted: dict[str, str]) -> None:
    """Until these are the states: who asks for them waits for no drive, and one of a busy machine may be unknown."""
    wait(lambda: states(home) == wanted, lambda: f"{states(home)}")


@pytest.mark.slow
def test_what_is_wrong_is_found_and_mended(bench: Bench, home: Stack) -> None:
    drive = bench.drive()
    root = add(home, drive.device, "films")
    assert wrong(home) == []
    stack = drives.look.stack_id(drives.Home(home.home))
    before = drives.fstab.lines(stack)
    assert before
    drives.call("umount", str(root))
    drives.call("chattr", "-i", str(root))
    drives.fstab.write(stack, ())
    os.chown(home.home / "data" / "media", 0, 0)
    (home.home / "data" / "torrents" / "tv").rmdir()
    found = "\n".join(wrong(home))
    for word in ("films: it is there and not mounted", "films: its empty mountpoint", "/etc/fstab", "belongs to 0:0"):
        assert word in found
    assert "directories are missing" in found
    shown = home.run("storage", "check", "--fix", "--dry-run").stdout
    assert len(wrong(home)) == len(found.splitlines())
    done = home.run("storage", "check", "--fix").stdout
    assert done == shown + "nothing is wrong\n"
    assert wrong(home) == []
    assert drives.fstab.lines(stack) == before
    come_to(home, {"films": "mounted"})


@pytest.mark.slow
def test_a_drive_that_belongs_to_another_user_is_given_to_the_stack(bench: Bench, home: Stack) -> None:
    home.run("storage", "add", bench.drive().device, "--name", "films")
    root = home.home / "data" / "drives" / "films"
    os.chown(root, 0, 0)
    (root / "kept").write_text("x")
    (root / "own").write_text("x")
    os.chown(root / "own", 1000, 1000)
    assert wrong(home) == [f"{root}: it belongs to 0:0, the services run as 1000:1000"]
    home.run("storage", "check", "--fix")
    assert (root.stat().st_uid, (root / "kept").stat().st_uid) == (1000, 0)
    assert wrong(home) == []
    (deep,) = wrong(home, "--deep")
    assert deep == f"{root}: 1 files and directories below it can't be written to by user 1000"
    assert f"give 1 files and directories below {root}" in home.run("storage", "check", "--fix", "--deep").stdout
    assert (root / "kept").stat().st_uid == 1000
    assert (root / ".usenet-drive.json").stat().st_uid == 0
    assert wrong(home, "--deep") == []


def test_a_link_is_tried_inside_a_running_service(bench: Bench, home: Stack) -> None:
    container = running(home, "writer")
    assert wrong(home) == []
    data = home.home / "data"
    drives.call("mount", bench.drive().device, str(data / "media"))
    os.chown(data / "media", 1000, 1000)
    (data / "media").chmod(0o2775)
    found = [one for one in wrong(home) if one.startswith("writer:")]
    assert len(found) == 2, found
    assert all("imports are copies: one is on" in one for one in found)
    assert f"({data}/media)" in found[0]
    assert inside(container, "find /data/media /data/torrents /data/usenet 2>&1 | grep usenet-link") == (1, "")
    drives.call("umount", str(data / "media"))
    (data / "torrents").chmod(0o2555)
    (denied,) = [one for one in wrong(home) if one.startswith("writer:")]
    assert "ermission denied" in denied


@pytest.mark.slow
def test_links_are_tried_on_drives_that_have_the_tree(bench: Bench, home: Stack) -> None:
    running(home, "writer")
    root = add(home, bench.drive().device, "films")
    told = home.json("storage", "layout", "films", "--dry-run")
    assert not (root / "media").exists()
    assert home.json("storage", "layout", "films") == told
    assert str(root / "usenet" / "complete" / "tv") in told["directories"]
    assert str(root / "drives") not in told["directories"]
    for path in told["directories"]:
        found = Path(path).stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1000, 1000, 0o2775)
    assert home.json("storage", "layout", "films")["directories"] == []
    assert wrong(home) == []
    drives.call("mount", bench.drive().device, str(root / "torrents"))
    os.chown(root / "torrents", 1000, 1000)
    (found_,) = [one for one in wrong(home) if one.startswith("writer:")]
    assert "/data/drives/films/torrents can't be linked into /data/drives/films/media" in found_
    drives.call("umount", str(root / "torrents"))


@pytest.mark.slow
def test_the_tree_is_made_on_media_drives_that_are_there(bench: Bench, home: Stack) -> None:
    add(home, bench.drive().device, "safe", "--role", "backup")
    away = bench.drive()
    add(home, away.device, "away")
    drives.call("umount", str(home.home / "data" / "drives" / "away"))
    assert "is for backup" in home.run("storage", "layout", "safe", code=3).stderr
    assert "it is not mounted" in home.run("storage", "layout", "away", code=3).stderr
    assert "there is: safe, away" in home.run("storage", "layout", "none", code=3).stderr


@pytest.mark.slow
def test_a_service_that_does_not_see_a_drive_is_told(bench: Bench, make_stack: Callable[..., Stack]) -> None:
    """Started while the data root was private, as on a machine without systemd before the first drive."""
    stack = bench.keep(make_stack())
    stack.settings({})
    running(stack, "player", media="read")
    stack.run("storage", "layout")
    add(stack, bench.drive().device, "films")
    found = wrong(stack)
    assert [one for one in found if "propagation rprivate" in one and one.startswith("player:")], found
    assert [one for one in found if "/data/drives/films is an empty directory there" in one], found
    stack.run("services", "up")
    assert wrong(stack) == []


@pytest.mark.slow
def test_each_state_of_a_drive(bench: Bench, home: Stack) -> None:
    cable = bench.cable()
    made = {name: bench.drive() for name in ("well", "away", "locked", "strange", "unmarked")}
    made["dead"] = bench.drive(cable=cable)
    roots = {
        name: add(home, drive.device, name, *(["--read-only"] if name == "locked" else []))
        for name, drive in made.items()
        if name != "locked"
    }
    home.run("storage", "add", made["locked"].device, "--name", "locked", "--read-only")
    drives.call("umount", str(roots["away"]))
    made["away"].unplug()
    marker = roots["strange"] / ".usenet-drive.json"
    marker.write_text(marker.read_text().replace(made["strange"].uuid, "other"))
    (roots["unmarked"] / ".usenet-drive.json").unlink()
    (roots["well"] / "film").write_bytes(bytes(2**22))
    os.sync()
    cable.pull()
    come_to(
        home,
        {
            "well": "mounted",
            "away": "away",
            "locked": "read-only",
            "strange": "wrong marker",
            "unmarked": "wrong marker",
            "dead": "dead",
        },
    )

    def seen() -> tuple[set[str], bool, bool]:
        """Who is well, whether it is told how full the one with a film is, and whether it is told of the dead one."""
        found = {one["drive"]: one for one in home.json("storage", "status")["drives"]}
        used, dead = found["well"]["usage"], found["dead"]["usage"]
        return {name for name, one in found.items() if one["well"]}, bool(used and used["used"] > 2**22), bool(dead)

    wait(lambda: seen() == ({"well", "locked"}, True, False), lambda: f"{seen()}")
    wait(lambda: "dead: it does not answer" in home.run("storage", "status").stdout)
    about = {line.split(":")[0] for line in wrong(home)}
    assert {"away", "strange", "unmarked", "dead"} <= about
    assert not {"well", "locked"} & about


def test_how_drives_are(bench: Bench, home: Stack) -> None:
    add(home, bench.drive().device, "films")
    home.run("storage", "health", "--dry-run")
    assert not (home.home / ".usenet" / "fill.jsonl").exists()
    (one,) = home.json("storage", "health")["drives"]
    assert (one["state"], one["errors"], one["problems"], one["forecast"]) == ("mounted", 0, [], None)
    assert [smart["verdict"] for smart in one["smart"].values()] == ["unknown"]
    home.run("storage", "health")
    assert len((home.home / ".usenet" / "fill.jsonl").read_text().splitlines()) == 1
    drives.call("umount", str(home.home / "data" / "drives" / "films"))
    told = home.run("storage", "health", code=1)
    assert "problem: films: not mounted" in told.stderr


def test_a_mount_that_hangs_stops_nothing(bench: Bench, home: Stack, tmp_path: Path) -> None:
    """A program that serves a filesystem below the data root stands still."""
    add(home, bench.drive().device, "films")
    (tmp_path / "real").mkdir()
    place = home.home / "data" / "share"
    place.mkdir()
    server = serving(tmp_path / "real", place)
    try:
        assert wrong(home) == []
        server.send_signal(signal.SIGSTOP)
        (found,) = wrong(home)
        assert found.startswith(f"{place}: what is mounted there (")
        assert found.endswith("does not answer")
        come_to(home, {"films": "mounted"})
        home.run("storage", "health")
        server.send_signal(signal.SIGCONT)
        wait(lambda: wrong(home) == [], lambda: f"{wrong(home)}")
    finally:
        server.kill()
        server.wait()
        drives.call("umount", "--lazy", str(place), check=False)


def test_nothing_is_done_for_a_plain_user(bench: Bench, home: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    root = add(home, bench.drive().device, "films")
    drives.call("umount", str(root))
    place = drives.Home(home.home)
    found = check.look(place)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemFailure, match="only root can do this"):
        check.fix(place, found, say=pytest.fail)
    assert str(root) not in drives.mounted()
