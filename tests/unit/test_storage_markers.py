"""The marker of a drive: whatever has its name there, no other file is read, written or waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usenet.adapters import leftovers
from usenet.adapters.storage import markers, tree
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.checks import Entry
from usenet.domain.storage.marker import FILE, Marker, text

OURS = Marker(stack="5e1fc0de", name="films", uuid="u-a")


def test_a_link_leads_to_no_other_file(tmp_path: Path) -> None:
    victim, drive = tmp_path / "passwd", tmp_path / "drive"
    drive.mkdir()
    victim.write_text(text(OURS))
    (drive / FILE).symlink_to(victim)
    assert markers.look(drive) == (None, True)
    markers.write(drive, text(Marker(stack="5e1fc0de", name="shows")))
    assert victim.read_text() == text(OURS)
    assert not (drive / FILE).is_symlink()
    assert markers.look(drive)[0] == Marker(stack="5e1fc0de", name="shows")


def test_a_pipe_holds_nobody_up_and_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markers, "PATIENCE", 30.0)
    os.mkfifo(tmp_path / FILE)
    assert markers.look(tmp_path) == (None, True)
    markers.write(tmp_path, text(OURS))
    assert markers.look(tmp_path) == (OURS, True)


def test_a_directory_is_no_marker_and_is_left(tmp_path: Path) -> None:
    (tmp_path / FILE / "films").mkdir(parents=True)
    assert markers.look(tmp_path) == (None, True)
    with pytest.raises(SystemFailure, match=FILE):
        markers.write(tmp_path, text(OURS))
    assert [one.name for one in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE / "films").is_dir()


def test_a_marker_that_was_not_finished_is_nothing_on_a_drive_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers.threading, "get_native_id", lambda: 2**22 + 1)  # of no process
    half = tmp_path / leftovers.temporary(Path(f"{FILE}.5e1fc0de")).name
    monkeypatch.undo()
    half.write_text('{"usen')
    monkeypatch.setattr(tree, "look", lambda paths: dict.fromkeys(paths, Entry(uid=0, gid=0, mode=0o755)))
    assert tree.fresh(str(tmp_path))
    markers.write(tmp_path, text(OURS))
    assert [one.name for one in tmp_path.iterdir()] == [FILE]
