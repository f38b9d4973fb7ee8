"""usenet killed at each change that it makes to the machine: the next run finishes or reverts, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration import drives, killed
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, put
from usenet.adapters.home import Home
from usenet.adapters.storage import fstab, guards, look

pytestmark = pytest.mark.slow


@pytest.fixture
def home(bench: Bench, tmp_path: Path) -> Stack:
    """A stack without services, on a data root that nobody has shared."""
    made = Stack(tmp_path / "home", f"ut-{uuid4().hex[:8]}")
    made.home.mkdir()
    made.settings({})
    return bench.keep(made)


def was_killed(home: Stack, number: int, *words: str) -> bool:
    """Run a verb; whether there was an n-th change to be killed at."""
    command = [sys.executable, "-m", killed.__name__, str(home.home), str(number), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def check(home: Stack, drive: Loop, name: str, *, there: bool) -> None:
    """The drive is wholly in the stack or wholly out of it, and its file is whole."""
    place = home.home / "data" / "drives" / name
    lines = fstab.lines(look.stack_id(Home(home.home)))
    assert (name in home.json("config", "get", "storage.drives")) == there
    assert [line for line in lines if f"UUID={drive.uuid} " in line] == [li for li in lines if f"{place} " in li]
    assert any(f"{place} " in line for line in lines) == there
    mine = [target for target, source in drives.mounted().items() if source == drive.device]
    assert mine == ([str(place)] if there else [])
    if there:
        assert (place / "film").read_text() == "whole"
        assert (place / ".usenet-drive.json").exists()
    elif place.exists():
        assert guards.guarded(place)
    assert [p.name for p in drives.HIDDEN.glob("*") if name in p.name or f"-{Path(drive.device).name}." in p.name] == []


def another(home: Stack, directory: Path) -> None:
    """A verb about another drive: it too finishes what was begun."""
    directory.mkdir(exist_ok=True)
    home.run("storage", "add", str(directory), "--name", "other")
    home.run("storage", "remove", "other")


@pytest.mark.parametrize("kind", ["ext4", "exfat"])
def test_add_is_finished_or_reverted(bench: Bench, home: Stack, tmp_path: Path, kind: str) -> None:
    drive, name = bench.drive(kind), f"k{uuid4().hex[:6]}"
    put(drive, "film", "whole", kind)
    number = 1
    while was_killed(home, number, "add", drive.device, name):
        if number % 2:
            another(home, tmp_path / "other")
            check(home, drive, name, there=name in home.json("config", "get", "storage.drives"))
        home.run("storage", "add", drive.device, "--name", name)
        check(home, drive, name, there=True)
        home.run("storage", "remove", name)
        check(home, drive, name, there=False)
        drives.clear(home)  # so that the data root is to be shared again
        number += 1
    check(home, drive, name, there=True)
    assert number > 12


@pytest.mark.parametrize("kind", ["ext4", "exfat"])
def test_remove_is_finished_or_reverted(bench: Bench, home: Stack, tmp_path: Path, kind: str) -> None:
    drive, name = bench.drive(kind), f"k{uuid4().hex[:6]}"
    put(drive, "film", "whole", kind)
    home.run("storage", "add", drive.device, "--name", name)
    number = 1
    while was_killed(home, number, "remove", name):
        if number % 2:
            another(home, tmp_path / "other")
            check(home, drive, name, there=name in home.json("config", "get", "storage.drives"))
        home.run("storage", "add", drive.device, "--name", name)
        check(home, drive, name, there=True)
        number += 1
    check(home, drive, name, there=False)
    assert number > 6
