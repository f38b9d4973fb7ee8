"""What `usenet recorder verify` and `export` tell a person, of files that are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.recorder.footage import film
from tests.unit.test_recorder_cli import BEGIN, FIRST, SECOND, said, segment


@pytest.fixture
def mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A recording that is right, and two files that are none."""
    (tmp_path / "door").mkdir()
    said(capsys, "record", str(film()), "--out", str(tmp_path / "door" / FIRST))
    (tmp_path / "door" / "empty.mp4").touch()
    (tmp_path / "door" / "noise.mp4").write_bytes(b"\xa0noise" * 999)
    return tmp_path / "door"


def test_quiet_tells_which_files_are_not_right_and_no_others(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "verify", str(mixed), "--quiet", code=3)
    assert "empty.mp4: NOT right" in text
    assert "noise.mp4: NOT right" in text
    assert FIRST not in text
    assert "1 of 3 files are right" in text


def test_each_finding_is_told_once_and_no_program_agrees_that_nothing_is_there(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, "verify", str(mixed / "noise.mp4"), code=3).splitlines()
    assert len(set(lines)) == len(lines)
    assert not [line for line in lines if line.count("byte 0") > 1]
    assert " found" not in lines[0]
    assert "0x" not in "".join(line for line in lines if "ffprobe" in line)


def test_what_was_not_checked_is_told_once_for_all(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment(mixed / SECOND, begin=BEGIN).seal()
    text = said(capsys, "verify", str(mixed), code=3)
    assert text.count("checksums of the media data") == 1


def test_a_place_that_takes_no_file_is_told_in_words(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "export", str(mixed / FIRST), "--out", "/proc/x.mp4", code=5)
    assert "/proc/x.mp4" in text
