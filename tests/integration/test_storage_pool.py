"""The pool on real filesystems and a real mergerfs, beside a container that goes on running."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from tests.integration.conftest import Stack
from tests.integration.drives import Bench, back, call, inside, mounted, running, until_ended
from tests.integration.pools import POOL, branches, crash, create, join, line, place, pool_home

pytestmark = pytest.mark.engine


@pytest.fixture
def home(bench: Bench, make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    with pool_home(bench, make_stack) as stack:
        yield stack


@pytest.fixture
def container(home: Stack) -> str:
    return running(home)


def test_a_pool_is_made_grows_and_shrinks_while_a_container_writes(bench: Bench, home: Stack, container: str) -> None:
    before = home.containers()
    join(home, *(bench.drive() for _ in range(3)))
    create(home, "d0", "d1")
    assert (branches(home), line(home)) == ({"d0": "RW", "d1": "RW"}, ["d0", "d1"])
    writer = (
        "i=0; while [ ! -e /tmp/end ]; do i=$((i+1)); echo $i >/data/drives/pool/media/$i || echo $i >>/tmp/failed; "
    )
    # With a pause: a small drive has room for so many files only, and a slow machine takes its time.
    inside(container, f"({writer} echo $i >/tmp/count; sleep 0.01; done; touch /tmp/done) >/dev/null 2>&1 &")
    (place(home, "d2") / "old").write_text("of d2")
    home.run("storage", "pool", "add", "d2")
    assert inside(container, f"cat {POOL}/old") == (0, "of d2")
    home.run("storage", "pool", "policy", "pfrd", "--min-free", "2M")
    home.run("storage", "pool", "remove", "d1")
    assert (branches(home), line(home)) == ({"d0": "RW", "d2": "RW"}, ["d0", "d2"])
    code, told = inside(
        container, "touch /tmp/end; while [ ! -e /tmp/done ]; do sleep 0.1; done; cat /tmp/count /tmp/failed"
    )
    count, _, failed = told.partition("\n")
    assert "/tmp/failed: No such file" in failed, f"{code}: {failed}"
    for number in range(1, int(count) + 1):
        (one,) = [p for d in ("d0", "d1", "d2") if (p := place(home, d) / "media" / str(number)).exists()]
        assert one.read_text() == f"{number}\n"
    assert home.containers() == before
    view = home.json("storage", "pool", "show")
    assert (view["policy"], view["min_free"], view["findings"]) == ("pfrd", 2 * 2**20, [])


def test_a_new_drive_for_media_joins_and_one_that_leaves_the_stack_leaves_the_pool(bench: Bench, home: Stack) -> None:
    join(home, bench.drive(), bench.drive())
    create(home, "d0", "d1")
    home.run("storage", "add", bench.drive().device, "--name", "later")
    home.run("storage", "add", bench.drive().device, "--name", "travels", "--optional")
    home.run("storage", "add", bench.drive().device, "--name", "saved", "--role", "backup")
    assert (list(branches(home)), line(home)) == (["d0", "d1", "later"], ["d0", "d1", "later"])
    home.run("storage", "remove", "d0")
    assert (list(branches(home)), line(home)) == (["d1", "later"], ["d1", "later"])
    assert "d0" not in home.json("config", "get", "storage.pool")["drives"]
    home.run("storage", "remove", "later")
    assert "pool destroy" in home.run("storage", "remove", "d1", code=3).stderr
    assert list(branches(home)) == ["d1"]


def test_a_hardlink_from_another_directory_is_one_file(bench: Bench, home: Stack, container: str) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    for number in range(6):
        script = f"cd {POOL} && mkdir -p dl media/{number} && echo x >dl/{number} && ln dl/{number} media/{number}/film"
        assert inside(container, script) == (0, "")
        (root,) = [place(home, d) for d in ("d0", "d1") if (place(home, d) / "dl" / str(number)).exists()]
        assert (root / "dl" / str(number)).samefile(root / "media" / str(number) / "film")
    assert all((place(home, name) / "dl").exists() for name in ("d0", "d1")), "all on one drive: nothing was shown"


def test_what_is_open_by_way_of_the_pool_stays(bench: Bench, home: Stack, container: str) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    script = "exec 3>/data/drives/pool/media/film; echo one >&3; sleep 300 >/dev/null 2>&1 &"
    assert inside(container, script) == (0, "")
    (name,) = [d for d in ("d0", "d1") if (place(home, d) / "media" / "film").exists()]

    def state() -> tuple[object, ...]:
        mine = {target for target in mounted() if target.startswith(str(home.home))}
        return branches(home), line(home), (home.home / "usenet.yaml").read_text(), mine

    before = state()
    for words in (("pool", "remove", name), ("remove", name), ("pool", "destroy")):
        told = home.run("storage", *words, code=5).stderr
        assert f"in container {container[:12]}" in told
        assert state() == before, words
    until_ended(container, "sleep")
    home.run("storage", "remove", name)
    assert name not in branches(home)
    home.run("storage", "pool", "destroy")
    assert (line(home), str(place(home)) in mounted()) == ([], False)
    assert inside(container, f"touch {POOL}/stray")[0] != 0


def test_a_crashed_mergerfs_comes_back_in_the_running_container(bench: Bench, home: Stack, container: str) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    before = home.containers()
    assert inside(container, f"echo x >{POOL}/media/film") == (0, "")
    crash(home)
    assert inside(container, f"cat {POOL}/media/film")[0] != 0
    assert home.json("storage", "pool", "show")["mounted"] is False
    found = json.loads(home.run("--json", "storage", "check", code=1).stdout)["problems"]
    assert {"about": "pool", "what": "it is not mounted", "cure": "usenet storage check --fix"} in found
    home.run("storage", "check", "--fix", code=None)
    assert inside(container, f"cat {POOL}/media/film && echo y >{POOL}/media/next") == (0, "x")
    assert home.containers() == before


def test_a_dead_drive_leaves_the_pool_and_joins_it_again(bench: Bench, home: Stack, container: str) -> None:
    cable = bench.cable()
    loop = bench.drive(cable=cable)
    join(home, bench.drive(), loop)
    create(home)
    before = home.containers()
    (place(home, "d1") / "media" / "of-d1").write_text("of d1")
    call("sync")
    # Room enough that mfs takes the dead one.
    inside(container, "head -c 20000000 /dev/zero >/data/drives/d0/ballast")
    cable.pull()
    assert inside(container, f"dd if=/dev/zero of={POOL}/media/lost count=9 conv=fsync")[0] != 0
    home.run("services", "up", code=None)
    assert (branches(home), line(home)) == ({"d0": "RW"}, ["d0"])
    assert inside(container, f"echo x >{POOL}/media/new && cat {POOL}/media/new") == (0, "x")
    (finding,) = home.json("storage", "pool", "show")["findings"]
    assert finding["what"].startswith("d1 is not in it now")
    back(loop, cable)
    home.run("services", "up")
    assert (branches(home), line(home)) == ({"d0": "RW", "d1": "RW"}, ["d0", "d1"])
    assert inside(container, f"cat {POOL}/media/of-d1") == (0, "of d1")
    assert home.containers() == before


def test_a_full_pool_says_so(bench: Bench, home: Stack, container: str) -> None:
    join(home, bench.drive(), bench.drive())
    create(home, min_free="16M")
    code, told = inside(
        container, f"i=0; while i=$((i+1)); do head -c 9000000 /dev/zero >{POOL}/media/$i || break; done"
    )
    assert (code, "No space left on device" in told) == (0, True), told
    view = home.json("storage", "pool", "show")
    assert [drive["state"] for drive in view["drives"]] == ["full", "full"]
    assert "No space left on device" in view["findings"][0]["what"]
    assert home.json("storage", "pool", "balance")["moves"] == []
    home.run("storage", "add", bench.drive().device, "--name", "more")
    place(home, "more").chmod(0o777)
    assert inside(container, f"echo x >{POOL}/media/again") == (0, "")


def test_the_pool_of_the_next_boot_is_the_one_of_now(bench: Bench, home: Stack) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    call("umount", str(place(home)))
    call("mount", str(place(home)))  # by its line of fstab
    assert branches(home) == {"d0": "RW", "d1": "RW"}
    assert home.json("storage", "pool", "policy", "mfs")["steps"] == []


def test_balance_levels_the_drives_and_leaves_what_is_open(bench: Bench, home: Stack, container: str) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    script = f"cd {POOL}/../d0 && mkdir -p dl media && for i in 0 1 2 3 4 5 6 7 8 9; do "
    script += "head -c 4000000 /dev/urandom >dl/$i && ln dl/$i media/$i || exit 1; done"
    assert inside(container, script) == (0, "")
    sums = inside(container, f"cd {POOL} && md5sum dl/* media/*")
    inside(container, f"exec 3<{POOL}/dl/0; sleep 300 >/dev/null 2>&1 &")
    planned = home.json("storage", "pool", "balance", "--dry-run")["moves"]
    done = home.json("storage", "pool", "balance")
    assert [left["path"] for left in done["left"]] == ["dl/0"]
    assert [one for one in planned if one["paths"] != ["dl/0", "media/0"]] == done["moves"]
    assert inside(container, f"cd {POOL} && md5sum dl/* media/*") == sums
    used = [one["used"] for one in home.json("storage", "pool", "show")["drives"]]
    assert max(used) - min(used) < 10_000_000
    for number in range(10):
        (root,) = [place(home, d) for d in ("d0", "d1") if (place(home, d) / "dl" / str(number)).exists()]
        assert (root / "dl" / str(number)).samefile(root / "media" / str(number))


def test_balance_moves_one_of_two_large_files_and_says_why_a_single_one_stays(bench: Bench, home: Stack) -> None:
    join(home, bench.drive(), bench.drive())
    create(home)
    for number in range(2):
        (place(home, "d0") / "media" / str(number)).write_bytes(os.urandom(20_000_000))
    call("sync")
    (move,) = home.json("storage", "pool", "balance")["moves"]
    assert (place(home, "d1") / move["paths"][0]).exists()
    (place(home, "d1") / move["paths"][0]).unlink()
    call("sync")
    assert "fuller than the pool" in home.run("storage", "pool", "balance").stderr
