"""A pool whose drive is pulled, or whose mergerfs crashes, beside a container that writes to it and goes on running."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Cable, Loop, back, call, inside, mounted, running, unmount
from tests.integration.pools import POOL, beneath, branches, crash, create, join, line, place, pool_home
from tests.integration.watches import watching
from tests.waiting import wait

pytestmark = [pytest.mark.engine, pytest.mark.slow]

# A mebibyte at a time, each on the drive before the next; what the first failure says is the last line.
WRITES = f"while dd if=/dev/zero of={POOL}/media/big bs=1M count=1 conv=fsync,notrunc 2>&1; do :; done"
# Written and read all the time, by way of the pool, on the drive that stays.
STEADY = f"""
while [ ! -e /tmp/end ]; do
  date >{POOL}/media/steady && sync {POOL}/media/steady && cat {POOL}/media/steady {POOL}/media/old ||
    echo x >>/tmp/failed
  echo x >>/tmp/rounds
done >/dev/null 2>/tmp/failed
"""


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    with pool_home(bench, make_stack) as stack:
        yield stack


def two(bench: Bench, home: Stack, kind: str) -> tuple[Cable, Loop]:
    """A pool of d0, which stays, and d1, which can be pulled and gets the new files: it has more room."""
    cable = bench.cable()
    pulled = bench.drive(kind, cable=cable)
    join(home, bench.drive(), pulled)
    create(home, "d0", "d1")
    (place(home, "d0") / "media" / "old").write_text("of d0")
    (place(home, "d0") / "media" / "steady").touch()
    (place(home, "d0") / "media" / "steady").chmod(0o666)
    (place(home, "d0") / "ballast").write_bytes(bytes(20_000_000))
    (place(home, "d1") / "media" / "film").write_text("of d1")
    call("sync")
    return cable, pulled


def told(home: Stack) -> tuple[dict[str, str], str, list[str]]:
    """What `storage status` tells: the states of the drives and of the pool, and who is away from it."""
    status = home.json("storage", "status")
    return {one["drive"]: one["state"] for one in status["drives"]}, status["pool"]["state"], status["pool"]["away"]


def rounds(container: str) -> int:
    return int(inside(container, "wc -l </tmp/rounds")[1])


def goes_on(container: str) -> None:
    """The steady writer makes rounds, and none of them ever failed."""
    now = rounds(container)
    wait(lambda: rounds(container) > now + 3, lambda: "it stands still")
    assert inside(container, "cat /tmp/failed") == (0, "")


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_drive_of_a_pool_that_is_pulled_during_a_write(bench: Bench, home: Stack, kind: str) -> None:
    container = running(home)
    before = home.containers()
    cable, pulled = two(bench, home, kind)
    on_root = beneath(home)
    steady = subprocess.Popen(["docker", "exec", container, "sh", "-c", STEADY])
    loop = subprocess.Popen(["docker", "exec", container, "sh", "-c", WRITES], stdout=subprocess.PIPE, text=True)
    wait((place(home, "d1") / "media" / "big").exists, lambda: "nothing is written to d1")
    cable.pull()
    # A file that is on the drive is lost with it: the writer is told, and not sent to another drive with half a file.
    said = loop.communicate(timeout=60)[0].strip().splitlines()
    assert any("Input/output error" in one or "Read-only file system" in one for one in said[-4:]), said[-4:]
    goes_on(container)
    # Who asks for the status waits for nobody, so that a drive of a busy machine may be unknown for a moment.
    wait(lambda: told(home) == ({"d0": "mounted", "d1": "dead"}, "mounted", ["d1"]), lambda: f"{told(home)}")
    wait(lambda: "d1 is not there" in home.run("storage", "status").stdout)

    home.run("services", "up")
    assert (branches(home), line(home)) == ({"d0": "RW"}, ["d0"])
    assert (list(place(home, "d1").iterdir()), beneath(home)) == ([], on_root)
    assert inside(container, "echo x >/data/drives/d1/stray")[0] != 0
    assert inside(container, f"echo next >{POOL}/media/next && cat {POOL}/media/next") == (0, "next")
    assert (place(home, "d0") / "media" / "next").exists()
    goes_on(container)

    back(pulled, cable)
    home.run("services", "up")
    assert (branches(home), line(home)) == ({"d0": "RW", "d1": "RW"}, ["d0", "d1"])
    assert inside(container, f"cat {POOL}/media/film && echo x >{POOL}/media/later") == (0, "of d1")
    assert (place(home, "d1") / "media" / "later").exists()
    goes_on(container)
    wait(lambda: told(home) == ({"d0": "mounted", "d1": "mounted"}, "mounted", []), lambda: f"{told(home)}")
    inside(container, "touch /tmp/end")
    assert steady.wait(60) == 0
    assert beneath(home) == on_root
    assert home.containers() == before


def test_the_watch_takes_a_dead_drive_out_of_the_pool_and_lets_it_join_again(bench: Bench, home: Stack) -> None:
    container = running(home)
    before = home.containers()
    cable, pulled = two(bench, home, "ext4")
    with watching(home) as watch:
        subprocess.Popen(["docker", "exec", container, "sh", "-c", WRITES], stdout=subprocess.DEVNULL)
        wait((place(home, "d1") / "media" / "big").exists, lambda: "nothing is written to d1")
        cable.pull()
        watch.until("lost", "d1")
        wait(lambda: branches(home) == {"d0": "RW"}, lambda: f"{branches(home)}")
        assert inside(container, f"echo x >{POOL}/media/next && cat {POOL}/media/old") == (0, "of d0")
        back(pulled, cable)
        watch.until("returned", "d1")
        wait(lambda: branches(home) == {"d0": "RW", "d1": "RW"}, lambda: f"{branches(home)}")
        assert inside(container, f"cat {POOL}/media/film") == (0, "of d1")
    assert home.containers() == before


def test_the_watch_alone_mounts_a_pool_whose_mergerfs_crashed(bench: Bench, home: Stack) -> None:
    container = running(home)
    before = home.containers()
    join(home, bench.drive(), bench.drive())
    create(home)
    with watching(home) as watch:
        for time in (1, 2):
            assert inside(container, f"echo x >{POOL}/media/film{time}") == (0, "")
            with watch.blind():
                crash(home)
                assert inside(container, f"cat {POOL}/media/film{time}")[0] != 0
            watch.said(lambda time=time: watch.events().count(("returned", "pool")) == time, "the pool returned")
            assert watch.events().count(("lost", "pool")) == time
            assert inside(container, f"cat {POOL}/media/film{time}") == (0, "x")
        assert branches(home) == {"d0": "RW", "d1": "RW"}
        crash(home)  # once too often: it waits
        watch.said(lambda: watch.events().count(("lost", "pool")) == 3, "lost again")
        wait(lambda: str(place(home)) not in mounted(), lambda: "the dead mount is still there")
        with watch.blind():
            assert inside(container, f"echo stray >{POOL}/stray")[0] != 0
        watch.said(lambda: watch.events().count(("returned", "pool")) == 3, "the pool returned")
    assert home.containers() == before


def test_the_watch_mounts_a_pool_that_the_start_of_the_machine_left_out(bench: Bench, home: Stack) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    call("umount", str(place(home)))
    with watching(home):
        assert branches(home) == {"d0": "RW", "d1": "RW"}


def test_a_pool_that_a_person_unmounted_stays_so(bench: Bench, home: Stack) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    with watching(home) as watch:
        unmount(place(home))
        watch.until("removed", "pool")
        for name in ("d1", "d0"):  # two more reasons to look
            unmount(place(home, name))
            watch.until("removed", name)
        assert str(place(home)) not in mounted()
