"""A drive that is pulled while a container writes to it: nothing reaches the root disk, and its return heals."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, back, inside, put, running, shared_stack
from tests.waiting import wait

pytestmark = [pytest.mark.engine, pytest.mark.slow]

# A mebibyte at a time, each on the drive before the next; what the first failure says is the last line.
WRITES = "while dd if=/dev/zero of=/data/drives/{0}/big bs=1M count=1 conv=fsync,notrunc 2>&1; do :; done"


def row(home: Stack, name: str) -> dict[str, Any]:
    (found,) = [one for one in home.json("storage", "list") if one["name"] == name]
    return found


@contextmanager
def writing(container: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """A loop of writes inside the container, from when the first of them is done."""
    loop = subprocess.Popen(
        ["docker", "exec", container, "sh", "-c", WRITES.format(name)], stdout=subprocess.PIPE, text=True
    )
    try:
        wait(lambda: loop.poll() is not None or not inside(container, f"test -s /data/drives/{name}/big")[0])
        assert loop.poll() is None
        yield loop
    finally:
        loop.kill()
        loop.wait()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_drive_that_is_pulled_during_a_write(bench: Bench, make_stack: Callable[..., Stack], kind: str) -> None:
    home, cable = shared_stack(bench, make_stack), bench.cable()
    drive, other = bench.drive(kind, cable=cable), bench.drive("ext4")
    for one in (drive, other):
        put(one, "film", "whole", kind if one is drive else "ext4")
    uuid = drive.uuid
    container = running(home)
    before = home.containers()
    home.run("storage", "add", drive.device, "--name", "films")
    home.run("storage", "add", other.device, "--name", "other")
    with writing(container, "films") as loop:
        cable.pull()
        said = loop.communicate(timeout=60)[0].strip().splitlines()
    assert any("Input/output error" in line or "Read-only file system" in line for line in said[-4:]), said[-4:]

    # Who asks for the list waits for no drive, and one of a busy machine may not have answered yet.
    wait(lambda: row(home, "films")["state"].startswith("dead: "))
    wait(lambda: row(home, "other")["state"] == "mounted")
    home.run("services", "up")
    assert row(home, "films")["state"] == "away"
    place = home.home / "data" / "drives" / "films"
    assert inside(container, "echo stray > /data/drives/films/stray")[0] != 0
    assert (list(place.iterdir()), str(place) in drives.mounted()) == ([], False)
    assert inside(container, "cp /data/drives/other/film /data/drives/other/new && cat /data/drives/other/new") == (
        0,
        "whole",
    )

    back(drive, cable)
    assert drive.uuid == uuid
    home.run("storage", "add", uuid)
    wait(lambda: row(home, "films")["state"] == "mounted")
    assert inside(container, "cat /data/drives/films/film; echo again > /data/drives/films/new") == (0, "whole")
    assert (place / "new").read_text() == "again\n"
    assert home.containers() == before
