"""Files move from full drives to empty ones, and a stop anywhere loses none."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.killing import killed
from tests.unit.balance_bed import CONTENT, PATHS, Bed
from usenet.adapters.storage import balancing, copying, leases, names, recovering
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.balance import TOLERANCE, Branch, Item, Move, Planned, plan

NAMES = ("a", "b", "c", "d")
SIZE = 1000


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[Branch], list[Item]]:
    branches, items = [], []
    for name in NAMES[: draw(st.integers(1, 4))]:
        size = draw(st.sampled_from((SIZE, 4 * SIZE)))
        mine: list[Item] = []
        for number in range(draw(st.integers(0, 8))):
            links = draw(st.sampled_from((1, 1, 2)))
            # Some names are on more than one branch.
            stem = f"f{number}" if draw(st.booleans()) else f"{name}{number}"
            mine.append(
                Item(branch=name, paths=tuple(f"{stem}-{n}" for n in range(links)), size=draw(st.integers(0, 300)))
            )
        used = sum(item.size for item in mine) + draw(st.integers(0, 200))
        kept = draw(st.sampled_from((0, 100)))
        branches.append(Branch(name=name, size=max(size, used), used=used, kept=kept, links=draw(st.booleans())))
        items += mine
    return branches, items


@given(pools())
def test_a_plan_loses_nothing_overfills_nothing_and_parts_no_names(made):
    branches, items = made
    moves = plan(branches, items).moves
    by_name = {one.name: one for one in branches}
    used = {one.name: one.used for one in branches}
    names = {one.name: {path for i in items if i.branch == one.name for path in i.paths} for one in branches}
    left = Counter(items)
    for move in moves:
        item = Item(branch=move.source, paths=move.paths, size=move.size)
        left[item] -= 1  # whole, from where it is, and once
        assert left[item] >= 0
        used[move.target] += move.size
        assert used[move.target] <= by_name[move.target].size - by_name[move.target].kept
        assert not names[move.target] & set(move.paths)
        assert by_name[move.target].links or len(move.paths) == 1
        used[move.source] -= move.size
        names[move.source] -= set(move.paths)
        names[move.target] |= set(move.paths)
    assert sum(used.values()) == sum(one.used for one in branches)
    assert plan(branches, list(reversed(items))).moves == moves
    fill = sum(one.used for one in branches) / sum(one.size for one in branches)
    for move in moves:
        assert by_name[move.source].used / by_name[move.source].size > fill + TOLERANCE / 2
    assert spread(used, by_name, fill) <= spread({n: b.used for n, b in by_name.items()}, by_name, fill)


def spread(used: dict[str, int], branches: dict[str, Branch], fill: float) -> float:
    """How far the fullest branch is above the average; what lies within the tolerance counts as nothing."""
    return max(0.0, *(used[name] / branch.size - fill - TOLERANCE for name, branch in branches.items()))


def test_a_full_drive_beside_an_empty_one_is_levelled():
    items = [Item(branch="a", paths=(f"{n:03}",), size=10) for n in range(80)]
    moves = plan([Branch(name="a", size=SIZE, used=800), Branch(name="b", size=SIZE, used=0)], items).moves
    assert 380 <= sum(move.size for move in moves) <= 420
    assert plan([Branch(name="a", size=SIZE, used=410), Branch(name="b", size=SIZE, used=400)], items) == Planned(
        moves=()
    )


def test_a_drive_keeps_its_room():
    items = [Item(branch="a", paths=("x",), size=100)]
    branches = [Branch(name="a", size=SIZE, used=900), Branch(name="b", size=SIZE, used=0, kept=950)]
    planned = plan(branches, items)
    assert planned.moves == ()
    assert "stays: a (90%)" in planned.why


@pytest.mark.parametrize(
    ("sizes", "moved"),
    [((61, 61), [61]), ((100, 20), [20]), ((120,), []), ((61, 40, 21), [40, 21])],
    ids=["one of two", "the smaller", "the only one", "what fits comes first"],
)
def test_a_file_that_is_large_beside_its_drive_moves_if_the_drives_are_more_alike_then(sizes, moved):
    items = [Item(branch="a", paths=(f"{n}",), size=size) for n, size in enumerate(sizes)]
    # With what a filesystem needs for itself, a file is just larger than what the drive is over the average.
    branches = [Branch(name="a", size=182, used=sum(sizes)), Branch(name="b", size=182, used=2)]
    planned = plan(branches, items)
    assert [move.size for move in planned.moves] == moved
    assert bool(planned.why) == (sum(moved) < 60)


def test_the_drive_of_a_file_may_be_emptier_than_the_other_after_it_if_not_by_as_much():
    branches = [Branch(name="a", size=SIZE, used=600), Branch(name="b", size=4 * SIZE, used=1200)]
    assert len(plan(branches, [Item(branch="a", paths=("x",), size=280)]).moves) == 1
    assert plan(branches, [Item(branch="a", paths=("x",), size=560)]).moves == ()


# --- the files themselves ---
@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


def test_a_file_moves_with_all_its_names_and_all_that_belongs_to_it(bed):
    before = bed.file.stat()
    (item,) = balancing.look(bed.roots["a"], "a")
    assert (item.paths, item.size) == (PATHS, len(CONTENT))
    assert bed.run() == ""
    assert (bed.names("a"), bed.names("b")) == ([], list(PATHS))
    one, two = (bed.roots["b"] / path for path in PATHS)
    after = one.stat()
    assert one.samefile(two)
    assert one.read_bytes() == CONTENT
    for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_nlink"):
        assert getattr(after, what) == getattr(before, what), what
    assert os.getxattr(one, "user.note") == b"kept"
    assert (bed.roots["b"] / "downloads").stat().st_mode & 0o7777 == 0o2750
    assert not (bed.home.state / "balance.json").exists()


def test_killed_anywhere_nothing_is_lost_and_the_next_run_ends_it(tmp_path):
    number, was = 1, True
    while was:
        bed = Bed(tmp_path / str(number))
        was = killed(number, bed.run)
        for path in PATHS:
            there = [root / path for root in bed.roots.values() if (root / path).exists()]
            aside = [one for one in bed.roots["a"].glob(".usenet-balance-*") if one.read_bytes() == CONTENT]
            assert there or aside, f"{path} is lost at {number}"
            assert all(one.read_bytes() == CONTENT for one in there), number
        assert recovering.recover(bed.home, bed.roots, bed.roots) == ""
        assert sorted((bed.names("a"), bed.names("b"))) == [[], list(PATHS)], number
        root = bed.roots["a" if bed.names("a") else "b"]
        assert (root / PATHS[0]).samefile(root / PATHS[1])
        if bed.names("a"):
            assert bed.run() == ""
            assert (bed.names("a"), bed.names("b")) == ([], list(PATHS)), number
        number += 1
    assert number > 15


@pytest.fixture
def halfway(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bed]:
    """Stopped when both branches have the file."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(names, "take", stop)
        with pytest.raises(KeyboardInterrupt):
            bed.run()
    assert (bed.names("a"), bed.names("b")) == (list(PATHS), list(PATHS))
    return bed


@pytest.mark.parametrize("written", ["a", "b"])
def test_what_was_written_after_a_stop_is_what_stays(halfway, written):
    with (halfway.roots[written] / PATHS[0]).open("ab") as file:
        file.write(b"new")
    assert recovering.recover(halfway.home, halfway.roots, halfway.roots) == ""
    other = "b" if written == "a" else "a"
    assert (halfway.names(written), halfway.names(other)) == (list(PATHS), [])
    assert (halfway.roots[written] / PATHS[1]).read_bytes() == CONTENT + b"new"


def test_what_was_written_on_both_after_a_stop_is_kept_twice(halfway):
    for root in halfway.roots.values():
        with (root / PATHS[0]).open("ab") as file:
            file.write(str(root).encode())
    assert "keep the one you want" in recovering.recover(halfway.home, halfway.roots, halfway.roots)
    assert (halfway.names("a"), halfway.names("b")) == (list(PATHS), list(PATHS))
    assert recovering.recover(halfway.home, halfway.roots, halfway.roots) == ""


def test_a_stop_is_not_forgotten_while_one_of_the_drives_is_away(halfway):
    with pytest.raises(SystemFailure, match="b is not there"):
        recovering.recover(halfway.home, {"a": halfway.roots["a"]}, halfway.roots)
    assert (halfway.home.state / "balance.json").exists()


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_an_open_file_stays(bed, mode):
    with bed.file.open(mode):
        assert bed.run() == "it is open"
    assert (bed.names("a"), bed.names("b")) == (list(PATHS), [])


@pytest.mark.parametrize("late", [False, True])
def test_who_opens_a_file_while_it_is_moved_loses_nothing(bed, monkeypatch, late):
    """`late`: right after it was asked whether somebody waits, and nobody did."""
    real, real_check = names.publish, leases.Alone.check
    threads: list[threading.Thread] = []
    published: list[bool] = []

    def write() -> None:
        with bed.file.open("ab") as file:  # waits until the file is let go
            file.write(b"more")

    def come() -> None:
        threads.append(threading.Thread(target=write))
        threads[0].start()
        mine, until = f":{bed.file.stat().st_ino} ", time.monotonic() + 60
        while not any("BREAKING" in one and mine in one for one in Path("/proc/locks").read_text().splitlines()):
            assert time.monotonic() < until

    def publish(*arguments: object) -> None:
        real(*arguments)
        published.append(True)

    def check(self: leases.Alone) -> None:
        now = bool(published) and not threads
        if now and not late:
            come()
        real_check(self)
        if now and late:
            come()

    monkeypatch.setattr(names, "publish", publish)
    monkeypatch.setattr(leases.Alone, "check", check)
    assert bed.run() == "it was opened meanwhile"
    threads[0].join()
    assert (bed.names("a"), bed.names("b")) == (list(PATHS), [])
    assert (bed.roots["a"] / PATHS[0]).read_bytes() == CONTENT + b"more"


def test_a_copy_that_reads_differently_is_thrown_away(bed, monkeypatch):
    monkeypatch.setattr(copying, "digest", lambda *_: "wrong")
    with pytest.raises(SystemFailure, match="reads differently"):
        bed.run()
    assert (bed.names("a"), bed.names("b")) == (list(PATHS), [])


MIB = 1 << 20
# Position → bytes of a file; what lies between is a hole.
HOLED = {
    "at the end": {0: 4096},
    "at the beginning": {8 * MIB: 5000},
    "between, across our blocks": {12288: 4096, 3 * MIB - 4096: 8192, 7 * MIB + 4096: 100},
    "nothing but a hole": {},
}


@pytest.mark.parametrize("pieces", HOLED.values(), ids=HOLED)
def test_a_file_with_holes_keeps_them_and_counts_for_what_it_takes(bed, pieces):
    (bed.roots["a"] / PATHS[0]).unlink()
    with bed.file.open("wb") as file:
        for at, length in pieces.items():
            file.seek(at)
            file.write(os.urandom(length))
        file.truncate(9 * MIB)
    content, taken = bed.file.read_bytes(), bed.file.stat().st_blocks
    (item,) = balancing.look(bed.roots["a"], "a")
    assert item.size <= taken * 512 < MIB, "this filesystem keeps no holes: the test says nothing here"
    bed.move = Move(paths=item.paths, size=item.size, source="a", target="b")
    assert bed.run() == ""
    moved = bed.roots["b"] / PATHS[1]
    assert moved.read_bytes() == content
    assert moved.stat().st_blocks <= taken


def test_a_checksum_is_of_the_bytes_not_of_where_the_holes_are(tmp_path):
    def told(name: str, content: bytes, *, holes: bool = False) -> str:
        path = tmp_path / name
        with path.open("wb") as file:
            for at in range(0, len(content), 4096):
                if not holes or any(content[at : at + 4096]):
                    file.seek(at)
                    file.write(content[at : at + 4096])
            file.truncate(len(content))
        with path.open("rb") as file:
            return copying.digest(file.fileno())

    content = bytes(3 * MIB) + os.urandom(4096) + bytes(MIB)
    assert told("written", content) == told("holed", content, holes=True)
    other = bytes(2 * MIB) + content[3 * MIB :]
    digests = {
        told(str(n), one) for n, one in enumerate((content, other + bytes(MIB), content + bytes(1), content[:-1]))
    }
    assert len(digests) == 4


def test_no_room_and_a_name_that_is_taken(bed):
    with pytest.raises(SystemFailure, match="no room for downloads"):
        balancing.move(bed.move, bed.roots, 2**60, bed.home)
    (bed.roots["b"] / "downloads").mkdir()
    (bed.roots["b"] / PATHS[0]).write_text("another")
    assert "one of this name on b" in bed.run()
    assert (bed.roots["b"] / PATHS[0]).read_text() == "another"
    assert bed.names("a") == list(PATHS)


def test_what_is_not_ours_to_move_is_not_looked_at(bed):
    root = bed.roots["a"]
    (root / ".usenet-drive.json").write_text("{}")
    (root / "link").symlink_to(bed.file)
    (root / "lost+found").mkdir()
    (root / "lost+found" / "x").write_text("x")
    os.link(bed.file, bed.roots["b"].parent / "a name elsewhere")
    assert balancing.look(root, "a") == ()


def test_only_one_balance_at_a_time(bed):
    with balancing.alone(bed.home), pytest.raises(UsenetError, match="are being moved"), balancing.alone(bed.home):
        pass
    with balancing.alone(bed.home):
        pass
