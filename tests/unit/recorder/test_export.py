"""Cuts and joins hold the very pictures and the very sound that were recorded, at their times, in several players."""

from __future__ import annotations

import errno
import subprocess
from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.unit.recorder.footage import START, ffmpeg, ffprobe, film, pictures, recorded
from usenet.recorder.errors import Busy, Damaged, Full, RecorderError
from usenet.recorder.exporting import Exported, export
from usenet.recorder.io import Files
from usenet.recorder.reader import read
from usenet.recorder.verification import verify

S = 10**9


@dataclass
class Day:
    """Six seconds in two segments: the first finished, the second still being written."""

    film: Path
    sources: list[Path]
    out: Path

    def export(self, start: float | None = None, end: float | None = None, **more: bool) -> Exported:
        span = {"start_ns": start, "end_ns": end}
        return export(
            self.sources,
            self.out,
            **{name: None if at is None else START + round(at * S) for name, at in span.items()},  # type: ignore[arg-type]
            **more,
        )


@pytest.fixture(params=["plain", "b-frames"])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Day:
    return two(tmp_path, film(request.param))


def two(tmp_path: Path, source: Path, gap: float = 0) -> Day:
    recorded(tmp_path / "1.mp4", source, last=3)
    recorded(tmp_path / "2.mp4", source, first=3, begin=START + round((3 + gap) * S), seal=False)
    return Day(source, [tmp_path / "1.mp4", tmp_path / "2.mp4.part"], tmp_path / "out.mp4")


def times(path: Path, stream: str) -> list[float]:
    """When libav shows each picture, or lets each block of sound be heard."""
    found = ffprobe(path, "-show_frames", "-select_streams", stream, "-show_entries", "frame=pts_time")["frames"]
    return [float(each["pts_time"]) for each in found]


def sound(path: Path, stream: str = "0:a:0") -> bytes:
    run = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", stream, "-f", "s16le", "-"], capture_output=True, check=True
    )
    return run.stdout


def same(one: bytes, two: bytes) -> bool:
    """Whether two pieces of sound are the same but for the noise that a decoder adds; a sample's shift is not."""
    first, second = array("h", one), array("h", two)
    return len(first) == len(second) and max(abs(a - b) for a, b in zip(first, second, strict=True)) < 60


def samples(path: Path) -> list[list[tuple[int, int]]]:
    return [[(each.pts, each.size) for each in track] for track in read(path).tracks]


def test_a_join_is_what_one_segment_would_have_been(day: Day) -> None:
    done = day.export()
    assert pictures(done.path) == pictures(day.film)
    assert times(done.path, "v:0") == times(day.film, "v:0")
    heard = sound(done.path)
    assert len(heard) > 5.9 * 96000
    assert same(heard[4096:-4096], sound(day.film)[4096 : len(heard) - 4096])
    assert (done.start_ns, done.end_ns) == (START, START + 6 * S)
    assert done.samples == (("video", 180), ("audio", 282), ("audio", 259))
    assert not done.gaps
    assert not done.notes
    assert done.bytes == done.path.stat().st_size


@pytest.mark.parametrize(
    ("start", "end"), [(1.51, 4.27), (0.99, 2.5), (0.01, 0.02), (3.0, 3.034), (2.999, 3.001), (5.9, 99), (-5, 1)]
)
def test_an_exact_cut_shows_the_pictures_asked_for_and_no_other(day: Day, start: float, end: float) -> None:
    """From the picture on the screen at the start to the last one that appears before the end."""
    done = day.export(start, end, exact=True)
    first, last = max(0, int(start * 30 + 1e-6)), min(180, -int(-end * 30 // 1))
    assert pictures(done.path) == pictures(day.film)[first:last]
    assert times(done.path, "v:0")[0] == 0
    assert times(done.path, "v:0")[-1] == pytest.approx((last - first - 1) / 30, abs=1e-4)
    assert done.start_ns == pytest.approx(START + first * S / 30, abs=2)
    assert done.end_ns == pytest.approx(START + last * S / 30, abs=2)


def test_an_exact_cut_keeps_the_sound_to_the_sample(day: Day) -> None:
    done = day.export(1.51, 4.27, exact=True)
    for stream, rate in (("0:a:0", 48000), ("0:a:1", 44100)):
        cut, whole = sound(done.path, stream), sound(day.film, stream)
        begin = round(1.5 * rate) * 2
        assert same(cut[: 4 * rate], whole[begin : begin + 4 * rate])
        assert not same(cut[: 4 * rate], whole[begin + 2 : begin + 2 + 4 * rate])
        assert len(cut) == pytest.approx(2.8 * rate * 2, abs=4096)


def test_a_cut_at_key_frames_says_where_they_are(day: Day) -> None:
    done = day.export(1.51, 4.27)
    assert pictures(done.path) == pictures(day.film)[30:150]
    assert (done.start_ns, done.end_ns) == (START + 1 * S, START + 5 * S)
    assert "starts at 2026-05-28T20:26:41.000Z, 0.510 s before" in done.notes[0]
    assert "ends at 2026-05-28T20:26:45.000Z, 0.730 s behind" in done.notes[1]
    assert same(sound(done.path)[:96000], sound(day.film)[96000 : 2 * 96000])


def test_one_source_one_gop(day: Day) -> None:
    done = day.export(4, 5)
    assert pictures(done.path) == pictures(day.film)[120:150]
    assert done.sources == (day.sources[1],)
    assert not done.notes


def running(path: Path, pad: str) -> list[float]:
    """When GStreamer shows each picture: its running times, as a muxer gets them."""
    out = path.with_suffix(f".{pad}.mkv")
    words = f"filesrc location={path} ! qtdemux name=d d.{pad} ! h264parse ! matroskamux ! filesink location={out}"
    run = subprocess.run(["gst-launch-1.0", "-q", *words.split()], capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    return sorted(float(each["pts_time"]) for each in ffprobe(out, "-show_packets")["packets"])


@pytest.mark.parametrize("way", ["plain", "b-frames"])
def test_a_gap_stays_a_gap_in_every_player(tmp_path: Path, way: str) -> None:
    day = two(tmp_path, film(way), gap=10)
    done = day.export()
    assert done.gaps == ((START + 3 * S, 10 * S),)
    assert done.notes == ("10.0 s are missing from 2026-05-28T20:26:43.000Z on",)
    assert pictures(done.path) == pictures(day.film)
    expected = [at + (10 if at > 2.99 else 0) for at in times(day.film, "v:0")]
    assert times(done.path, "v:0") == pytest.approx(expected, abs=1e-3)
    assert running(done.path, "video_0") == pytest.approx(expected, abs=2e-3)
    heard = times(done.path, "a:0")
    assert [pair for pair in pairwise(heard) if pair[1] - pair[0] > 1] == [pytest.approx((2.987, 13.008), abs=0.01)]
    merged = tmp_path / "merged.mkv"
    subprocess.run(["mkvmerge", "-q", "-o", str(merged), str(done.path)], check=True)
    assert times(merged, "v:0") == pytest.approx(expected, abs=2e-3)


def test_a_gap_is_closed_when_asked(tmp_path: Path) -> None:
    day = two(tmp_path, film(), gap=10)
    done = day.export(close_gaps=True)
    assert not done.gaps
    assert times(done.path, "v:0") == times(day.film, "v:0")
    assert done.seconds == 6


@pytest.mark.parametrize(("start", "end"), [(7, 14.99), (1, 7), (2.5, 13.5)])
def test_borders_in_a_gap_or_around_it(tmp_path: Path, start: float, end: float) -> None:
    day = two(tmp_path, film(), gap=10)
    done = day.export(start, end, exact=True)
    wall = [at + (10 if at > 2.99 else 0) for at in times(day.film, "v:0")]
    wanted = [number for number, at in enumerate(wall) if start - 0.001 <= at < end]
    whole = pictures(day.film)
    assert pictures(done.path) == [whole[number] for number in wanted]


@pytest.mark.parametrize("end", [5.499, 5.53, 5.56])
def test_an_export_is_a_source_like_any_other(day: Day, end: float) -> None:
    """Of an exact cut too: its beginning is known to the nanosecond, its hidden pictures stay hidden."""
    first = day.export(0.5, end, exact=True)
    again = export([first.path], day.out.with_name("again.mp4"), start_ns=START + S, end_ns=START + 2 * S, exact=True)
    assert pictures(again.path) == pictures(day.film)[30:60]
    whole = export([first.path], day.out.with_name("whole.mp4"))
    assert pictures(whole.path) == pictures(first.path)
    assert [each[:2] for each in samples(whole.path)] == [each[:2] for each in samples(first.path)]


def test_exact_cuts_are_no_middle_of_a_join(day: Day) -> None:
    cut = export(day.sources, day.out, start_ns=START + 7 * S // 2, exact=True)
    with pytest.raises(RecorderError, match="cut exactly"):
        export([day.sources[0], cut.path], day.out.with_name("b.mp4"))


def test_sources_that_overlap(day: Day) -> None:
    with pytest.raises(RecorderError, match=r"begins 3\.0 s before .*1.mp4 ends, at 2026-05-28T20:26:43.000Z"):
        export([day.sources[0], day.sources[0]], day.out)


def test_any_mp4_is_a_source(tmp_path: Path) -> None:
    """Fragmented, with edit lists and B-frames, from another hand; without times they are joined in their order."""
    for way in ("b-frames", "b-frames fragmented", "plain"):
        done = export([film(way), film(way)], tmp_path / f"{way}.mp4")
        shown = pictures(film(way))
        assert pictures(done.path) == shown + shown
        assert done.start_ns == 0
        with pytest.raises(RecorderError, match="does not say when"):
            export([film(way)], tmp_path / "no.mp4", start_ns=5)


def test_words_of_the_first_source_stay(day: Day) -> None:
    done = day.export()
    movie = read(done.path)
    assert movie.tracks[1].language == "ger"
    assert (movie.created_ns, movie.start_ns) == (START, START)
    tags = ffprobe(done.path, "-show_format")["format"]["tags"]  # type: ignore[call-overload]
    assert tags["title"] == "Gate"
    assert tags["camera"] == "north"
    assert not movie.fragments
    assert movie.moov.start < movie.media_start[0]


def test_settings_that_change_are_kept_both(tmp_path: Path) -> None:
    big = tmp_path / "big.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", "sine=r=32000", "-t", "2"),
        *("-c:v", "libx264", "-c:a", "aac", str(big)),
    )
    one = Path(recorded(tmp_path / "1.mp4", film(), last=3).path)
    other = Path(recorded(tmp_path / "2.mp4", big, begin=START + 3 * S).path)
    done = export([other, one], tmp_path / "out.mp4")
    with av.open(done.path) as file:
        widths = [frame.width for frame in file.decode(video=0)]
    assert widths == [160] * 90 + [320] * 60
    assert "mkvmerge" in done.notes[0]
    heard = times(done.path, "a:0")
    assert heard[0] == 0
    assert max(b - a for a, b in pairwise(heard)) < 0.05
    assert heard[-1] == pytest.approx(5, abs=0.05)
    tail = export([done.path], tmp_path / "tail.mp4", start_ns=START + 4 * S)
    assert len(read(tail.path).tracks[0].entries) == 1
    assert pictures(tail.path)[-1] == pictures(big)[-1]


@pytest.mark.parametrize("ways", [("plain", "b-frames"), ("b-frames", "plain"), ("plain", "b-frames", "plain")])
def test_sources_that_decode_ahead_by_different_times(tmp_path: Path, ways: tuple[str, ...]) -> None:
    """B-frames are decoded up to three pictures before they are shown: decoding still never runs back."""
    done = export([film(way) for way in ways], tmp_path / "out.mp4")
    with av.open(done.path) as file:
        shown = [float(frame.time or 0) for frame in file.decode(video=0)]
    assert shown == pytest.approx([number / 30 for number in range(180 * len(ways))], abs=1e-4)
    assert verify(done.path).ok


def subtitles(path: Path) -> list[tuple[float, float, int]]:
    """(when, how long, how many bytes) of each cue that libav finds, and of the nothing between them (2 bytes)."""
    found = ffprobe(path, "-show_packets", "-select_streams", "s")["packets"]
    return [(float(each["pts_time"]), float(each["duration_time"]), int(each["size"])) for each in found]


def test_subtitles_are_cut_where_the_pictures_are(tmp_path: Path) -> None:
    """ "eins" stands from 1 to 2 seconds, "zwei" from 3 to 4; a cue that is cut begins with the first picture."""
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\neins\n\n2\n00:00:03,000 --> 00:00:04,000\nzwei\n")
    film_ = tmp_path / "film.mp4"
    ffmpeg("-i", str(film()), "-i", str(words), "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", str(film_))
    one = Path(recorded(tmp_path / "1.mp4", film_).path)
    two = Path(recorded(tmp_path / "2.mp4", film_, begin=START + 6 * S).path)
    cut = export([one, two], tmp_path / "cut.mp4", start_ns=START + 3 * S // 2, end_ns=START + 8 * S, exact=True)
    expected = [(0, 0.5, 6), (0.5, 1, 2), (1.5, 1, 6), (2.5, 2, 2), (4.5, 1, 2), (5.5, 1, 6)]
    assert subtitles(cut.path) == [pytest.approx(each, abs=0.002) for each in expected]
    assert verify(cut.path).ok


def test_sound_that_reaches_into_the_next_source(tmp_path: Path) -> None:
    """It is kept; what the next source has of that time is left out, so that nothing sounds twice or runs back."""
    longer = tmp_path / "longer.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=160x90:r=30:d=3", "-f", "lavfi", "-i", "sine=r=48000:d=3.5"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(longer)),
    )
    done = export([longer, film()], tmp_path / "out.mp4")
    heard = times(done.path, "a:0")
    assert [two - one for one, two in pairwise(heard)] == pytest.approx([1024 / 48000] * (len(heard) - 1), abs=0.012)
    assert heard[-1] == pytest.approx(9, abs=0.05)
    assert not read(done.path).tracks[1].samples.shift
    assert verify(done.path).ok


def test_key_frames_stay_what_they_are(tmp_path: Path) -> None:
    """A source in which every picture is one, and behind it one with few."""
    intra = film("plain", "-g", "1")
    done = export([intra, film()], tmp_path / "out.mp4")
    marks = [each.sync for each in read(done.path).tracks[0]]
    assert marks == [True] * 180 + [number % 30 == 0 for number in range(180)]


def test_another_codec_is_another_file(tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x90:r=30", "-t", "1", "-c:v", "mpeg4", str(other))
    one = Path(recorded(tmp_path / "1.mp4", film(), last=3).path)
    later = Path(recorded(tmp_path / "2.mp4", other, begin=START + 3 * S).path)
    with pytest.raises(RecorderError, match="video changes from avc1 to mp4v") as failed:
        export([one, later], tmp_path / "out.mp4")
    assert "until 2026-05-28T20:26:43.000Z" in failed.value.hint
    assert not list(tmp_path.glob("out*"))


def test_a_track_that_comes_late_and_one_that_ends_early(tmp_path: Path) -> None:
    one = Path(recorded(tmp_path / "1.mp4", film(), last=3, tracks=[1]).path)
    both = Path(recorded(tmp_path / "2.mp4", film(), first=3, begin=START + 3 * S, tracks=[1, 2]).path)
    late = export([one, both], tmp_path / "late.mp4")
    assert times(late.path, "a:0")[0] == pytest.approx(3, abs=0.025)
    assert times(late.path, "v:0") == times(film(), "v:0")


# Its way to the drive.


class Watched(Files):
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.names: dict[int, str] = {}
        self.fail: tuple[str, int] | None = None
        self.held = 0

    def open(self, path: str, mode: str) -> int:  # type: ignore[override]
        handle = super().open(path, mode)  # type: ignore[arg-type]
        self.names[handle] = Path(path).name
        return handle

    def _note(self, call: str, name: str) -> None:
        if self.fail and self.fail[0] == call:
            raise OSError(self.fail[1], "it failed")
        self.calls.append((call, name))

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        data = super().pread(handle, length, offset)
        self.held = max(self.held, len(data))
        return data

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        self._note("pwrite", self.names[handle])
        self.held = max(self.held, len(data))
        super().pwrite(handle, data, offset)

    def sync(self, handle: int) -> None:
        self._note("sync", self.names[handle])
        super().sync(handle)

    def rename(self, old: str, new: str) -> None:
        self._note("rename", Path(new).name)
        super().rename(old, new)

    def syncdir(self, directory: str) -> None:
        self._note("syncdir", "")
        super().syncdir(directory)


def test_it_is_durable_before_it_has_its_name(day: Day) -> None:
    io = Watched()
    export(day.sources, day.out, io=io)
    ends = [each for each in io.calls if each[0] != "pwrite"]
    assert ends == [("sync", "out.mp4.exporting"), ("rename", "out.mp4"), ("syncdir", "")]
    assert io.calls[-4][0] == "pwrite"


@pytest.mark.parametrize(
    ("call", "number", "kind"),
    [
        ("pwrite", errno.ENOSPC, Full),
        ("pwrite", errno.EIO, OSError),
        ("sync", errno.EIO, OSError),
        ("rename", errno.EEXIST, RecorderError),
    ],
)
def test_nothing_is_left_when_it_fails(day: Day, call: str, number: int, kind: type[Exception]) -> None:
    io = Watched()
    io.fail = (call, number)
    with pytest.raises(kind):
        export(day.sources, day.out, io=io)
    assert not list(day.out.parent.glob("out*"))


def test_nothing_is_overwritten_and_leftovers_are_taken_over(day: Day) -> None:
    day.out.write_bytes(b"mine")
    with pytest.raises(RecorderError, match="is there already"):
        day.export()
    assert day.out.read_bytes() == b"mine"
    day.out.unlink()
    rough = day.out.with_name("out.mp4.exporting")
    rough.write_bytes(b"cut off" * 10**6)
    done = day.export(4, 5)
    assert done.path.stat().st_size == done.bytes < 7 * 10**6
    assert not rough.exists()


def test_two_exports_to_one_name(day: Day) -> None:
    handle = Files().open(str(day.out.with_name("out.mp4.exporting")), "new")
    assert Files().lock(handle)
    with pytest.raises(Busy):
        day.export()
    Files().close(handle)
    assert day.export().path == day.out


def test_blocks_are_small(tmp_path: Path) -> None:
    """A film of many megabytes goes through memory in pieces of about one."""
    noise = tmp_path / "noise.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=30,noise=alls=100:allf=t", "-t", "2"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "8", str(noise)),
    )
    assert noise.stat().st_size > 8 << 20
    io = Watched()
    done = export([noise], tmp_path / "out.mp4", io=io)
    assert pictures(done.path) == pictures(noise)
    assert io.held < 3 << 20


def test_damage_is_named(day: Day) -> None:
    broken = day.out.with_name("broken.mp4")
    data = bytearray(day.sources[0].read_bytes())
    data[data.rfind(b"stsz") + 14] ^= 1
    broken.write_bytes(data)
    with pytest.raises(Damaged, match=r"broken.mp4: box stsz"):
        export([broken], day.out)


def test_nothing_there(day: Day) -> None:
    for start, end in ((100.0, 200.0), (-9.0, -8.0)):
        with pytest.raises(RecorderError, match=r"nothing was recorded from .* until 20"):
            day.export(start, end)
    with pytest.raises(RecorderError, match="nothing to export"):
        export([], day.out)
