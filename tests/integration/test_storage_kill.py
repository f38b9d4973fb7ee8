"""usenet killed at each change that it makes to the machine: the next run finishes or reverts, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration import drives, killed
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, put
from usenet.adapters import settings
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
    """Do a verb in a process of its own; whether there was an n-th change to be killed at.

    It has imported all before: that would take most of the time.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([killed.__name__])
    child = processes.Process(target=killed.main, args=(str(home.home), str(number), *words))
    child.start()
    child.join(120)
    code = child.exitcode
    if code is None:
        child.kill()
        child.join()
    assert code in (0, -signal.SIGKILL), f"{words}: {code}"
    return code != 0


def do(home: Stack, *words: str) -> None:
    """Do a verb to its end."""
    assert not was_killed(home, 0, *words)


def wanted(home: Stack, name: str) -> bool:
    """Whether usenet.yaml has the drive. Not asked of a command, which takes long to begin."""
    return name in settings.load(Home(home.home)).storage.drives


def check(home: Stack, drive: Loop, name: str, *, there: bool) -> None:
    """The drive is wholly in the stack or wholly out of it, and its file is whole."""
    place = home.home / "data" / "drives" / name
    lines = fstab.lines(look.stack_id(Home(home.home)))
    assert wanted(home, name) == there
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
    do(home, "add", str(directory), "other")
    do(home, "remove", "other")


@pytest.mark.parametrize("kind", ["ext4", "exfat"])
def test_add_is_finished_or_reverted(bench: Bench, home: Stack, tmp_path: Path, kind: str) -> None:
    drive, name = bench.drive(kind), f"k{uuid4().hex[:6]}"
    put(drive, "film", "whole", kind)
    number = 1
    while was_killed(home, number, "add", drive.device, name):
        if number % 2:
            another(home, tmp_path / "other")
            check(home, drive, name, there=wanted(home, name))
        do(home, "add", drive.device, name)
        check(home, drive, name, there=True)
        do(home, "remove", name)
        check(home, drive, name, there=False)
        drives.clear(home)  # so that the data root is to be shared again
        number += 1
    check(home, drive, name, there=True)
    assert number > 12


@pytest.mark.parametrize("kind", ["ext4", "exfat"])
def test_remove_is_finished_or_reverted(bench: Bench, home: Stack, tmp_path: Path, kind: str) -> None:
    drive, name = bench.drive(kind), f"k{uuid4().hex[:6]}"
    put(drive, "film", "whole", kind)
    do(home, "add", drive.device, name)
    number = 1
    while was_killed(home, number, "remove", name):
        if number % 2:
            another(home, tmp_path / "other")
            check(home, drive, name, there=wanted(home, name))
        do(home, "add", drive.device, name)
        check(home, drive, name, there=True)
        number += 1
    check(home, drive, name, there=False)
    assert number > 6
