"""By libav's name of a codec: the track, its samples, where decoding can begin and when settings change."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.recorder.test_boxes_video import AV1, H264, H265, VP9
from usenet.recorder.boxes import entries, nal, video
from usenet.recorder.boxes.box import boxes
from usenet.recorder.errors import BadSample, Damaged

IDR, SLICE, IDR_H265 = b"\x65\x88\x84", b"\x41\x9a\x24", b"\x26\x01\xaf"
SEQUENCE = bytes.fromhex(next(iter(AV1)))
KEY_VP9 = bytes.fromhex(next(iter(VP9)))

# codec → extradata, a packet with a key frame, another packet, what an MP4 sample holds of the first
STREAMS: dict[str, tuple[bytes, bytes, bytes, bytes]] = {
    "h264": (nal.join(H264), nal.join([*H264, IDR]), nal.join([SLICE]), nal.prefixed([*H264, IDR])),
    "hevc": (nal.join(H265), nal.join([*H265, IDR_H265]), nal.join([b"\x02\x01\xd0"]), nal.prefixed([*H265, IDR_H265])),
    "av1": (SEQUENCE, b"\x12\0" + SEQUENCE + b"\x32\x01\x10", b"\x12\0\x32\x01\x30", SEQUENCE + b"\x32\x01\x10"),
    "vp9": (KEY_VP9, KEY_VP9, b"\x86\x00\x40\x92", KEY_VP9),
}


@pytest.mark.parametrize("codec", STREAMS)
def test_a_stream_of_pictures_becomes_samples(codec: str) -> None:
    extradata, first, other, held = STREAMS[codec]
    assert entries.to_mp4(codec, first, extradata) == held
    assert entries.key(codec, held)
    assert not entries.key(codec, entries.to_mp4(codec, other, extradata))
    assert entries.settings(codec, entries.to_mp4(codec, other, extradata)) == b""
    given_track = entries.track(7, codec, timescale=90_000, extradata=extradata, language="ger", name="Gate")
    found = entries.settings(codec, held, extradata)
    assert entries.track(7, codec, timescale=90_000, extradata=found, language="ger", name="Gate") == given_track
    assert (given_track.id, given_track.language, given_track.name, given_track.kind) == (7, "ger", "Gate", "video")


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_samples_that_are_length_prefixed_already_keep_their_units_with_lengths_of_four_bytes(codec: str) -> None:
    config = video.avcc(H264) if codec == "h264" else video.hvcc(H265)
    assert video.length_size("h264" if codec == "h264" else "hevc", config) == 4
    two = config[:4] + b"\xfd" + config[5:] if codec == "h264" else config[:21] + b"\x0d" + config[22:]
    idr = IDR if codec == "h264" else IDR_H265
    for size, extradata in ((4, config), (2, two)):
        sample = len(idr).to_bytes(size, "big") + idr
        assert entries.to_mp4(codec, sample, extradata) == nal.prefixed([idr])
        assert config in entries.track(1, codec, timescale=1, extradata=extradata).entry


def test_a_change_of_settings_is_seen() -> None:
    wider = bytes.fromhex("674d4028eca03c0113f2e022000003000200000300641e30632c")
    before = entries.settings("h264", nal.prefixed([*H264, IDR]))
    assert entries.settings("h264", nal.prefixed([*H264, IDR, SLICE])) == before
    assert entries.settings("h264", nal.prefixed([wider, H264[1], IDR])) != before


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_settings_that_are_repeated_are_no_change_and_others_are(codec: str) -> None:
    annexb, _, _, held = STREAMS[codec]
    make = {"h264": lambda: video.avcc(H264), "hevc": lambda: video.hvcc(H265, complete=False)}
    config = make.get(codec, lambda: video.av1c(SEQUENCE) + b"\x2a\x00")()  # with metadata behind it
    for extradata in (annexb, config):
        assert entries.settings(codec, held, extradata) == extradata
    other = {
        "h264": nal.prefixed([bytes.fromhex("68ebe3cb20"), IDR]),  # a picture parameter set alone
        "hevc": nal.prefixed([H265[2] + b"\x40", IDR_H265]),
        "av1": bytes.fromhex(list(AV1)[1]),
    }[codec]
    changed = entries.settings(codec, other, config)
    assert changed not in (b"", config)
    before, after = (entries.track(1, codec, timescale=1, extradata=each) for each in (config, changed))
    assert before.entry != after.entry
    assert entries.settings(codec, held, config) == config, "and back"


def test_sound_and_text_become_samples() -> None:
    framed = bytes.fromhex("fff14c80013ffc") + b"\x21\x00"
    assert entries.to_mp4("aac", framed) == b"\x21\x00"
    assert entries.to_mp4("aac", b"\x21\x00") == b"\x21\x00"
    from_packet = entries.track(1, "aac", timescale=48_000, extradata=framed)
    assert from_packet == entries.track(1, "aac", timescale=48_000, extradata=b"\x11\x90")
    assert from_packet == entries.track(1, "aac", timescale=48_000, rate=48_000, channels=2)
    assert entries.to_mp4("webvtt", b"hello") == b"\0\0\0\x15vttc\0\0\0\x0dpaylhello"
    assert entries.to_mp4("pcm_s16le", b"\1\2") == b"\1\2"
    assert entries.key("aac", b"\x21")
    assert entries.settings("aac", b"\x21") == b""


def test_every_codec_that_is_named_has_a_track() -> None:
    for codec in entries.CODECS:
        extradata = STREAMS.get(codec, (b"text/plain" if codec == "mett" else b"",))[0]
        track = entries.track(
            1, codec, timescale=48_000, extradata=extradata, rate=48_000, channels=2, width=8, height=8
        )
        assert len(list(boxes(track.entry))) == 1
        assert (track.width > 0) is (track.kind == "video")
    wide = entries.track(1, "vp9", timescale=1, extradata=b"\x01\x01\x02", width=640, height=360, bits=10)
    assert (wide.width, wide.height, wide.entry[-8:].hex()) == (640, 360, "0215a20202020000"[:16])


@pytest.mark.parametrize("codec", ["mjpeg", "pcm_u8", "aac_latm", "", "h265"])
def test_a_codec_that_can_not_be_recorded_is_named_beside_those_that_can(codec: str) -> None:
    with pytest.raises(BadSample, match=f"{codec} can't be recorded") as refused:
        entries.track(1, codec, timescale=1, rate=8_000, channels=1)
    assert "hevc" in refused.value.hint


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "aac", "opus", "pcm_s16le"])
def test_a_packet_without_anything_in_it_is_refused(codec: str) -> None:
    empty = {"h264": b"\0\0\1", "hevc": b"\0\0\0\1\0\0", "av1": b"\x12\0"}.get(codec, b"")
    with pytest.raises(BadSample, match=f"a packet of {codec}"):
        entries.to_mp4(codec, empty)


@given(st.sampled_from(entries.CODECS), st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused_with_a_sentence(codec: str, data: bytes, extradata: bytes) -> None:
    def ask(call: object, *words: object, **more: object) -> None:
        with contextlib.suppress(BadSample, Damaged):
            call(*words, **more)  # type: ignore[operator]

    ask(entries.to_mp4, codec, data, extradata)
    ask(entries.key, codec, data)
    ask(entries.settings, codec, data, extradata)
    ask(entries.track, 1, codec, timescale=90_000, extradata=extradata, rate=48_000, channels=2)
