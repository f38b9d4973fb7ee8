"""Files moved between real drives, one of which fails, knows no hardlinks, or has no leases."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.integration.drives import Bench, by_hand, call, holding
from tests.killing import disturbed, killed
from usenet.adapters.home import Home
from usenet.adapters.storage import balancing, journal, leases, names, recovering
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.balance import Move

FILM, NEWER = b"the film" * 9000, b"another release"
MOVE = Move(paths=("media/film",), size=len(FILM), source="a", target="b")


class Pair:
    """Two drives; the film is on `a` and is to move to `b`."""

    def __init__(self, home: Path, a: Path, b: Path) -> None:
        self.home, self.roots = Home(home), {"a": a, "b": b}
        self.old, self.new = (root / MOVE.paths[0] for root in (a, b))

    def begin(self) -> None:
        journal.forget(self.home)
        for root in self.roots.values():
            for path in [one for one in root.rglob("*") if one.is_file()]:
                path.unlink()
        self.old.parent.mkdir(exist_ok=True)
        self.old.write_bytes(FILM)

    def recover(self) -> str:
        return recovering.recover(self.home, self.roots, self.roots)

    def run(self) -> str:
        return self.recover() or balancing.move(MOVE, self.roots, 0, self.home)

    def replace(self) -> None:
        """As the pool does it, with what was downloaded to the old drive."""
        made = self.roots["a"] / "download"
        made.write_bytes(NEWER)
        made.rename(self.old)
        self.new.unlink(missing_ok=True)

    def there(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.old, self.new) if path.exists()]

    def files(self) -> list[str]:
        return [path.name for root in self.roots.values() for path in root.rglob("*") if path.is_file()]


@pytest.fixture
def kinds() -> tuple[str, str]:
    return "ext4", "ext4"


@pytest.fixture
def pair(bench: Bench, tmp_path: Path, kinds: tuple[str, str]) -> Iterator[Pair]:
    with ExitStack() as mounted:
        roots = [mounted.enter_context(by_hand(bench.drive(kind), kind)) for kind in kinds]
        (tmp_path / "home").mkdir()
        made = Pair(tmp_path / "home", *roots)
        made.begin()
        yield made


@pytest.mark.parametrize("kinds", [("ext4", "ext4"), ("ext4", "exfat"), ("exfat", "ext4"), ("ext4", "ntfs")])
def test_killed_or_replaced_at_any_moment_nothing_is_lost(pair: Pair) -> None:
    for number in count(1):
        pair.begin()
        was = killed(number, pair.run)
        assert pair.recover() == ""
        assert (pair.there(), len(pair.files())) == ([FILM], 1), f"killed before change {number}"
        pair.begin()
        disturbed(number, pair.run, pair.replace)
        assert pair.recover() == ""
        assert (pair.there(), len(pair.files())) == ([NEWER if was else FILM], 1), f"replaced before change {number}"
        if not was:
            break
    assert number > 8
    pair.begin()
    assert pair.run() == ""
    assert pair.new.exists()


def test_a_source_that_becomes_read_only_takes_no_copy_along(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel does it with ext4 after an error."""
    take = names.take

    def fails(*arguments: object) -> None:
        call("mount", "-o", "remount,ro", str(pair.roots["a"]))
        take(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(names, "take", fails)
    with pytest.raises(SystemFailure, match="Read-only file system"):
        pair.run()
    monkeypatch.undo()
    assert pair.there() == [FILM, FILM]
    call("mount", "-o", "remount,rw", str(pair.roots["a"]))
    assert pair.recover() == ""
    assert (pair.there(), pair.old.exists()) == ([FILM], False)


@contextmanager
def playing(path: Path) -> Iterator[None]:
    """Another process has the file open meanwhile."""
    player = holding(path)
    try:
        yield
    finally:
        player.kill()
        player.wait()


def test_without_leases_who_has_a_file_open_is_seen_and_no_descriptor_is_asked(
    bench: Bench, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def no_leases(descriptor: int, what: int, value: int = 0) -> int:
        if what == fcntl.F_SETLEASE:
            raise OSError(22, "Invalid argument")
        return real(descriptor, what, value)

    monkeypatch.setattr(leases.fcntl, "fcntl", no_leases)
    with playing(pair.old):
        assert pair.run() == "it is open"
    cable = bench.cable()
    (cable.end / "server").write_text("x")
    with playing(cable.end / "server"), cable.silent():
        # In a process of its own: if it asked, it would hang for ever.
        words = (
            "import os, sys; from usenet.adapters.storage import holders; print(holders.has_open(os.stat(sys.argv[1])))"
        )
        command = [sys.executable, "-c", words, str(pair.old)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == "False"
    assert pair.run() == ""
