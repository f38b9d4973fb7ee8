"""The reader says of every kind of MP4 what libav says of it, sample by sample, and calls what is no MP4 Damaged."""

from __future__ import annotations

import random
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.recorder.footage import WAYS, ffmpeg, film, packets, recorded
from usenet.recorder.boxes.box import box, full
from usenet.recorder.errors import Damaged
from usenet.recorder.reader import Mp4, Source, read, scan
from usenet.recorder.reader.samples import Samples


def scanned(data: bytes, *, torn: bool = False) -> Mp4:
    return scan(Source(lambda offset, length: data[offset : offset + length], len(data)), torn=torn)


@pytest.mark.parametrize("way", WAYS)
def test_every_sample_is_where_libav_finds_it(way: str) -> None:
    movie = read(film(way))
    assert [track.kind for track in movie.tracks] == ["video", "audio", "audio"]
    assert [track.timescale for track in movie.tracks[1:]] == [48000, 44100]
    assert movie.tracks[1].language == "ger"
    for number, track in enumerate(movie.tracks):
        assert [(each.pts, each.size, each.sync) for each in track] == packets(film(way), number)
        assert all(movie.in_media(each.offset, each.size) for each in track)


def test_bytes_are_those_of_the_sample(tmp_path: Path) -> None:
    raw = tmp_path / "sound.aac"
    ffmpeg("-i", str(film()), "-map", "0:1", "-c", "copy", "-f", "data", str(raw))
    with film().open("rb") as file:
        found = b"".join((file.seek(each.offset), file.read(each.size))[1] for each in read(film()).tracks[1])
    assert found == raw.read_bytes()


def test_what_an_edit_list_hides(tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    ffmpeg("-ss", "1.5", "-i", str(film()), "-map", "0:v", "-c", "copy", str(cut))
    track = read(cut).tracks[0]
    assert next(each.pts for each in track if each.shown) == 0
    assert next(iter(track)).pts == -round(0.5 * track.timescale)
    assert sum(each.shown for each in track) == 135


def test_a_pause_before_a_late_track(tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    inputs = ("-itsoffset", "2.5", "-i", str(film()), "-i", str(film()))
    ffmpeg(*inputs, "-map", "1:v", "-map", "0:a:0", "-c", "copy", str(late))
    track = read(late).tracks[1]
    assert track.edits.list[0].media == -1
    assert [(each.pts, each.size, each.sync) for each in track] == packets(late, 1)


def test_columns_are_asked_one_by_one_or_in_a_row() -> None:
    for track in read(film("b-frames")).tracks:
        samples = track.samples
        rows = list(samples.rows())
        assert [samples.dts(n) for n in range(len(track))] == [row.dts for row in rows]
        assert [samples.cts(n) for n in range(len(track))] == [row.cts for row in rows]
        assert [samples.offset(n) for n in range(len(track))] == [row.offset for row in rows]
        assert [samples.is_sync(n) for n in range(len(track))] == [row.sync for row in rows]
        assert [samples.at(row.dts) for row in rows] == [row.number for row in rows]
        for first, last in ((0, 7), (33, 95), (100, 100), (150, 9999)):
            assert list(samples.rows(first, last)) == rows[first:last]
        assert sum(place.length for place in samples.places(3, 99)) == sum(row.size for row in rows[3:99])


def test_the_key_frame_before_and_behind() -> None:
    samples = read(film()).tracks[0].samples
    assert [samples.key(n) for n in (0, 29, 30, 31, 179)] == [0, 0, 30, 30, 150]
    assert [samples.next_key(n) for n in (0, 1, 30, 31, 151)] == [0, 30, 30, 60, None]


def test_a_segment_of_ours_live_and_finished(tmp_path: Path) -> None:
    segment = recorded(tmp_path / "x.mp4", film("b-frames"), seal=False)
    live = read(tmp_path / "x.mp4.part", torn=True)
    final = read(segment.seal())
    assert live.fragments > 20
    assert final.fragments == 0
    for one, two in zip(live.tracks, final.tracks, strict=True):
        assert [each[:-4] for each in one] == [each[:-4] for each in two]


def test_a_torn_end_is_left_out_when_asked(tmp_path: Path) -> None:
    data = film("fragmented").read_bytes()
    whole = scanned(data)
    cut = data[: len(data) * 2 // 3]
    with pytest.raises(Damaged, match="mdat"):
        scanned(cut)
    found = scanned(cut, torn=True)
    assert "mdat" in found.torn
    assert 0 < found.fragments < whole.fragments
    for one, two in zip(found.tracks, whole.tracks, strict=True):
        assert list(one) == list(two)[: len(one)]


# By hand: what ffmpeg doesn't write.


def movie(*tables: bytes, elst: bytes = b"", mvex: bytes = b"", after: bytes = b"") -> bytes:
    tkhd = full(b"tkhd", 0, 3, struct.pack(">IIII", 0, 0, 7, 0) + bytes(68))
    mdhd = full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, 1000, 0, 0x55C4, 0))
    hdlr = full(b"hdlr", 0, 0, bytes(4), b"meta", bytes(13))
    stsd = full(b"stsd", 0, 0, struct.pack(">I", 2), box(b"mett", bytes(8)), box(b"mett", bytes(9)))
    stbl = box(b"stbl", stsd, *tables)
    edts = box(b"edts", elst) if elst else b""
    trak = box(b"trak", tkhd, edts, box(b"mdia", mdhd, hdlr, box(b"minf", stbl)))
    mvhd = full(b"mvhd", 0, 0, struct.pack(">IIII", 0, 0, 100, 0) + bytes(80))
    return box(b"moov", mvhd, trak, mvex) + after


def table(kind: bytes, *numbers: int, version: int = 0) -> bytes:
    return full(kind, version, 0, struct.pack(f">{len(numbers)}I", *numbers))


EMPTY = (table(b"stts", 0), table(b"stsc", 0), table(b"stsz", 0, 0), table(b"stco", 0))
TIMES = table(b"stts", 2, 3, 10, 2, 1000)
PLACES = table(b"stsc", 2, 1, 2, 1, 2, 3, 2)


def co64(*offsets: int) -> bytes:
    return full(b"co64", 0, 0, struct.pack(f">I{len(offsets)}Q", len(offsets), *offsets))


@pytest.mark.parametrize(
    "sizes",
    [
        full(b"stz2", 0, 0, struct.pack(">II", 4, 5), bytes([0x12, 0x34, 0x50])),
        full(b"stz2", 0, 0, struct.pack(">II", 8, 5), bytes([1, 2, 3, 4, 5])),
        full(b"stz2", 0, 0, struct.pack(">II", 16, 5), struct.pack(">5H", 1, 2, 3, 4, 5)),
        table(b"stsz", 0, 5, 1, 2, 3, 4, 5),
    ],
)
def test_tables_by_hand(sizes: bytes) -> None:
    shifts = table(b"ctts", 2, 1, 5, 4, -7 & 0xFFFFFFFF, version=1)
    found = scanned(
        movie(TIMES, PLACES, sizes, co64(100, 200), shifts, table(b"stss", 2, 1, 4), after=box(b"mdat", bytes(300)))
    )
    rows = list(found.tracks[0].samples.rows())
    assert [row.size for row in rows] == [1, 2, 3, 4, 5]
    assert [row.offset for row in rows] == [100, 101, 200, 203, 207]
    assert [row.dts for row in rows] == [0, 10, 20, 30, 1030]
    assert [row.cts - row.dts for row in rows] == [5, -7, -7, -7, -7]
    assert [row.sync for row in rows] == [True, False, False, True, False]
    assert [row.entry for row in rows] == [0, 0, 1, 1, 1]


def test_edits_by_hand() -> None:
    """Half a second of nothing, then from 20 ms on, for 40 ms: the movie has 100 ticks a second, the track 1000."""
    elst = full(b"elst", 1, 0, struct.pack(">IQqHHQqHH", 2, 50, -1, 1, 0, 4, 20, 1, 0))
    rows = scanned(
        movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(100, 200), elst=elst, after=box(b"mdat", bytes(300)))
    )
    assert [(each.pts, each.shown) for each in rows.tracks[0]] == [
        *((480, False), (490, False), (500, True), (510, True), (1510, False)),
    ]


def test_an_edit_of_no_length_goes_on_to_the_end() -> None:
    elst = full(b"elst", 0, 0, struct.pack(">IIiHH", 1, 0, 20, 1, 0))
    found = scanned(
        movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(100, 200), elst=elst, after=box(b"mdat", bytes(300)))
    )
    assert [(each.pts, each.shown) for each in found.tracks[0]] == [
        *((-20, False), (-10, False), (0, True), (10, True), (1010, True)),
    ]


ROWS = {
    "all from the run": (0xF00, (10, 4, 0, 5, 20, 6, 0x10000, 0), 0),
    "sizes only": (0x200, (4, 6), 0),
    "a flag for the first": (0x204, (0x2000000, 4, 6), 0x10000),
    "nothing but a count": (0, (), 0),
    "times and offsets": (0x900, (10, 3, 20, 0), 0x10000),
}


@pytest.mark.parametrize("has", ROWS)
@pytest.mark.parametrize("place", ["moof", "explicit", "first traf"])
def test_fragments_by_hand(has: str, place: str) -> None:
    flags, rows, default = ROWS[has]
    head = movie(*EMPTY, mvex=box(b"mvex", table(b"trex", 7, 1, 33, 5, default)))
    base = struct.pack(">Q", len(head)) if place == "explicit" else b""
    tfhd_flags = {"moof": 0x020000, "explicit": 1, "first traf": 0}[place] | 2
    tfhd = full(b"tfhd", 0, tfhd_flags, struct.pack(">I", 7), base, struct.pack(">I", 2))
    tfdt = full(b"tfdt", 1, 0, struct.pack(">Q", 1 << 40))
    moof = b""
    for _ in range(2):  # once for its length
        trun = full(b"trun", 1, flags | 1, struct.pack(f">II{len(rows)}I", 2, len(moof) + 8, *rows))
        moof = box(b"moof", box(b"traf", tfhd, tfdt, trun))
    found = list(scanned(head + moof + box(b"mdat", bytes(99))).tracks[0].samples.rows())
    sizes = [4, 6] if flags & 0x200 else [5, 5]
    assert [row.size for row in found] == sizes
    assert [row.offset for row in found] == [len(head) + len(moof) + 8, len(head) + len(moof) + 8 + sizes[0]]
    assert [row.dts for row in found] == [1 << 40, (1 << 40) + (10 if flags & 0x100 else 33)]
    assert [row.duration for row in found] == ([10, 20] if flags & 0x100 else [33, 33])
    assert [row.sync for row in found] == {
        "all from the run": [True, False],
        "a flag for the first": [True, False],
        "times and offsets": [False, False],
    }.get(has, [True, True])
    assert [row.cts - row.dts for row in found] == {
        "all from the run": [5, 0],
        "times and offsets": [3, 0],
    }.get(has, [0, 0])
    assert {row.entry for row in found} == {1}


def fragment(*trafs: bytes, data: int = 0) -> bytes:
    """A moof, and an mdat of so many bytes."""
    return box(b"moof", *trafs) + box(b"mdat", bytes(data))


def test_a_traf_goes_on_where_the_one_before_ended() -> None:
    head = movie(*EMPTY, mvex=box(b"mvex", table(b"trex", 7, 1, 33, 5, 0)))
    tfhd = table(b"tfhd", 7)
    first = box(b"traf", tfhd, full(b"trun", 0, 0x201, struct.pack(">IIII", 2, 150, 4, 6)), table(b"trun", 1))
    second = box(b"traf", tfhd, table(b"trun", 2))
    rows = list(scanned(head + fragment(first, second, data=99)).tracks[0].samples.rows())
    assert [row.offset - len(head) for row in rows] == [150, 154, 160, 165, 170]


def test_composition_offsets_that_come_and_go() -> None:
    head = movie(*EMPTY, mvex=box(b"mvex", table(b"trex", 7, 1, 33, 5, 0)))
    tfhd = full(b"tfhd", 0, 0x020000, struct.pack(">I", 7))
    plain = fragment(box(b"traf", tfhd, table(b"trun", 2)), data=9)
    early = struct.pack(">IiI", 2, -3, 3)
    moved = fragment(box(b"traf", tfhd, full(b"trun", 1, 0x800, early)), data=9)
    rows = list(scanned(head + plain + moved + plain).tracks[0].samples.rows())
    assert [row.cts - row.dts for row in rows] == [0, 0, -3, 3, 0, 0]
    assert [row.dts for row in rows] == [0, 33, 66, 99, 132, 165]


DAMAGE = {
    "no moov box": box(b"free", bytes(9)),
    "fewer than its fields": box(b"moov", box(b"mvhd", bytes(3))),
    "no stsz or stz2": movie(TIMES, PLACES, co64(100, 200)),
    "times for 5 samples, there are 4": movie(TIMES, PLACES, table(b"stsz", 1, 4), co64(100, 200)),
    "places 5 samples, there are 6": movie(table(b"stts", 1, 6, 1), PLACES, table(b"stsz", 1, 6), co64(100, 200)),
    "names sample 6, there are 5": movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(1, 2), table(b"stss", 2, 1, 6)),
    "do not rise": movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(1, 2), table(b"stss", 2, 4, 1)),
    "more than the file has bytes": movie(TIMES, PLACES, table(b"stsz", 1, 1 << 30), co64(1, 2)),
    "longer together than the file": movie(TIMES, PLACES, table(b"stsz", 1 << 30, 5), co64(1, 2)),
    "does not begin with the first": movie(TIMES, table(b"stsc", 1, 2, 5, 1), table(b"stsz", 1, 5), co64(1, 2)),
    "is not one of 2": movie(TIMES, table(b"stsc", 2, 1, 2, 1, 2, 3, 3), table(b"stsz", 1, 5), co64(1, 2)),
    "a second stts": movie(*EMPTY, TIMES),
    "a second moov": movie(*EMPTY) + movie(*EMPTY),
    "stands before moov": box(b"moof", bytes(8)) + movie(*EMPTY),
    "too few for a box": movie(*EMPTY) + b"abc",
    "says that it has 4096": movie(*EMPTY) + struct.pack(">I4s", 4096, b"mdat"),
}


@pytest.mark.parametrize("sentence", DAMAGE)
def test_what_is_wrong_is_said(sentence: str) -> None:
    with pytest.raises(Damaged, match=rf"{sentence}.*\(byte \d+\)"):
        scanned(DAMAGE[sentence])


def test_a_run_beyond_the_file_is_damage() -> None:
    head = movie(*EMPTY, mvex=box(b"mvex", table(b"trex", 7, 1, 33, 5, 0)))
    for trun in (struct.pack(">III", 2, 1 << 20, 5), struct.pack(">I", 1 << 31)):
        bits = 0x001 if len(trun) > 4 else 0
        moof = box(
            b"moof", box(b"traf", full(b"tfhd", 0, 0x020000, struct.pack(">I", 7)), full(b"trun", 0, bits, trun))
        )
        with pytest.raises(Damaged, match="trun"):
            scanned(head + moof + box(b"mdat", bytes(99)))


# Whatever the bytes are: a movie, or Damaged.


def soundly(data: bytes) -> None:
    """Reading ends with a movie, whose samples lie in the file, or with Damaged."""
    for torn in (False, True):
        try:
            found = scanned(data, torn=torn)
        except Damaged:
            continue
        for track in found.tracks:
            for sample in track.rows(0, 2000):
                assert sample.size >= 0
            track.samples.key(5), track.samples.next_key(5), track.samples.at(5), track.samples.end


SEEDS = [
    movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(1, 2), table(b"ctts", 1, 5, 3), after=box(b"mdat", bytes(300))),
    movie(*EMPTY, mvex=box(b"mvex", table(b"trex", 7, 1, 33, 5, 0)))
    + box(
        b"moof",
        box(
            b"traf",
            full(b"tfhd", 0, 0x020000, struct.pack(">I", 7)),
            full(b"trun", 0, 0x201, struct.pack(">IIII", 2, 99, 3, 4)),
        ),
    )
    + box(b"mdat", bytes(99)),
]


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_mutated_bytes(data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(seed) - 1))
        wide = data.draw(st.sampled_from((1, 4, 8)))
        value = data.draw(st.sampled_from((0, 1, 2, 8, 0x7F, 0x80, 0xFF)) | st.integers(0, 255))
        seed[at : at + wide] = bytes([value]) * wide
    soundly(bytes(seed[: data.draw(st.integers(len(seed) // 2, len(seed)))]))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes(data: bytes) -> None:
    soundly(data)


@pytest.mark.parametrize("way", ["faststart", "fragmented"])
def test_a_film_with_mutated_heads(way: str) -> None:
    chance, film_bytes = random.Random(way), film(way).read_bytes()
    heads = [at for at in range(len(film_bytes)) if film_bytes[at : at + 4] in HEADS]
    for _ in range(300):
        data = bytearray(film_bytes)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.choice(heads) + chance.randrange(-4, 40)
            data[at : at + chance.choice((1, 4))] = bytes([chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))])
        soundly(bytes(data))


HEADS = {b"moov", b"mvhd", b"trak", b"tkhd", b"mdhd", b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco"} | {
    *(b"elst", b"mvex", b"trex", b"moof", b"traf", b"tfhd", b"tfdt", b"trun", b"mdat", b"edts", b"hdlr"),
}


def test_a_day_takes_little_memory_and_is_not_walked_through() -> None:
    """2.6 million pictures in three numbers: what doesn't change is not kept twice."""
    count = 2_592_000
    head = movie(table(b"stts", 1, count, 33), table(b"stsc", 1, 1, count, 1), table(b"stsz", 9, count), co64(0))
    found = scan(Source(lambda offset, length: head[offset : offset + length].ljust(length, b"\0"), 1 << 30))
    samples: Samples = found.tracks[0].samples
    columns = [getattr(samples, name) for name in samples.__slots__]
    assert sum(len(each) for each in columns if isinstance(each, array)) < 10
    assert next(samples.rows(count - 1)) == (
        count - 1,
        9 * (count - 1),
        9,
        33 * (count - 1),
        33 * (count - 1),
        33,
        True,
        0,
    )


def test_beyond_four_gigabytes() -> None:
    """A 64-bit mdat, offsets behind 2^32; only the head is ever read."""
    far = 5 << 30
    head = movie(TIMES, PLACES, table(b"stsz", 1, 5), co64(far, far + 100))
    head += struct.pack(">I4sQ", 1, b"mdat", 6 << 30)

    def fetch(offset: int, length: int) -> bytes:
        assert offset < len(head)
        return head[offset : offset + length].ljust(length, b"\0")

    found = scan(Source(fetch, len(head) - 16 + (6 << 30)))
    assert [each.offset for each in found.tracks[0]] == [far, far + 1, far + 100, far + 101, far + 102]
    assert found.in_media(far, 103)
    assert not found.in_media(far, 2 << 30)


def test_quicktime() -> None:
    movie = film("plain", "-f", "mov")
    for number, track in enumerate(read(movie).tracks):
        assert [(each.pts, each.size, each.sync) for each in track] == packets(movie, number)
