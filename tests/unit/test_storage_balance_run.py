"""storage pool balance as it is, on directories: what it may touch, and when it stops."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests import making
from usenet.actions.storage import balance
from usenet.actions.storage.shelf import Shelf
from usenet.adapters.home import Home
from usenet.adapters.storage import guards, journal, mergerfs, names
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.settings import Settings
from usenet.domain.storage.balance import Move
from usenet.domain.storage.pool import Mounted, PoolSeen
from usenet.domain.storage.seen import Held, Place, Seen

SIZE, FILE = 1_000_000, 40_000


class Pool:
    """Three drives of a megabyte, the first full of files; nothing new is put on the third."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.path.mkdir()
        self.home.settings.write_text("name: films\n")
        self.data = folder / "data"
        for name in "abc":
            (self.data / "drives" / name).mkdir(parents=True)
        for number in range(20):
            (self.data / "drives" / "a" / f"film-{number:02}").write_bytes(bytes([number]) * FILE)
        self.sources = {name: f"/dev/{name}" for name in "abc"}
        self.min_free = 0
        modes = {"a": "RW", "b": "RW", "c": "NC"}
        self.mounted: Mounted | None = Mounted(
            type="fuse.mergerfs", branches=tuple(f"{self.data}/drives/{name}={mode}" for name, mode in modes.items())
        )

    def observe(self, _: Home, **__: object) -> Shelf:
        wanted = {
            "drives": {name: {"uuid": name, "type": "ext4"} for name in "abc"},
            "pool": {"drives": {"a": {}, "b": {}, "c": {"new_files": False}}, "min_free": self.min_free},
        }
        settings = Settings.model_validate({"storage": wanted})
        places = {name: Place(held=Held(source=source)) for name, source in self.sources.items() if source}
        return Shelf(self.home, settings, making.host(), Seen(data=str(self.data), shared=True, places=places))

    def names(self, drive: str) -> set[str]:
        return {path.name for path in (self.data / "drives" / drive).iterdir()}

    def usage(self, root: str) -> tuple[int, int, int]:
        used = sum(path.stat().st_size for path in Path(root).iterdir())
        return SIZE, used, SIZE - used

    def run(self, say: Callable[[Move], None] = lambda _: None, *, dry_run: bool = False) -> balance.Balanced:
        return balance.balance(self.home, dry_run=dry_run, say=say)

    def all_whole(self) -> bool:
        """Whether each film is there once, with what was in it."""
        found = sorted((p.name, p.read_bytes()) for p in self.data.rglob("film-*"))
        return found == [(f"film-{n:02}", bytes([n]) * FILE) for n in range(20)]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    made = Pool(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(balance, "observe", made.observe)
    monkeypatch.setattr(mergerfs, "look", lambda *_: PoolSeen(mounted=made.mounted))
    monkeypatch.setattr(guards, "uppermost", lambda path: made.sources[path.name])
    monkeypatch.setattr(balance.mounts, "usage", made.usage)
    return made


def test_the_drives_that_get_new_files_are_levelled_and_the_others_left_alone(pool: Pool) -> None:
    planned = pool.run(dry_run=True).moves
    assert len(pool.names("a")) == 20
    assert pool.run().moves == planned
    assert (len(pool.names("a")), len(pool.names("b")), pool.names("c")) == (10, 10, set())
    assert pool.all_whole()
    assert pool.run().moves == ()


def test_what_stays_free_stays_free(pool: Pool) -> None:
    pool.min_free = SIZE - 3 * FILE
    pool.run()
    assert len(pool.names("b")) == 3


@pytest.mark.parametrize("now", ["", "/dev/other"], ids=["gone", "another"])
def test_a_drive_that_goes_meanwhile_stops_it_before_the_next_file(pool: Pool, now: str) -> None:
    said: list[Move] = []

    def pull(move: Move) -> None:
        said.append(move)
        pool.sources["b"] = now

    with pytest.raises(SystemFailure, match="came or went"):
        pool.run(pull)
    assert len(said) == len(pool.names("b")) == 1
    assert pool.all_whole()


def test_what_a_stop_left_on_two_drives_is_ended_before_anything_is_moved(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(names, "take", stop)
        with pytest.raises(KeyboardInterrupt):
            pool.run()
    assert pool.names("a") & pool.names("b")
    pool.run()
    assert pool.all_whole()


def test_a_plain_user_moves_nothing(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemFailure, match="only root"):
        pool.run()
    assert len(pool.names("a")) == 20


@pytest.mark.parametrize("state", ["not mounted", "dead", "one branch"])
def test_nothing_moves_where_no_pool_of_two_drives_runs(pool: Pool, state: str) -> None:
    assert pool.mounted
    pool.mounted = {
        "not mounted": None,
        "dead": replace(pool.mounted, alive=False),
        "one branch": replace(pool.mounted, branches=pool.mounted.branches[:1]),
    }[state]
    with pytest.raises(ValidationError):
        pool.run()
    assert len(pool.names("a")) == 20


def test_a_file_that_goes_meanwhile_is_left_and_the_others_are_moved(pool: Pool) -> None:
    said: list[Move] = []

    def delete(move: Move) -> None:
        said.append(move)
        if len(said) == 2:
            (pool.data / "drives" / "a" / move.paths[0]).unlink()

    done = pool.run(delete)
    assert [(left.path, left.why) for left in done.left] == [(said[1].paths[0], "it is gone")]
    assert len(done.moves) == len(pool.names("b")) == 9


def test_a_drive_that_left_the_stack_or_the_pool_since_a_stop_holds_nothing_up(pool: Pool) -> None:
    move = Move(paths=("film-00",), size=FILE, source="c", target="gone")
    pool.home.state.mkdir()
    journal.note(pool.home, move, "digest")
    assert len(pool.run().moves) == 10
    assert not journal.read(pool.home)
    journal.note(pool.home, replace(move, target="a"), "digest")
    pool.sources["c"] = ""
    with pytest.raises(SystemFailure, match="c is not there") as failure:
        pool.run()
    assert "usenet storage remove c" in failure.value.hint
    pool.sources["c"] = "/dev/c"  # in the pool, but nothing new is put on it
    assert pool.run().left == ()
    assert not journal.read(pool.home)


def test_why_a_full_drive_stays_is_told(pool: Pool) -> None:
    for path in (pool.data / "drives" / "a").iterdir():
        path.rename(pool.data / "drives" / "b" / path.name)
        os.link(pool.data / "drives" / "b" / path.name, pool.data / path.name)
    for done in (pool.run(dry_run=True), pool.run()):
        assert done.moves == ()
        assert ["stays: b (80%)" in note for note in done.notes] == [True]


def test_a_drive_that_can_not_be_read_is_told_in_words(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def lstat(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(SystemFailure, match="Input/output error"):
        pool.run(dry_run=True)
