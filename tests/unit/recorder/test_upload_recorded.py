"""What a recorder really writes, uploaded while it does: sealed in the head or at the tail, or cut and recovered."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from usenet.recorder.policy import Flush
from usenet.recorder.recovery import recover
from usenet.recorder.segment import Segment
from usenet.recorder.upload.journal import peek
from usenet.recorder.upload.layout import journal_of, key_of
from usenet.recorder.upload.queue import Times, Uploader
from usenet.recorder.upload.uploader import is_uploaded

from .takes import TRACKS, give, takes
from .uploads.memory import Clock, Memory
from .uploads.segments import NAME

PART = 16_384


class Large(Memory):
    """A storage that takes more parts."""

    most = 10_000


def uploading(root: Path, storage: Memory) -> list[int]:
    """Upload until there is nothing to do; the parts that were sent."""
    storage.calls.clear()
    clock = Clock()
    uploader = Uploader(root, storage, part_size=PART, times=Times(clock, clock))
    while uploader.step() == 0:
        pass
    assert uploader.metrics.errors == 0
    return [int(call.split()[1]) for call in storage.calls if call.startswith("part ")]


def recording(root: Path, seconds: int) -> Segment:
    """A segment that is being recorded; `seconds` is what its head was made for."""
    (root / "cam").mkdir(parents=True)
    return Segment.create(str(root / "cam" / NAME), TRACKS, flush=Flush("time", 250, 1000), seconds=seconds)


@pytest.mark.parametrize("planned", [60, 1], ids=["head", "tail"])
def test_a_recording_is_there_but_for_its_head_when_it_ends(tmp_path: Path, planned: int) -> None:
    storage, segment, given = Large(), recording(tmp_path, planned), list(takes(40))
    sent: list[int] = []
    for begin in range(0, len(given), 500):
        give(segment, given[begin : begin + 500])
        sent += uploading(tmp_path, storage)
    assert sent == list(range(2, len(sent) + 2))
    assert len(sent) > 4
    path = Path(segment.seal())
    last = uploading(tmp_path, storage)
    assert last[-1] == 1
    assert set(last).isdisjoint(sent)
    assert storage.objects == {key_of(path, tmp_path, ""): path.read_bytes()}
    assert is_uploaded(path, ["memory"])
    assert not storage.open


@pytest.mark.parametrize("lost", [0, 5_000, 60_000])
def test_what_a_crash_took_is_sent_again_as_it_was_recovered(tmp_path: Path, lost: int) -> None:
    storage, segment = Large(), recording(tmp_path / "before", 60)
    give(segment, takes(40))
    segment.cut()
    sent = uploading(tmp_path / "before", storage)
    root = tmp_path / "after"
    shutil.copytree(tmp_path / "before", root)
    part = root / "cam" / f"{NAME}.part"
    with part.open("r+b") as file:
        size = file.seek(-lost, 2)
        file.write(bytes(lost))
    path = recover(part).final
    assert path is not None
    again = uploading(root, storage)
    assert storage.objects == {key_of(path, root, ""): path.read_bytes()}
    assert is_uploaded(path, ["memory"])
    each = peek(journal_of(path, "memory")).part_size
    assert set(again).isdisjoint(number for number in sent if number * each <= min(size, path.stat().st_size))
    assert len(again) < len(sent)
