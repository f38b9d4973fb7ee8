"""Others replace, remove and open files while they are moved, or while a stopped move waits: theirs is what stays."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, combinations, count
from pathlib import Path

import pytest

from tests.killing import disturbed, killed
from tests.unit.balance_bed import PATHS, Bed
from usenet.adapters.storage import copying, names, recovering
from usenet.domain.errors import SystemFailure

FILM = b"the film" * 700
NEWER = b"another release"


def _new(folder: Path) -> Path:
    made = folder / "download~"
    made.write_bytes(NEWER)
    return made


def on_the_old_drive(bed: Bed, path: str) -> None:
    _new(bed.roots["a"]).rename(bed.roots["a"] / path)


def by_the_pool_on_the_old_drive(bed: Bed, path: str) -> None:
    """As mergerfs renames: what has the name on other branches goes."""
    on_the_old_drive(bed, path)
    (bed.roots["b"] / path).unlink(missing_ok=True)


def by_the_pool_on_the_new_drive(bed: Bed, path: str) -> None:
    (bed.roots["b"] / path).parent.mkdir(parents=True, exist_ok=True)
    _new(bed.roots["b"]).rename(bed.roots["b"] / path)
    (bed.roots["a"] / path).unlink(missing_ok=True)


def removed(bed: Bed, path: str) -> None:
    for root in bed.roots.values():
        (root / path).unlink(missing_ok=True)


REPLACED = (on_the_old_drive, by_the_pool_on_the_old_drive, by_the_pool_on_the_new_drive)
Act = Callable[[Bed, str], None]


def left_over(bed: Bed) -> list[str]:
    return [name for branch in "ab" for name in bed.names(branch) if ".usenet-balance" in name]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("act", [*REPLACED, removed])
def test_what_others_do_to_a_name_at_any_moment_of_its_move_is_what_holds(tmp_path: Path, act: Act, path: str) -> None:
    (other,) = set(PATHS) - {path}
    for number in count(1):
        bed = Bed(tmp_path / str(number), FILM)
        if not disturbed(number, bed.run, partial(act, bed, path)):
            break
        assert bed.recover() == ""
        assert bed.contents(other) == [FILM], number
        assert left_over(bed) == [], number
        if act is on_the_old_drive:  # after the move there are two, of which the pool shows one
            assert NEWER in bed.contents(path), number
        else:
            assert bed.contents(path) == ([] if act is removed else [NEWER]), number
    assert number > 15


SOME = tuple(chain.from_iterable(combinations(PATHS, size) for size in range(len(PATHS) + 1)))


@pytest.mark.parametrize("act", REPLACED)
def test_what_is_replaced_after_a_kill_at_any_moment_stays_and_the_rest_is_ended(tmp_path: Path, act: Act) -> None:
    for number in count(1):
        for which in SOME:
            bed = Bed(tmp_path / f"{number}-{len(which)}-{which[:1] == PATHS[:1]}", FILM)
            was = killed(number, bed.run)
            aside = [path for path in which if names.aside(bed.roots["a"], path).exists()]
            for path in which:
                act(bed, path)
            said = bed.recover()
            where = f"killed before change {number}, replaced: {which}"
            for path in PATHS:
                assert bed.contents(path) == ([NEWER] if path in which else [FILM]) or not was, where
            # A name that was set aside had two files; the old one is kept beside the new one.
            kept = [path for path in aside if act is not by_the_pool_on_the_new_drive]
            assert [name for name in bed.names("a") if name.endswith("-kept")] == [f"{p}.usenet-kept" for p in kept], (
                where
            )
            assert all(path in said for path in kept), where
            assert (bool(said), left_over(bed), bed.recover()) == (bool(kept), [], ""), where
        if not was:
            break
    assert number > 15


def test_a_recovery_that_is_killed_too_is_ended_by_the_next(tmp_path: Path) -> None:
    most = 0
    for number in count(1):
        for again in count(1):
            bed = Bed(tmp_path / f"{number}-{again}", FILM)
            was = killed(number, bed.run)
            once_more = killed(again, bed.recover)
            assert bed.recover() == ""
            assert [bed.contents(path) for path in PATHS] == [[FILM], [FILM]], (number, again)
            assert sorted((bed.names("a"), bed.names("b"))) == [[], list(PATHS)], (number, again)
            most = max(most, again)
            if not once_more:
                break
        if not was:
            break
    assert number > 15
    assert most > 5


@pytest.mark.parametrize("stays", ["a", "b"])
def test_a_drive_that_has_left_for_good_holds_nothing_up_and_takes_no_copy_along(tmp_path: Path, stays: str) -> None:
    for number in count(1):
        bed = Bed(tmp_path / str(number), FILM)
        was = killed(number, bed.run)
        noted = (bed.home.state / "balance.json").exists()
        before = bed.names(stays)
        assert recovering.recover(bed.home, {stays: bed.roots[stays]}, {stays}) == ""
        assert not [name for name in bed.names(stays) if ".usenet-balance" in name], number
        now = bed.names(stays)
        if stays == "a":  # what was set aside has its name again
            assert len(now) == len(before), number
        elif noted:
            assert now == list(PATHS), number
        assert all((bed.roots[stays] / name).read_bytes() == FILM for name in now)
        assert not (bed.home.state / "balance.json").exists()
        if not was:
            break
    assert number > 15


@pytest.mark.parametrize("after", range(4))
def test_a_source_that_fails_takes_no_whole_copy_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    bed, real = Bed(tmp_path / "bed", FILM), (names.put, Path.unlink)
    done = iter(range(9))

    def fails(path: Path) -> None:
        if path.is_relative_to(bed.roots["a"]) and next(done) >= after:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(names, "put", lambda there, name: (fails(there), real[0](there, name)))
        failing.setattr(Path, "unlink", lambda path, **how: (fails(path), real[1](path, **how)))
        with pytest.raises(SystemFailure, match="Input/output error"):
            bed.run()
    assert [(bed.roots["b"] / path).read_bytes() for path in PATHS] == [FILM, FILM]
    assert bed.recover() == ""
    assert (bed.names("a"), bed.names("b")) == ([], list(PATHS))


def test_a_whole_copy_that_has_no_name_yet_outlives_a_source_that_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bed = Bed(tmp_path / "bed", FILM)

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(names, "publish", fails)
        with pytest.raises(SystemFailure, match="Input/output error"):
            bed.run()
    assert recovering.recover(bed.home, {"b": bed.roots["b"]}, {"b"}) == ""
    assert bed.names("b") == list(PATHS)
    assert (bed.roots["b"] / PATHS[0]).samefile(bed.roots["b"] / PATHS[1])


def test_a_drive_that_is_unmounted_meanwhile_leaves_its_copy_and_what_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below a mountpoint there is another directory, without the file."""
    bed, real = Bed(tmp_path / "bed", FILM), names.take

    def gone(root: Path, *arguments: object) -> None:
        root.rename(root.with_name("away"))
        root.mkdir()
        real(root, *arguments)

    with monkeypatch.context() as failing:
        failing.setattr(names, "take", gone)
        with pytest.raises(SystemFailure, match="a drive went away meanwhile"):
            bed.run()
    assert bed.names("b") == list(PATHS)
    bed.roots["a"].rmdir()
    (tmp_path / "bed" / "away").rename(bed.roots["a"])
    assert bed.recover() == ""
    assert (bed.names("a"), bed.names("b")) == ([], list(PATHS))


# --- who opens a file is let in ---
@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    monkeypatch.setattr(copying, "STEP", copying.CHUNK)
    return Bed(tmp_path / "large", os.urandom(9 * copying.CHUNK))


@pytest.fixture
def visitors(large: Bed) -> Iterator[Callable[[], None]]:
    """Open the film in another thread; it waits until it is let in."""
    threads: list[threading.Thread] = []

    def come() -> None:
        threads.append(threading.Thread(target=lambda: large.file.open("ab").close()))
        threads[-1].start()
        mine = f":{large.file.stat().st_ino} "
        while not any("BREAKING" in one and mine in one for one in Path("/proc/locks").read_text().splitlines()):
            assert threads[-1].is_alive()

    yield come
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("when", ["fdatasync", "pread"])
def test_who_opens_a_large_file_is_let_in_before_the_rest_is_written_or_read_back(
    large: Bed, visitors: Callable[[], None], monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real = {name: getattr(os, name) for name in ("fdatasync", "pread", "pwrite", "fsync")}
    came, later, synced = [], [], []

    def counted(name: str, descriptor: int, *arguments: object) -> object:
        target = (large.roots["b"] / names.COPY).samefile(f"/proc/self/fd/{descriptor}")
        if came:
            later.append(name)
        elif name == when and target and (name != "pread" or synced):
            came.append(name)
            visitors()
        synced.extend([name] if name == "fsync" else [])
        return real[name](descriptor, *arguments)

    for name in real:
        monkeypatch.setattr(os, name, lambda *arguments, name=name: counted(name, *arguments))
    assert large.run() == "it was opened meanwhile"
    assert came
    assert len(later) < 3, later
