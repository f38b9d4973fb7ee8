"""Below a directory that others may write in, no link leads elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usenet.adapters import beneath
from usenet.domain.errors import SystemFailure


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    beneath.write(tmp_path, "a/b/file", b"one")
    beneath.write(tmp_path, "a/b/file", b"two", mode=0o640)
    assert beneath.read(tmp_path, "a/b/file", 100) == b"two"
    assert ((tmp_path / "a/b/file").stat().st_mode & 0o777, names(tmp_path / "a/b")) == (0o640, ["file"])


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").symlink_to(elsewhere)
    assert beneath.read(tmp_path, "in/file", 100) is None
    beneath.write(tmp_path, "in/file", b"ours")
    assert elsewhere.read_text() == "precious"
    assert not (tmp_path / "in" / "file").is_symlink()


def test_a_directory_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "in").symlink_to(tmp_path / "outside")
    with pytest.raises(SystemFailure):
        beneath.write(tmp_path, "in/file", b"ours")
    assert names(tmp_path / "outside") == []
    assert beneath.read(tmp_path, "in/file", 100) is None


def test_no_pipe_directory_or_giant_is_read_and_nothing_is_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 101)
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "large", "folder"):
        assert beneath.read(tmp_path, name, 100) is None
    with pytest.raises(FileNotFoundError):
        beneath.read(tmp_path, "none", 100)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beneath.write(tmp_path, "file", b"old")
    monkeypatch.setattr(beneath.os, "rename", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(SystemFailure):
        beneath.write(tmp_path, "file", b"new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
