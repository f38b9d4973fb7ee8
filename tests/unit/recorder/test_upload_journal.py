"""The journal of an upload: what is whole counts, what is torn is as if it had never been."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usenet.recorder.errors import Busy
from usenet.recorder.upload.journal import ROOM, Journal, Sent, Stamp, State, peek

from .uploads.memory import Disk

RECORDS = [
    {"do": "begin", "key": "a/b.mp4", "upload": "id 1", "part_size": 8},
    {"do": "part", "number": 2, "size": 8, "sha256": "ab", "token": '"t"'},
    {"do": "something of a later version", "with": [1, 2]},
    {"do": "part", "number": 1, "size": 8, "sha256": "cd", "token": "t é"},
    {"do": "complete"},
    {"do": "verified", "size": 16, "mtime_ns": 5, "inode": 7},
]


def after(count: int) -> State:
    """What the first so many records say."""
    state = State()
    for record in RECORDS[:count]:
        state.take(record)
    return state


STATES = [after(count) for count in range(len(RECORDS) + 1)]


def written(path: Path) -> bytes:
    with Journal(path, Disk()) as journal:
        for record in RECORDS:
            journal.append(record)
    return path.read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.upload"
    written(path)
    expected = State("a/b.mp4", "id 1", 8, {2: Sent(8, "ab", '"t"'), 1: Sent(8, "cd", "t é")}, True, Stamp(16, 5, 7))
    assert peek(path) == expected
    with Journal(path, Disk()) as journal:
        assert journal.state == expected


def test_a_journal_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert peek(tmp_path / "none") == State()
    assert not (tmp_path / "none").exists()


def test_cut_off_anywhere_the_whole_lines_before_count_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "x.upload"
    data = written(path).rstrip(b"\0")
    ends = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
    for cut in range(len(data) + 1):
        whole = sum(end <= cut for end in ends) - 1
        for rest in (b"", bytes(40), b"\xff" * 300 + b"\n"):
            path.write_bytes(data[:cut] + rest)
            with Journal(path, Disk()) as journal:
                assert journal.state == STATES[whole], (cut, rest)
                for record in RECORDS[whole:]:
                    journal.append(record)
            assert peek(path) == STATES[-1], (cut, rest)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 700), st.integers(1, 255))
def test_a_changed_byte_ends_what_counts(at: int, change: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.upload")
        data = bytearray(written(path))
        used = len(data.rstrip(b"\0"))
        data[at % used] ^= change
        path.write_bytes(data)
        assert peek(path) == STATES[bytes(data[: at % used]).count(b"\n")]


def test_lines_of_another_place_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "x.upload"
    lines = written(path).rstrip(b"\0").splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[4] + lines[5])
    assert peek(path) == STATES[1]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "x.upload"
    with Journal(path, Disk()):
        with pytest.raises(Busy):
            Journal(path, Disk())
        assert peek(path) == State()
    Journal(path, Disk()).close()


def test_room_is_taken_at_the_start_and_used(tmp_path: Path) -> None:
    path = tmp_path / "x.upload"
    written(path)
    assert path.stat().st_size == ROOM
    assert path.stat().st_blocks * 512 >= ROOM
