"""Files of every version that there was, written by the program of that time, read by this one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from usenet.recorder.recovery import recover

from .takes import by_track, held, takes

FIXTURES = Path(__file__).parents[2] / "recorder_fixtures"


@pytest.mark.parametrize("version", ["v1"])
@pytest.mark.parametrize("gone", ["", "index", "commit"])
def test_a_live_segment_is_finished(tmp_path: Path, version: str, gone: str) -> None:
    for end in {"part", "index", "commit"} - {gone}:
        shutil.copy(FIXTURES / f"{version}-live.mp4.{end}", tmp_path / f"x.mp4.{end}")
    report = recover(tmp_path / "x.mp4", deep=True)
    assert (report.chunks_kept, report.chunks_dropped, report.index_used) == (8, 0, gone != "index")
    assert held(tmp_path / "x.mp4") == by_track(list(takes(2)))


@pytest.mark.parametrize("version", ["v1"])
def test_a_finished_segment_is_what_it_was(version: str) -> None:
    assert held(FIXTURES / f"{version}-finished.mp4") == by_track(list(takes(2)))
