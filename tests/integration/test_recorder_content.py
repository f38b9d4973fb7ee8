"""Truth of content: every byte and every time that goes in comes out, live, finished and after a crash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import av
import pytest
from pymediainfo import MediaInfo

from tests.integration.recorder_films.making import (
    FILMS,
    LANGUAGES,
    MATROSKA,
    SLOW_FILMS,
    SOUNDS,
    UNCODED,
    film,
    row,
    samples,
)
from tests.integration.recorder_films.reading import (
    by_ffprobe,
    by_gstreamer,
    by_id,
    by_mediainfo,
    by_mkvmerge,
    by_pyav,
    decoded,
    ffprobe,
)
from tests.integration.recorder_films.recording import FLUSH, moved, record, recording
from usenet.recorder.boxes import entries, text, video
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.sources.avsource import AvSource
from usenet.recorder.tracks import Sample

ALL = [*FILMS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_FILMS)]


@pytest.mark.parametrize("name", ALL)
def test_every_sample_comes_out_as_it_went_in_at_its_time(name: str) -> None:
    made = recording(name)
    assert sum(len(stream.rows) for stream in made.streams) == made.offered > 0
    for path in (made.live, made.sealed, made.recovered, made.without_index):
        for read in (by_pyav, by_ffprobe):
            found = read(path)
            assert found == moved(made.streams, found), (path, read)


@pytest.mark.parametrize("name", ALL)
def test_recovery_makes_the_very_file_that_finishing_would_have_made(name: str) -> None:
    made = recording(name)
    sealed = made.sealed.read_bytes()
    assert made.recovered.read_bytes() == sealed
    assert made.without_index.read_bytes() == sealed


@pytest.mark.parametrize("name", ALL)
def test_what_is_seen_and_heard_is_what_was_filmed(name: str) -> None:
    made = recording(name)
    for kind in ["v"] * any(stream.track.kind == "video" for stream in made.streams) + ["a"] * (name in UNCODED):
        filmed = decoded(film(name), kind)
        assert decoded(made.sealed, kind) == filmed
        assert decoded(made.live, kind) == filmed


@pytest.mark.parametrize("name", ALL)
def test_gstreamer_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    made = recording(name)
    kinds = [stream.track.kind for stream in made.streams]
    given = [hashlib.sha256(stream.whole).hexdigest() for stream in made.streams]
    for path in (made.live, made.sealed):
        assert by_gstreamer(path, kinds, tmp_path) == given, path


# sample entry → what mkvmerge and MediaInfo call it; mkvmerge has no name for G.711
NAMES = {
    b"avc1": ("AVC/H.264/MPEG-4p10", "AVC"),
    b"hvc1": ("HEVC/H.265/MPEG-H", "HEVC"),
    b"av01": ("AV1", "AV1"),
    b"vp09": ("VP9", "VP9"),
    b"mp4a": ("AAC", "AAC"),
    b"Opus": ("Opus", "Opus"),
    b"sowt": ("PCM", "PCM"),
    b"twos": ("PCM", "PCM"),
    b"lpcm": ("PCM", "PCM"),
    b"alaw": ('0x616c6177 "alaw"', "ADPCM"),
    b"ulaw": ('0x756c6177 "ulaw"', "ADPCM"),
}


@pytest.mark.parametrize("name", ALL)
def test_mkvmerge_and_mediainfo_know_what_is_in_it(name: str) -> None:
    made = recording(name)
    tracks = [stream.track for stream in made.streams]
    names = [NAMES[track.entry[4:8]] for track in tracks]
    for path in (made.live, made.sealed):
        found = by_mkvmerge(path)["tracks"]
        assert [each["codec"] for each in found] == [matroska for matroska, _ in names]
        sizes = [each["properties"].get("pixel_dimensions", "0x0") for each in found]
        assert sizes == [f"{track.width}x{track.height}" for track in tracks]
        _, *told = by_mediainfo(path)
        assert [each["format"] for each in told] == [mediainfo for _, mediainfo in names]
        assert [each.get("width", 0) for each in told] == [track.width for track in tracks]


def test_languages_and_forms_of_sound_are_named_by_all() -> None:
    made = recording("all kinds of sound, each in its language")
    for path in (made.live, made.sealed):
        streams = ffprobe(path, "-show_streams")["streams"][1:]
        assert [each["codec_name"] for each in streams] == [*SOUNDS, "pcm_alaw", "pcm_mulaw"]
        assert [each["tags"]["language"] for each in streams] == list(LANGUAGES)
        assert {(each["channels"], each["sample_rate"]) for each in streams[:8]} == {(2, "48000")}
        _, _, *told = by_mediainfo(path)
        assert [each["language"] for each in told] == ["de", "en", "fr", "ja", "it", "es", "pl", "da", "fi", "pt"]
        assert [each["bit_depth"] for each in told[:8]] == [16, 16, 24, 24, 32, 32, 32, 32]


def test_subtitles_and_metadata_come_out_beside_the_pictures(tmp_path: Path) -> None:
    (pictures,), shots = samples(film("120 pictures a second"))
    tracks = [
        pictures,
        entries.track(2, "mov_text", timescale=1000, language="ger"),
        entries.track(3, "webvtt", timescale=1000, extradata=b"WEBVTT\n\nSTYLE\n::cue {color: red}", language="eng"),
        entries.track(4, "mett", timescale=1000, extradata=b"application/json"),
        entries.track(5, "klv", timescale=1000),
    ]
    given = []
    for at, shot in enumerate(shots):
        given.append(shot)
        if at % 60 == 5 and shot.dts is not None:
            now = shot.dts * 1000 // pictures.timescale
            given += [
                Sample(2, text.tx3g_cue(f"Grüße {at}"), now, now),
                Sample(2, text.tx3g_cue(""), now + 200, now + 200),
            ]
            given += [Sample(3, text.wvtt_cue(b"%d" % at), now, now), Sample(3, text.NO_CUE, now + 200, now + 200)]
            given += [
                Sample(4, b'{"cars": %d}' % at, now, now),
                Sample(5, bytes.fromhex("060e2b34") + b"%d" % at, now, now),
            ]
    made = record(tracks, given, tmp_path)
    assert [len(stream.rows) for stream in made.streams] == [240, 8, 8, 4, 4]
    whole = [hashlib.sha256(stream.whole).hexdigest() for stream in made.streams]
    kinds = ["video", "subtitle", "subtitle", "meta", "meta"]
    for path in (made.live, made.sealed, made.recovered, made.without_index):
        for read in (by_pyav, by_ffprobe):
            found = read(path)
            assert found == moved(made.streams, found), (path, read)
        assert by_gstreamer(path, kinds, tmp_path)[3:] == whole[3:], "GStreamer takes cues out of their samples"
    with av.open(str(made.sealed)) as container:
        shown = [line.ass for packet in container.demux(subtitles=0) for line in packet.decode()]
    assert [line.decode().split(",")[-1] for line in shown if line] == [f"Grüße {at}" for at in (5, 65, 125, 185)]
    known = [each.get("format") for each in MediaInfo.parse(made.sealed).to_data()["tracks"][2:]]
    assert known == ["Timed Text", "wvtt", "mett", "urim"]


def test_what_the_file_tells_of_itself_outlives_the_crash() -> None:
    made = recording("h264 with b-frames, sound 0.7 s late")
    for path in (made.live, made.sealed, made.recovered, made.without_index):
        said = ffprobe(path, "-show_format", "-show_streams")
        tags = said["format"]["tags"]
        assert (tags["title"], tags["location"]) == ("Gate, north", "+48.1371+011.5754/")
        assert (tags["camera"], tags["site"]) == ("north", "Zürich")
        assert tags["creation_time"] == "2026-11-21T17:42:29.000000Z"
        assert [each["tags"]["language"] for each in said["streams"]] == ["und", "ger"]
        whole = by_mediainfo(path)[0]
        assert (whole["title"], whole["xyz"], whole["camera"]) == ("Gate, north", "+48.1371+011.5754/", "north")
        assert whole["encoded_date"] == "2026-11-21 17:42:29 UTC"


def test_missing_times_of_decoding_move_nothing_that_is_shown(tmp_path: Path) -> None:
    source = AvSource(str(film(MATROSKA)))
    tracks = source.open()
    given = [each for each in source.samples() if isinstance(each, Sample)]
    source.close()
    made = record(tracks, given, tmp_path)
    _, filmed = samples(film(MATROSKA))
    for path in (made.live, made.sealed, made.recovered, made.without_index):
        found = by_ffprobe(path)
        assert found == moved(made.streams, found)
        by = found[0][0].pts - filmed[0].pts
        for track, rows in zip(tracks, found, strict=True):
            shown = [
                (each.pts + by, hashlib.sha256(each.data).hexdigest()) for each in filmed if each.track == track.id
            ]
            assert [(each.pts, each.sha) for each in rows] == shown, "sound and pictures stay together"


@pytest.mark.parametrize(("name", "entry"), [("h264 in annex b, aac in adts", b"avc3"), ("hevc in annex b", b"hev1")])
def test_parameter_sets_may_come_in_the_samples(name: str, entry: bytes, tmp_path: Path) -> None:
    (track, *_), given = samples(film(name))
    shots = [sample for sample in given if sample.track == track.id]
    codec, make = ("h264", video.h264) if entry == b"avc3" else ("hevc", video.hevc)
    track = make(track.id, track.timescale, entries.settings(codec, shots[0].data), in_band=True)
    assert track.entry[4:8] == entry
    made = record([track], shots, tmp_path)
    for path in (made.live, made.sealed):
        assert by_ffprobe(path) == moved(made.streams, by_ffprobe(path))
        assert decoded(path, "v") == decoded(film(name), "v")
        assert by_gstreamer(path, ["video"], tmp_path) == [hashlib.sha256(made.streams[0].whole).hexdigest()]
        assert by_mediainfo(path)[1]["codec_id"] == entry.decode()


@pytest.mark.parametrize(
    "name", ["hevc of 10 bits with open groups, opus", "h264 in annex b, aac in adts", "vp9, opus"]
)
def test_segments_together_hold_every_sample(name: str, tmp_path: Path) -> None:
    tracks, given = samples(film(name))
    recorder = Recorder(tmp_path, tracks, flush=FLUSH, rotate=Rotate(seconds=0.4))
    for sample in given:
        recorder.write(sample)
    taken = recorder.status.samples
    finished = recorder.close()
    assert len(finished) >= 2
    read = [by_id(path) for path in finished]
    assert all(each[tracks[0].id][0].key for each in read)
    for track in tracks:
        whole = [row(0, 0, True, sample.data).sha for sample in given if sample.track == track.id]
        found = [each.sha for rows in read for each in rows.get(track.id, [])]
        assert found == whole[len(whole) - len(found) :]
    assert sum(len(rows) for each in read for rows in each.values()) == taken
