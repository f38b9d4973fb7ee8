"""fstab, guards, holders and rights, on files and processes of their own."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.saved import only_path, program
from tests.waiting import wait
from usenet.actions.storage import balance, layout, rights, status
from usenet.adapters import shell, systemd
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import fstab, guards, holders, look, markers, mounting, pulse
from usenet.cli.main import run
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Mount
from usenet.domain.storage.marker import FILE, Marker, text
from usenet.domain.storage.steps import Unmark


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run" / "fstab.lock"
    monkeypatch.setattr(fstab, "LOCK", path)
    return path


def test_our_lines_change_and_no_other_byte_does(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    theirs = b"# disks of Zo\xe9\x0c\nUUID=1 / ext4 defaults 0 1\n"
    path.write_bytes(theirs)
    fstab.write("one", ("a /a none bind 0 0",), path)
    fstab.write("two", ("b /b none bind 0 0", "c /c none bind 0 0"), path)
    fstab.write("one", ("d /d none bind 0 0",), path)
    assert path.read_bytes().startswith(theirs)
    assert (fstab.lines("one", path), len(fstab.lines("two", path))) == (("d /d none bind 0 0",), 2)
    fstab.write("one", (), path)
    fstab.write("two", (), path)
    assert path.read_bytes() == theirs


def test_fstab_is_made_where_there_is_none_and_a_lost_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    assert fstab.lines("one", path) == ()
    fstab.write("one", ("a /a none bind 0 0",), path)
    text = path.read_text()
    assert text.startswith("# usenet one")
    path.write_text("".join(text.splitlines(keepends=True)[:-1]) + "UUID=1 / ext4 defaults 0 1\n")
    broken = path.read_bytes()
    with pytest.raises(SystemFailure, match="the line is missing that ends our part"):
        fstab.write("one", (), path)
    assert path.read_bytes() == broken


def test_two_stacks_at_once_lose_no_line(tmp_path: Path) -> None:
    path, stacks = tmp_path / "fstab", [f"s{n}" for n in range(8)]
    children = []
    for stack in stacks:
        child = os.fork()
        if child == 0:
            for n in range(20):
                fstab.write(stack, (f"{n} /{stack} none bind 0 0",), path)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(stacks)
    assert [fstab.lines(stack, path) for stack in stacks] == [(f"19 /{stack} none bind 0 0",) for stack in stacks]


def test_nobody_but_root_can_hold_up_who_writes_fstab(tmp_path: Path, lock: Path) -> None:
    path = tmp_path / "etc" / "fstab"
    path.parent.mkdir()
    everybodys = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(everybodys, fcntl.LOCK_EX)
    fstab.write("one", ("a /a none bind 0 0",), path)
    os.close(everybodys)
    assert fstab.lines("one", path) == ("a /a none bind 0 0",)
    assert lock.stat().st_mode & 0o777 == 0o600


def test_who_waits_too_long_for_fstab_is_told_and_writes_nothing(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fstab"
    fstab.write("one", ("a /a none bind 0 0",), path)
    before = path.read_bytes()
    monkeypatch.setattr(fstab, "PATIENCE", 0.0)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SystemFailure, match="another stack has been writing"):
            fstab.write("one", ("b /b none bind 0 0",), path)
    assert path.read_bytes() == before
    fstab.write("one", ("b /b none bind 0 0",), path)


@pytest.fixture
def plain_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack with a directory that can be added, and a user who may not mount; programs of this test are in bin."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "usenet.yaml").write_text("name: films\n")
    (tmp_path / "old films").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return home


def state(home: Path) -> list[tuple[Path, int]]:
    return [(path, path.stat().st_mtime_ns) for path in sorted(home.parent.rglob("*")) if path.name != "words"]


def add(home: Path, *flags: str) -> int:
    return run(["--home", str(home), *flags, "storage", "add", str(home.parent / "old films"), "--name", "old"])


def test_a_plain_user_without_a_terminal_is_told_what_root_would_run(
    plain_user: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(plain_user)
    assert add(plain_user) == 5
    told = capsys.readouterr()
    assert f"bind {plain_user.parent}/old films to {plain_user}/data/drives/old" in told.out
    assert "only root may do this, and there is no terminal to agree on" in told.err
    assert f"-m usenet --home {plain_user} storage add --name=old -- '{plain_user.parent}/old films'" in (told.err)
    assert state(plain_user) == before


def test_a_plain_user_who_agrees_goes_through_sudo_and_ends_as_that_does(
    plain_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = plain_user.parent / "words"
    directory = plain_user.parent / "bin"
    program(directory, "sudo", f'printf "%s\\n" "$@" > {words}; exit 3')
    monkeypatch.setenv("PATH", only_path(directory))
    before = state(plain_user)
    assert add(plain_user, "--yes", "--json") == 3
    given = words.read_text().splitlines()
    assert given[:2] == ["--non-interactive", "--"]
    assert given[3:] == [
        *("-P", "-m", "usenet", "--home", str(plain_user), "--json", "--yes"),
        *("storage", "add", "--name=old", "--", f"{plain_user.parent}/old films"),
    ]
    assert state(plain_user) == before


def test_without_sudo_nothing_is_done(
    plain_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shell, "found", lambda name, real=shell.found: "" if name == "sudo" else real(name))
    before = state(plain_user)
    assert add(plain_user, "--yes") == 5
    assert "there is no sudo on this machine" in capsys.readouterr().err
    assert add(plain_user, "--dry-run") == 0
    assert state(plain_user) == before


@pytest.mark.parametrize("words", [("storage", "watch"), ("agent", "run")], ids=" ".join)
def test_a_plain_user_who_watches_is_asked_too(
    plain_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    assert run(["--home", str(plain_user), *words]) == 5
    told = capsys.readouterr()
    assert "mount drives of the stack as they come" in told.out
    assert "only root may do this, and there is no terminal to agree on" in told.err
    assert f"-m usenet --home {plain_user} storage watch\n" in told.err
    given = plain_user.parent / "words"
    directory = plain_user.parent / "bin"
    program(directory, "sudo", f'printf "%s\n" "$@" > {given}; exit 3')
    monkeypatch.setenv("PATH", only_path(directory))
    assert run(["--home", str(plain_user), "--yes", *words]) == 3
    assert given.read_text().splitlines()[-4:] == [str(plain_user), "--yes", "storage", "watch"]


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (("storage", "check", "--fix"), "make "),
        (("storage", "layout"), "make "),
        (("storage", "pool", "balance"), "end what a run that was killed left"),
        (("agent", "install"), "systemctl enable usenet-films-agent.service"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_whatever_needs_root_is_shown_and_asked_for_quietly_too(
    plain_user: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    step: str,
) -> None:
    monkeypatch.setattr(balance, "balance", lambda *_, **__: balance.Balanced(moves=()))
    monkeypatch.setattr(systemd, "UNITS", plain_user.parent)
    monkeypatch.setattr(systemd, "RUNNING", plain_user.parent)
    (plain_user / "data").mkdir()
    (plain_user / "usenet.yaml").write_text("name: films\nuser: {uid: 54321, gid: 54321}\n")
    before = state(plain_user)
    assert run(["--home", str(plain_user), "--quiet", *words]) == 5
    told = capsys.readouterr()
    assert told.out == ""
    assert step in told.err.split("error:")[0]
    assert f"-m usenet --home {plain_user} --quiet {' '.join(words)}\n" in told.err
    assert state(plain_user) == before


def test_who_lacks_rights_is_told_the_whole_command(
    plain_user: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise SystemFailure("only root can", hint="run it with sudo")

    monkeypatch.setattr(layout, "layout", refused)
    assert run(["storage", "layout", "--home", str(plain_user), "films"]) == 5
    whole = f"sudo -- {sys.executable} -P -m usenet --home {plain_user} storage layout films"
    assert f"hint:  run it as root: {whole}\n" in capsys.readouterr().err


def test_ctrl_c_that_sudo_got_as_well_is_no_failure(plain_user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_ours(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(rights, "take", not_ours)
    assert run(["--home", str(plain_user), "--yes", "storage", "watch"]) == 130


@pytest.fixture
def stale(tmp_path: Path) -> Iterator[Path]:
    """A mounted directory whose server has stopped to answer."""
    if os.geteuid() != 0 or not shell.found("mergerfs") or not Path("/dev/fuse").exists():
        pytest.skip("only root may mount, with mergerfs and FUSE")
    real, place = tmp_path / "real", tmp_path / "stale"
    (real / "films").mkdir(parents=True)
    place.mkdir()
    server = subprocess.Popen(["mergerfs", "-f", "-o", "allow_other", str(real), str(place)])
    try:
        wait(lambda: os.path.ismount(place) or server.poll() is not None)
        assert server.poll() is None
        server.send_signal(signal.SIGSTOP)
        yield place
    finally:
        server.kill()
        server.wait()
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_server_that_is_gone_holds_nobody_up(stale: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "PATIENCE", 0.5)
    assert not look.is_directory(f"{stale}/films")
    assert markers.look(stale) == (None, None)
    assert guards.uppermost(stale) != ""


def test_storage_status_asks_nobody_for_longer_than_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, float] = {}
    real, tables = shell.run, {"lsblk": '{"blockdevices": []}', "stat": "4096 9 9 9"}

    def run(words: Sequence[str], *, timeout: float = 10, **more: Any) -> shell.Done:
        """Programs that are asked answer at once, however busy the machine."""
        if words[0] == "findmnt":  # the kernel's own table, which waits for nothing
            return real(words, **more)
        asked[words[0]] = max(timeout, asked.get(words[0], 0))
        return shell.Done(0, tables.get(words[0], ""), "")

    monkeypatch.setattr(shell, "run", run)
    home, share = Home(tmp_path / "home"), tmp_path / "share"
    home.path.mkdir()
    share.mkdir()
    home.settings.write_text(f"storage: {{drives: {{films: {{path: {share}}}}}}}\n")
    status.look(home)
    there = Mounted("films", "ext4", "0:99", Mount(target=str(share / "drives" / "films")))
    look.places(share, {"films": True}, [there], patience=status.PATIENCE, wake=False)
    assert {"lsblk", "test", "stat", "dd"} <= asked.keys()
    assert max(asked.values()) <= status.PATIENCE
    assert status.PATIENCE + status.SIZE_PATIENCE < 1.5


@pytest.mark.parametrize(
    ("there", "stays"),
    [
        (Marker(stack="ours", name="films", uuid="u"), False),
        (Marker(stack="ours", name="as it was called", uuid="u"), False),
        (Marker(stack="theirs", name="films", uuid="u"), True),
        (Marker(stack="ours", name="films", uuid="of another drive"), True),
    ],
)
def test_only_the_marker_that_is_meant_is_taken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: Marker, stays: bool
) -> None:
    """Another drive may have the device's name since the machine was looked at."""
    place = tmp_path / f"films.{os.getpid()}"
    place.mkdir()
    (place / FILE).write_text(text(there))
    monkeypatch.setattr(mounting, "HIDDEN", tmp_path)
    monkeypatch.setattr(mounting, "_mount", lambda *_: None)
    meant = text(Marker(stack="ours", name="films", uuid="u"))
    mounting.unmark(Unmark(name="films", source="/dev/sda1", type="ext4", options=(), marker=meant))
    assert (place / FILE).exists() == stays


ROOT_ALONE = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@ROOT_ALONE
def test_who_stands_above_a_bound_directory_does_not_hold_it(tmp_path: Path) -> None:
    real, place = tmp_path / "real", tmp_path / "place"
    (real / "films").mkdir(parents=True)
    place.mkdir()
    subprocess.run(["mount", "--bind", str(real), str(place)], check=True)
    standing = [
        subprocess.Popen(["sleep", "60"], cwd=one) for one in (tmp_path, place, real / "films", tmp_path.parent)
    ]
    try:
        found = {one.pid for one in holders.of(place)}
    finally:
        for process in standing:
            process.kill()
            process.wait()
        subprocess.run(["umount", str(place)], check=True)
    assert [one.pid in found for one in standing] == [False, True, True, False]


@ROOT_ALONE
def test_an_open_file_beside_a_bound_directory_does_not_hold_it(tmp_path: Path) -> None:
    real, place = tmp_path / "real", tmp_path / "place"
    real.mkdir()
    place.mkdir()
    beside, inside = tmp_path / "beside", real / "inside"
    beside.write_text("")
    inside.write_text("")
    subprocess.run(["mount", "--bind", str(real), str(place)], check=True)
    try:
        with beside.open():
            assert os.getpid() not in {one.pid for one in holders.of(place)}
        with inside.open():
            assert os.getpid() in {one.pid for one in holders.of(place)}
    finally:
        subprocess.run(["umount", str(place)], check=True)


@ROOT_ALONE
def test_what_the_guard_is_refused_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "films").write_text("a file")
    with pytest.raises(SystemFailure, match="films is in the way: it is not a directory"):
        guards.guard(tmp_path / "films")
    with pytest.raises(SystemFailure, match="is in the way"):
        guards.guard(tmp_path / "films" / "drives" / "music")


@ROOT_ALONE
def test_what_is_missing_above_a_mountpoint_belongs_to_the_user_of_the_stack(tmp_path: Path) -> None:
    place = tmp_path / "data" / "drives" / "films"
    guards.guard(place, 1234, 1235)
    try:
        made = [one.stat() for one in (place.parent, place.parent.parent)]
        assert [(one.st_uid, one.st_gid, one.st_mode & 0o7777) for one in made] == [(1234, 1235, 0o2775)] * 2
        assert place.stat().st_uid == 0
    finally:
        guards.release(place)


def test_a_directory_that_is_known_to_be_there_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(path: str) -> bool:
        raise AssertionError(f"{path} was asked")

    monkeypatch.setattr(pulse, "os", SimpleNamespace(path=SimpleNamespace(exists=hangs), stat=hangs))
    assert list(pulse.tokens((), ["/mnt/nas/films"])) == ["/mnt/nas/films"]
