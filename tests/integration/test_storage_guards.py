"""Mountpoints of drives: at no moment can anybody write into them, while they are made and after a start."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench
from usenet.adapters import shell
from usenet.adapters.home import Home
from usenet.adapters.storage import fstab, guards, look
from usenet.domain.errors import SystemFailure


@pytest.fixture
def root(bench: Bench, tmp_path: Path) -> Iterator[Path]:
    """A directory that is a shared mount."""
    path = tmp_path / "data"
    path.mkdir()
    for one in (tmp_path, path):  # of the same group, as where systemd has made all mounts shared
        drives.call("mount", "--bind", str(one), str(one))
        drives.call("mount", "--make-rshared", str(one))
    yield path
    for place in (path / "drives").iterdir():
        guards.release(place)
    drives.call("umount", "--recursive", "--lazy", str(tmp_path))


class Writer:
    """Root in a container: `through` is how it sees this machine. It sees no later mounts in `private`."""

    def __init__(self, private: Path | None = None) -> None:
        # All else is unmounted here too when it is outside: what others test is not kept mounted.
        script = f"{f'mount --make-rprivate {private} && ' if private else ''}echo && exec sleep 300"
        command = ("unshare", "--mount", "--propagation", "slave", "sh", "-c", script)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"\n"
        self.through = f"/proc/{self.process.pid}/root"

    def writes(self, path: Path) -> bool:
        try:
            Path(f"{self.through}{path}/stray").write_text("x")
        except OSError:
            return False
        return True

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def writer(request: pytest.FixtureRequest, root: Path) -> Iterator[Writer]:
    made = Writer(root if getattr(request, "param", "") == "private" else None)
    yield made
    made.end()


def covers(root: Path) -> list[str]:
    """The sources of all mounts below a directory, those too that lie below others."""
    rows = (line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines())
    return [row[0] for row in rows if row[1].startswith(f"{root}/")]


def around(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do it before and after every step of `guard`."""
    for owner, name in ((guards, "_set"), (shell, "checked"), (Path, "mkdir")):
        real = getattr(owner, name)

        def call(*arguments: Any, real: Any = real, **named: Any) -> Any:
            do()
            result = real(*arguments, **named)
            do()
            return result

        monkeypatch.setattr(owner, name, call)


def test_nobody_writes_into_a_mountpoint_while_it_is_made(
    root: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = root / "drives" / "films"
    tries: list[bool] = []
    around(monkeypatch, lambda: tries.append(writer.writes(place)))
    guards.guard(place)
    assert len(tries) > 4
    assert not any(tries)
    assert guards.guarded(place)
    assert guards.SOURCE not in covers(root), "it is no longer needed"
    assert [one.name for one in place.parent.iterdir()] == ["films"]


@pytest.mark.parametrize("writer", ["private"], indirect=True)
def test_what_a_container_that_sees_no_later_mounts_wrote_meanwhile_is_found(
    root: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = root / "drives" / "films"
    around(monkeypatch, lambda: writer.writes(place))
    with pytest.raises(SystemFailure, match="stray in it would disappear"):
        guards.guard(place)
    monkeypatch.undo()
    assert (place / "stray").read_text() == "x"
    (place / "stray").unlink()  # it is not guarded: a person can look and take it away
    guards.guard(place)
    assert not writer.writes(place)


def test_what_a_run_that_was_killed_left_goes(root: Path) -> None:
    parent = root / "drives"
    left = parent / ".films.usenet-4194305~"  # no process can have this number
    left.mkdir(parents=True)
    guards._cover(left)
    guards.guard(parent / "films")
    assert [one.name for one in parent.iterdir()] == ["films"]
    assert str(left) not in drives.mounted()


@pytest.fixture
def flagless(bench: Bench, tmp_path: Path) -> Iterator[Stack]:
    """A stack whose data root is on a filesystem without flags."""
    stack = Stack(tmp_path / "home", f"ut-{uuid4().hex[:8]}")
    data = stack.home / "data"
    data.mkdir(parents=True)
    drives.call("mount", "-t", "ramfs", "none", str(data))
    stack.settings({})
    yield bench.keep(stack)
    down(data)
    drives.call("umount", "--lazy", str(data), check=False)


def down(data: Path) -> None:
    """Take away all that is mounted below a data root."""
    for target in sorted((t for t in drives.mounted() if t.startswith(f"{data}/")), reverse=True):
        drives.call("umount", "--lazy", target, check=False)


@pytest.mark.engine
def test_a_mountpoint_on_a_filesystem_without_flags_is_guarded_after_a_start_too(
    bench: Bench, flagless: Stack, tmp_path: Path
) -> None:
    drive, second, data = bench.drive(), bench.drive(), flagless.home / "data"
    places = {name: data / "drives" / name for name in ("films", "shows")}
    flagless.run("storage", "add", drive.device, "--name", "films")
    (places["films"] / "film").write_text("x")
    lines = fstab.lines(look.stack_id(Home(flagless.home)))
    table = tmp_path / "fstab"
    table.write_text("".join(f"{line}\n" for line in lines))

    def start() -> None:
        down(data)
        drives.call("mount", "--all", "--fstab", str(table), check=False)  # fails for a drive that is away

    start()
    assert (places["films"] / "film").read_text() == "x"
    down(data)
    drive.unplug()
    start()
    after = Writer()
    try:
        assert not after.writes(places["films"])
        flagless.run("storage", "add", second.device, "--name", "shows")  # beside it there is no place to write either
        assert not after.writes(places["films"])
        assert after.writes(places["shows"])
        flagless.run("storage", "remove", "shows")
        assert not after.writes(places["shows"])
    finally:
        after.end()
