"""verify finds what is wrong, says where, and finds nothing where nothing is wrong."""

from __future__ import annotations

import errno
import shutil
import struct
import sys
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.recorder.footage import START, film, recorded
from tests.unit.recorder.test_reader import EMPTY, PLACES, TIMES, co64, movie, table
from usenet.recorder.boxes.box import box, full
from usenet.recorder.exporting import export
from usenet.recorder.io import Files
from usenet.recorder.live import LiveFile
from usenet.recorder.reader import Samples, read
from usenet.recorder.recovery import recover
from usenet.recorder.segment import Segment
from usenet.recorder.verification import Verdict, other, verify
from usenet.recorder.verification.findings import Findings


def said(verdict: Verdict) -> str:
    return "\n".join(each.sentence for each in verdict.findings)


def change(path: Path, at: int, mask: int = 0xFF) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    recorded(tmp_path / "x.mp4", film("b-frames"), seal=False).close()
    return tmp_path / "x.mp4.part"


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return Path(recorded(tmp_path / "y.mp4", film("b-frames")).path)


@pytest.mark.parametrize("way", ["plain", "faststart", "fragmented", "offsets from the file", "b-frames"])
def test_films_by_others_are_sound(way: str) -> None:
    verdict = verify(film(way), deep=True)
    assert verdict.ok, said(verdict)
    assert verdict.kind == "other"
    assert verdict.tracks[0][:2] == ("video", 180)
    assert verdict.tracks[0][2] == pytest.approx(6, abs=0.05)
    assert any(each.startswith("other parser: libav") and "723 packets" in each for each in verdict.checked)


def test_a_segment_in_all_its_lives(live: Path, final: Path) -> None:
    for path, kind in ((live, "live"), (final, "finished")):
        verdict = verify(path, deep=True)
        assert verdict.ok, said(verdict)
        assert (verdict.kind, verdict.chunks) == (kind, 26)
        assert "721 samples against their chunks" in "".join(verdict.checked)
        assert not verdict.skipped
        assert not verdict.notes
    sealed = final.rename(final.with_name("y.mp4.part"))
    assert verify(sealed).kind == "sealed"
    assert "only deep" in verify(sealed).skipped[0]


def test_one_whose_moov_is_at_the_end(tmp_path: Path) -> None:
    segment = recorded(tmp_path / "x.mp4", film(), seconds=0.001, seal=False)
    assert segment.head.reserve < 20_000
    final = grown(segment, tmp_path)
    assert final.read_bytes()[36:40] == b"mdat"
    verdict = verify(final, deep=True)
    assert verdict.ok, said(verdict)
    assert verdict.kind == "finished"
    change(final, read(final).tracks[0].samples.offset(50) + 3)
    assert "media data of chunk" in said(verify(final, deep=True))


def grown(segment: Segment, folder: Path) -> Path:
    """So long that its tables no longer fit into its head."""
    for at in range(5000):
        segment.append(2, bytes([at & 255]) * (1 + at % 7), dts=500_000 + at * 1024 + at % 3)
    return Path(segment.seal())


def test_views_and_exports_are_sound(live: Path, final: Path, tmp_path: Path) -> None:
    with LiveFile(live) as file:
        view = file.view()
        (tmp_path / "view.mp4").write_bytes(view.read(0, view.size))
    cut = tmp_path / "cut.mp4"
    for out, more in ((cut, {"start_ns": START + 1_510_000_000, "end_ns": START + 4_270_000_000, "exact": True}),):
        export([final], out, **more)  # type: ignore[arg-type]
    for path in (tmp_path / "view.mp4", cut):
        verdict = verify(path, deep=True)
        assert verdict.ok, said(verdict)
        assert verdict.kind == "other"


# Damage.


def offset(path: Path, number: int = 100) -> int:
    return read(path, torn=True).tracks[0].samples.offset(number)


def test_a_changed_byte_of_media_is_found_by_deep_alone(live: Path, final: Path) -> None:
    for path in (live, final):
        change(path, offset(path))
        assert verify(path).ok
        verdict = verify(path, deep=True)
        assert "the media data of chunk" in said(verdict)
        assert 0 < (verdict.findings[0].offset or 0) < offset(path)


@pytest.mark.parametrize("kind", [b"tfdt", b"trun", b"uuid", b"mfhd"])
def test_a_changed_byte_of_a_fragment(live: Path, final: Path, kind: bytes) -> None:
    for path in (live, final):
        at = path.read_bytes().rfind(kind, 0, offset(path)) + 12
        change(path, at, 1)
        verdict = verify(path)
        assert "are no whole chunk" in said(verdict)
        hole = next(each for each in verdict.findings if "no whole chunk" in each.sentence)
        assert abs((hole.offset or 0) - at) < 1000


@pytest.mark.parametrize(
    ("kind", "at"), [(b"stsz", 16 + 401), (b"stts", 13), (b"ctts", 20), (b"stss", 15), (b"co64", 23)]
)
def test_tables_that_say_something_else_than_the_fragments(final: Path, kind: bytes, at: int) -> None:
    place = final.read_bytes().find(kind, read(final).moov.start) + at
    change(final, place, 1)
    assert not verify(final, deep=True).ok
    change(final, place, 1)
    assert verify(final, deep=True).ok


def test_tables_that_are_possible_but_not_true(final: Path) -> None:
    """One byte moves from a sample to the next: every table is right in itself, only the fragments know better."""
    data = bytearray(final.read_bytes())
    at = data.find(b"stsz", read(final).moov.start) + 16 + 4 * 40
    one, two = struct.unpack_from(">II", data, at)
    struct.pack_into(">II", data, at, one + 1, two - 1)
    final.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        assert verify(final).ok
        assert "the tables say of sample" in said(verify(final, deep=True))


def test_times_that_are_possible_but_not_true(final: Path) -> None:
    """Each picture a tick longer: less than a picture over all, so that no length contradicts it."""
    data = bytearray(final.read_bytes())
    at = data.find(b"stts", read(final).moov.start) + 16
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + 1)
    final.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        assert verify(final).ok
        assert "the tables say of sample 2 (size, time" in said(verify(final, deep=True))


def test_samples_behind_those_of_the_last_chunk(final: Path) -> None:
    """The last pictures are said to lie where the sound behind them does."""
    track = read(final).tracks[0]
    data = bytearray(final.read_bytes())
    last = track.samples.chunk_offset[-1]
    length = track.samples.length(track.samples.chunk_first[-1], len(track))
    at = data.find(struct.pack(">Q", last), read(final).moov.start)
    struct.pack_into(">Q", data, at, last + length)
    final.write_bytes(data)
    number = track.samples.chunk_first[-1] + 1
    assert f"track 1: samples from {number} on are in no chunk" in said(verify(final, deep=True))


def test_a_torn_end_is_no_fault_of_a_live_file(live: Path, final: Path) -> None:
    for path, sound in ((live, True), (final, False)):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 1000)
        verdict = verify(path, deep=True)
        assert verdict.ok is sound, said(verdict)
    assert any("at the end are no whole chunk yet" in each for each in verify(live).notes)
    assert "mdat" in said(verify(final))


def test_what_a_recovery_left_out_is_told(live: Path) -> None:
    shutil.copy(live, live.with_name("z.mp4.part"))
    live.with_name("x.mp4.commit").unlink()
    change(live, offset(live))
    report = recover(live, deep=True)
    assert report.final is not None
    assert report.chunks_dropped == 1
    verdict = verify(report.final, deep=True)
    assert verdict.ok, said(verdict)
    assert any("a recovery left them out" in each for each in verdict.notes)
    change(live.with_name("z.mp4.part"), live.with_name("z.mp4.part").read_bytes().rfind(b"moof") + 30)
    recovered = recover(live.with_name("z.mp4"), deep=True)
    assert recovered.final is not None
    assert verify(recovered.final, deep=True).ok


@pytest.mark.parametrize("at", [40, 100, 300])
def test_a_damaged_head(live: Path, final: Path, at: int) -> None:
    for path in (live, final):
        change(path, at)
        assert not verify(path).ok


def test_a_drive_that_fails() -> None:
    class Failing(Files):
        def pread(self, handle: int, length: int, offset: int) -> bytes:
            if offset + length > 100_000:
                raise OSError(errno.EIO, "Input/output error")
            return super().pread(handle, length, offset)

    assert "does not give the file back: Input/output error" in said(verify(film(), io=Failing()))
    with pytest.raises(FileNotFoundError):
        verify("/nowhere.mp4")


MDAT = box(b"mdat", bytes(300))
SIZES = table(b"stsz", 1, 5)
WRONG: dict[str, tuple[bytes, int]] = {
    "box trak does not belong into file": (box(b"trak", bytes(8)) + movie(*EMPTY), 0),
    "box trun does not belong into moov": (movie(*EMPTY, mvex=box(b"trun", bytes(8))), 0),
    "box ftyp is not the first": (movie(*EMPTY) + box(b"ftyp", bytes(8)), 1),
    "box moov has a second mvex": (movie(*EMPTY, mvex=box(b"mvex") + box(b"mvex")), 0),
    "the file has no moov box": (MDAT, 0),
    "lie outside of any mdat": (movie(TIMES, PLACES, SIZES, co64(50, 60), after=MDAT), 50),
    "share bytes": (movie(TIMES, PLACES, SIZES, co64(500, 501), after=box(b"mdat", bytes(900))), 501),
    "decode times do not rise": (
        movie(table(b"stts", 1, 5, 0), PLACES, SIZES, co64(500, 600), after=box(b"mdat", bytes(900))),
        500,
    ),
    "its edit list begins at 5000": (
        movie(
            TIMES,
            PLACES,
            SIZES,
            co64(500, 600),
            elst=full(b"elst", 0, 0, struct.pack(">IIIHH", 1, 9, 5000, 1, 0)),
            after=box(b"mdat", bytes(900)),
        ),
        0,
    ),
    "in moof: box abcd says that it has 99": (
        movie(*EMPTY, mvex=box(b"mvex"))
        + box(b"moof", box(b"mfhd", bytes(8)), struct.pack(">I4s", 99, b"abcd"))
        + MDAT,
        0,
    ),
    "fragment 1 comes behind fragment 1": (
        movie(*EMPTY, mvex=box(b"mvex")) + 2 * box(b"moof", full(b"mfhd", 0, 0, b"\0\0\0\1")),
        0,
    ),
    "box moof begins with traf": (
        movie(*EMPTY, mvex=box(b"mvex")) + box(b"moof", box(b"traf"), box(b"mfhd", bytes(8))),
        0,
    ),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_what_is_wrong_is_said_and_where(tmp_path: Path, sentence: str) -> None:
    data, at = WRONG[sentence]
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    verdict = verify(path)
    found = [each for each in verdict.findings if sentence in each.sentence]
    assert found, said(verdict)
    assert found[0].offset is not None
    assert found[0].offset >= at


def test_a_length_that_is_not_that_of_the_samples(final: Path) -> None:
    change(final, final.read_bytes().find(b"mdhd", read(final).moov.start) + 33, 1)
    assert "says that it lasts" in said(verify(final))


def test_many_like_findings_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(movie(*EMPTY) + 40 * box(b"trak", bytes(8)))
    verdict = verify(path)
    assert len([each for each in verdict.findings if "trak does not" in each.sentence]) == 10
    assert "and 30 more" in verdict.findings[-1].sentence


# The other parser.


def beside(wrong: Callable[[Samples], None]) -> list[str]:
    """What libav on a film says against a reader that is wrong about one thing."""
    found, findings = read(film()), Findings()
    wrong(found.tracks[0].samples)
    data = film().read_bytes()
    other.check(found, lambda offset, length: data[offset : offset + length], findings)
    return [each.sentence for each in findings.rows]


def test_libav_disagrees() -> None:
    assert not beside(lambda samples: None)
    for number in (0, 50):
        told = beside(lambda samples: samples.sizes.__setitem__(number, 1))  # noqa: B023
        assert f"sample {number + 1} has 1 bytes" in told[0]
    assert "sample 4 has" in beside(later)[0]
    found, findings = read(film()), Findings()
    data = film().read_bytes()
    less = replace(found, tracks=(replace(found.tracks[0], id=77), *found.tracks[1:]))
    other.check(less, lambda offset, length: data[offset : offset + length], findings)
    assert "finds no track 77" in findings.rows[0].sentence


def later(samples: Samples) -> None:
    """All but the first three samples are decoded three ticks later."""
    samples.time_first, samples.time_delta = array("Q", (0, 3)), array("I", (512, 512))
    samples.time_dts = array("q", (0, 3 * 512 + 3))


def test_libav_finds_fewer() -> None:
    data, findings = film("fragmented").read_bytes(), Findings()
    short = data[: data.rfind(b"moof") - 4]
    other.check(read(film("fragmented")), lambda offset, length: short[offset : offset + length], findings)
    assert any("libav ends before sample" in each.sentence for each in findings.rows)


def test_what_an_edit_list_hides_may_be_left_out_by_libav(tmp_path: Path) -> None:
    """The film from 2.5 seconds on: libav skips the first two groups of pictures, of the third it gives all."""
    path = tmp_path / "x.mp4"
    data = bytearray(film().read_bytes())
    at = data.find(b"elst") + 16
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + round(2.5 * 15360))
    path.write_bytes(data)
    verdict = verify(path)
    assert verdict.ok, said(verdict)


def test_without_pyav_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    verdict = verify(film())
    assert verdict.ok
    assert verdict.skipped == ("other parser: PyAV is not installed",)
