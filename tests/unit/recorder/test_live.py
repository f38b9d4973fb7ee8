"""A segment that is being written is served as a progressive MP4: same samples, same pictures, any range, any time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.recorder.footage import film, pictures, recorded
from usenet.recorder.errors import Damaged, RecorderError
from usenet.recorder.io import Files
from usenet.recorder.live import LiveFile, VirtualFile
from usenet.recorder.policy import PRESETS, Flush
from usenet.recorder.reader import Mp4, Source, read, scan
from usenet.recorder.segment import Segment


def seen(view: VirtualFile) -> Mp4:
    return scan(Source(view.read, view.size))


def rows(movie: Mp4) -> list[list[tuple[int, int, bool]]]:
    return [[(each.size, each.pts, each.sync) for each in track] for track in movie.tracks]


@pytest.mark.parametrize("way", ["plain", "b-frames"])
@pytest.mark.parametrize("index", ["there", "missing", "another's", "cut off"])
def test_what_a_player_sees(tmp_path: Path, way: str, index: str) -> None:
    recorded(tmp_path / "x.mp4", film(way), seal=False)
    beside = tmp_path / "x.mp4.index"
    if index == "missing":
        beside.unlink()
    elif index == "another's":
        recorded(tmp_path / "y.mp4", film(way), seal=False)
        shutil.copy(tmp_path / "y.mp4.index", beside)
    elif index == "cut off":
        beside.write_bytes(beside.read_bytes()[:-500])
    with LiveFile(tmp_path / "x.mp4") as live:
        view = live.view()
        seconds = tmp_path / "view.mp4"
        seconds.write_bytes(view.read(0, view.size))
    assert pictures(seconds) == pictures(film(way))
    assert not read(seconds).fragments
    assert rows(read(seconds)) == rows(read(tmp_path / "x.mp4.part"))


def test_any_range_is_that_of_the_whole(tmp_path: Path) -> None:
    recorded(tmp_path / "x.mp4", film(), seal=False)
    with LiveFile(tmp_path / "x.mp4.part") as live:
        view = live.view()
        whole = view.read(0, view.size + 5)
        edge = len(view.front)
        assert len(whole) == view.size
        for offset, length in (
            (0, 8),
            (edge - 3, 7),
            (edge, 100),
            (view.size - 4, 100),
            (view.size, 1),
            (5, 0),
            (-1, 9),
        ):
            assert view.read(offset, length) == (whole[offset : offset + length] if offset >= 0 else b"")


def test_a_view_stays_what_it_was_while_the_writer_goes_on(tmp_path: Path) -> None:
    first = recorded(tmp_path / "x.mp4", film(), seal=False, last=2)
    with LiveFile(tmp_path / "x.mp4") as live:
        early = live.view()
        before = early.read(0, early.size)
        assert live.view().etag == early.etag
        more(first)
        later = live.view()
        assert later.etag != early.etag
        assert later.seq > early.seq
        first.seal()
        assert early.read(0, early.size) == before
        assert rows(seen(later)) == rows(read(tmp_path / "x.mp4"))
        assert rows(seen(early))[0] == rows(seen(later))[0][: len(rows(seen(early))[0])]


def more(segment: Segment) -> None:
    """Two seconds more of sound, one chunk more of the second track."""
    for at in range(90):
        segment.append(2, b"later", dts=480_000 + 1024 * at)
        segment.append(3, b"again", dts=480_000 + 1024 * at)
    segment.cut()


def test_each_view_reads_only_what_is_new_of_the_index(tmp_path: Path) -> None:
    class Counting(Files):
        taken = 0

        def pread(self, handle: int, length: int, offset: int) -> bytes:
            data = super().pread(handle, length, offset)
            self.taken += len(data)
            return data

    segment = recorded(tmp_path / "x.mp4", film(), seal=False, flush=Flush("frame"))
    io = Counting()
    with LiveFile(tmp_path / "x.mp4", io=io) as live:
        live.view()
        io.taken = 0
        more(segment)
        view = live.view()
        assert io.taken < 20_000
        assert rows(seen(view)) == rows(read(tmp_path / "x.mp4.part"))


def test_an_index_that_is_ahead_of_a_damaged_part(tmp_path: Path) -> None:
    """After a power cut the index may have what the part has lost: only what is there is shown."""
    recorded(tmp_path / "x.mp4", film(), seal=False)
    part = tmp_path / "x.mp4.part"
    whole = read(part)
    data = bytearray(part.read_bytes())
    last = data.rfind(b"moof")
    data[last : last + 4] = bytes(4)
    part.write_bytes(data)
    with LiveFile(part) as live:
        shown = rows(seen(live.view()))
    assert shown[0] == rows(whole)[0][: len(shown[0])]
    assert 0 < len(shown[0]) < len(rows(whole)[0])


def test_a_part_that_lost_bytes_under_a_view(tmp_path: Path) -> None:
    recorded(tmp_path / "x.mp4", film(), seal=False)
    with LiveFile(tmp_path / "x.mp4") as live:
        view = live.view()
        with (tmp_path / "x.mp4.part").open("r+b") as part:
            part.truncate(view.start + 10)
        with pytest.raises(Damaged, match="has 0 of 500 bytes"):
            view.read(view.size - 500, 500)


def test_nothing_yet_sealed_and_gone(tmp_path: Path) -> None:
    segment = recorded(tmp_path / "x.mp4", film(), seal=False, last=0)
    with LiveFile(tmp_path / "x.mp4") as live, pytest.raises(RecorderError, match="nothing"):
        live.view()
    segment.close()
    final = recorded(tmp_path / "y.mp4", film()).path
    with pytest.raises(FileNotFoundError):
        LiveFile(final)
    Path(final).rename(tmp_path / "y.mp4.part")
    with LiveFile(final) as live:
        view = live.view()
        assert view.read(0, view.size) == (tmp_path / "y.mp4.part").read_bytes()
    (tmp_path / "z.mp4.part").write_bytes(bytes(100))
    with pytest.raises(Damaged):
        LiveFile(tmp_path / "z.mp4")


@pytest.mark.parametrize("preset", PRESETS)
def test_other_players(tmp_path: Path, preset: str) -> None:
    recorded(tmp_path / "x.mp4", film("b-frames"), seal=False, flush=PRESETS[preset])
    with LiveFile(tmp_path / "x.mp4") as live:
        view = live.view()
        (tmp_path / "view.mp4").write_bytes(view.read(0, view.size))
    merged = subprocess.run(
        ["mkvmerge", "-o", str(tmp_path / "v.mkv"), str(tmp_path / "view.mp4")], capture_output=True, text=True
    )
    assert merged.returncode == 0, merged.stdout
    assert len(pictures(tmp_path / "v.mkv")) == 180
    words = f"filesrc location={tmp_path / 'view.mp4'} ! qtdemux ! fakesink silent=false"
    played = subprocess.run(["gst-launch-1.0", "-v", *words.split()], capture_output=True, text=True, timeout=240)
    assert played.returncode == 0, played.stderr
    assert played.stdout.count("chain   ***") == 180
