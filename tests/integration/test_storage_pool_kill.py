"""usenet killed before each change that it makes to a pool: the next run, of whatever verb, finishes or reverts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests import killing
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, mounted
from tests.integration.pools import branches, join, line, place, pool_home
from usenet.adapters import settings
from usenet.adapters.home import Home

pytestmark = pytest.mark.slow

CREATE = ("pool", "create", "d0", "d1", "--min-free", "1M")
POLICY = ("mfs", 2**20)


@pytest.fixture
def home(bench: Bench, tmp_path: Path) -> Iterator[Stack]:
    with pool_home(bench, lambda: Stack(tmp_path, f"ut-{uuid4().hex[:8]}")) as stack:
        yield stack


@pytest.fixture
def loops(bench: Bench, home: Stack) -> list[Loop]:
    """Three drives of the stack, each with a file on it."""
    made = [bench.drive() for _ in range(3)]
    for name in join(home, *made):
        (place(home, name) / "film").write_text("whole")
    return made


def was_killed(home: Stack, number: int, *words: str) -> bool:
    """Run a verb; whether there was an n-th change to be killed at."""
    command = [sys.executable, "-m", killing.__name__, str(number), "--home", str(home.home), "storage", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def state(home: Stack) -> tuple[set[str], set[str], tuple[str, int] | None]:
    """The drives, those in the pool, and its policy, of usenet.yaml. What is mounted and what is kept for the next
    start of the machine say the same, and every file is whole.
    """
    storage = settings.load(Home(home.home)).storage
    members = list(storage.pool.drives) if storage.pool else []
    policy = (storage.pool.policy, storage.pool.min_free) if storage.pool else None
    there = str(place(home)) in mounted()
    assert (list(branches(home).items()) if there else []) == [(name, "RW") for name in members]
    assert line(home) == members
    if there:
        told = (os.getxattr(place(home) / ".mergerfs", f"user.mergerfs.{key}").decode() for key in KEYS)
        assert tuple(told) == tuple(map(str, policy or ()))
    for name in ("d0", "d1", "d2"):
        assert (str(place(home, name)) in mounted()) == (name in storage.drives), name
        assert name not in storage.drives or (place(home, name) / "film").read_text() == "whole"
    return set(storage.drives), set(members), policy


KEYS = ("category.create", "minfreespace")
ALL = {"d0", "d1", "d2"}
# The verb; what makes the pool before it, and undoes it; the drives, those in the pool and the policy after it.
CHANGES = {
    "create": (CREATE, (), ("pool", "destroy"), (ALL, {"d0", "d1"}, POLICY)),
    "add": (("pool", "add", "d2"), CREATE, ("pool", "remove", "d2"), (ALL, ALL, POLICY)),
    "remove": (("pool", "remove", "d1"), CREATE, ("pool", "add", "d1"), (ALL, {"d0"}, POLICY)),
    "policy": (
        ("pool", "policy", "pfrd", "--min-free", "2M"),
        CREATE,
        ("pool", "policy", "mfs", "--min-free", "1M"),
        (ALL, {"d0", "d1"}, ("pfrd", 2 * 2**20)),
    ),
    "destroy": (("pool", "destroy"), CREATE, CREATE, (ALL, set(), None)),
    "remove the drive": (("remove", "d1"), CREATE, ("add", "{d1}", "--name", "d1"), ({"d0", "d2"}, {"d0"}, POLICY)),
    "add the drive": (("add", "{d2}", "--name", "d2"), CREATE, ("remove", "d2"), (ALL, ALL, POLICY)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_to_the_pool_is_finished_or_reverted(home: Stack, loops: list[Loop], change: str) -> None:
    devices = {f"d{number}": loop.device for number, loop in enumerate(loops)}
    verb, first, undo, after = CHANGES[change]
    verb, undo = (tuple(word.format(**devices) for word in words) for words in (verb, undo))
    if first:
        home.run("storage", *first)
    if change == "add the drive":
        home.run("storage", "remove", "d2")
    before = state(home)
    number = 1
    while was_killed(home, number, *verb):
        if number % 2:  # a verb about another drive, which has nothing to do itself
            home.run("storage", "add", devices["d0"], "--name", "d0")
            assert state(home) in (before, after), f"killed before change {number}"
        else:
            home.run("storage", *verb, code=None)
            assert state(home) == after, f"killed before change {number}"
        if state(home) != before:
            home.run("storage", *undo)
            assert state(home) == before
        number += 1
    assert state(home) == after
    assert number > 3
