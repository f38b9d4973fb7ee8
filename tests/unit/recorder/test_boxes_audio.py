"""AAC, Opus, G.711 and PCM become sample entries as other muxers write them."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.recorder.boxes import audio
from usenet.recorder.boxes.box import boxes
from usenet.recorder.errors import BadSample, Damaged
from usenet.recorder.tracks import Track

HEAD = 8 + 28  # of a sample entry of sound


def inner(track: Track) -> bytes:
    (found,) = boxes(track.entry, HEAD)
    return track.entry[found.body : found.end]


def fields(track: Track) -> tuple[int, int, int]:
    """Channels, bits, rate."""
    channels, bits, rate = struct.unpack_from(">HHxxxxI", track.entry, 8 + 16)
    return channels, bits, rate >> 16


# made by libav's encoder and by a camera with spectral band replication → rate, channels, object type
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("120856e500", (44100, 1, 2)),
        ("1190", (48000, 2, 2)),
        ("2b11880000", (48000, 2, 2)),  # HE-AAC: 24 kHz inside, 48 heard
        ("1780181c90", (12345, 2, 2)),  # a rate that has no number
        ("11b8", (48000, 8, 2)),
    ],
)
def test_aac_says_its_rate_and_channels(config: str, said: tuple[int, int, int]) -> None:
    assert audio.aac_config(bytes.fromhex(config)) == said


def test_aac_track_is_as_other_muxers_write_it() -> None:
    track = audio.aac(1, 48_000, bytes.fromhex("1190"))
    assert fields(track) == (2, 16, 48_000)
    assert inner(track).hex() == ("00000000038080802200000004808080144015" + 11 * "00" + "05808080021190068080800102")
    assert track.duration == 1024


@given(st.sampled_from([96000, 48000, 44100, 22050, 16000, 8000, 7350, 11111]), st.integers(1, 8), st.integers(1, 4))
def test_aac_config_that_we_make_says_what_it_was_made_from(rate: int, channels: int, what: int) -> None:
    assert audio.aac_config(audio.make_aac_config(rate, channels, what)) == (rate, channels, what)


def test_adts_is_taken_apart_and_bare_frames_are_left_alone() -> None:
    frame = bytes(range(50))
    head = bytes.fromhex("fff14c80") + bytes([57 >> 3, (57 & 7) << 5 | 31, 0xFC])
    assert audio.adts(head + frame) == (bytes.fromhex("1190"), frame)
    with_crc = bytes([0xFF, 0xF0, 0x4C, 0x80, 59 >> 3, (59 & 7) << 5 | 31, 0xFC, 1, 2])
    assert audio.adts(with_crc + frame) == (bytes.fromhex("1190"), frame)
    assert audio.adts(frame) is None
    with pytest.raises(BadSample, match="58 bytes that says 57"):
        audio.adts(head + frame + b"x")


def test_opus_head_becomes_dops_with_its_bytes_turned() -> None:
    stereo = b"OpusHead" + struct.pack("<BBHIhB", 1, 2, 312, 48_000, -256, 0)
    track = audio.opus(1, 48_000, stereo)
    assert inner(track) == struct.pack(">BBHIhB", 0, 2, 312, 48_000, -256, 0)
    assert fields(track) == (2, 16, 48_000)
    assert inner(audio.opus(1, 48_000, channels=2))[1:10] == struct.pack(">BHIh", 2, 312, 48_000, 0)
    around = b"OpusHead" + struct.pack("<BBHIhB", 1, 6, 312, 48_000, 0, 1) + bytes([4, 2, 0, 4, 1, 2, 3, 5])
    assert inner(audio.opus(1, 48_000, around))[10:] == bytes([1, 4, 2, 0, 4, 1, 2, 3, 5])
    with pytest.raises(Damaged, match="without their order"):
        audio.opus(1, 48_000, around[:-1])
    with pytest.raises(BadSample, match="needs its OpusHead"):
        audio.opus(1, 48_000, channels=6)


def test_sound_without_settings_has_the_names_that_all_parsers_know() -> None:
    assert audio.g711(1, 8_000, "alaw").entry[4:8] == b"alaw"
    assert audio.g711(1, 8_000, "ulaw").entry[4:8] == b"ulaw"
    low = [audio.pcm(1, 48_000, form, rate=48_000, channels=2).entry[4:8] for form in audio.FORMS]
    assert low == [b"sowt", b"twos"] + 6 * [b"lpcm"]
    assert audio.pcm(1, 96_000, "s16le", rate=96_000, channels=2).entry[4:8] == b"lpcm"


@pytest.mark.parametrize(("form", "flags"), [("s24le", 12), ("s24be", 14), ("s32be", 14), ("f32le", 9), ("f32be", 11)])
def test_lpcm_says_rate_channels_bits_and_order_of_bytes(form: str, flags: int) -> None:
    entry = audio.pcm(1, 96_000, form, rate=96_000, channels=6).entry
    said = struct.unpack_from(">IdIIIIII", entry, HEAD)
    bits = int(form[1:3])
    assert said == (72, 96_000.0, 6, 0x7F000000, bits, flags, 6 * bits // 8, 1)
    assert len(entry) == 72


def test_sound_that_no_entry_holds_is_refused() -> None:
    with pytest.raises(BadSample, match="u8 can't be recorded"):
        audio.pcm(1, 8_000, "u8", rate=8_000, channels=1)
    for form in ("s16le", "s24le"):
        with pytest.raises(BadSample, match="0 channels"):
            audio.pcm(1, 8_000, form, rate=8_000, channels=0)
        with pytest.raises(BadSample, match="at 0 Hz"):
            audio.pcm(1, 8_000, form, rate=0, channels=1)
    with pytest.raises(BadSample, match="needs its AudioSpecificConfig"):
        audio.aac(1, 8_000)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xf1", b"OpusHead\x01", b"\x12", b"\xf8\xff"]))
def test_settings_of_any_bytes_make_a_track_or_are_refused(data: bytes, before: bytes) -> None:
    for make in (audio.aac, audio.opus):
        with contextlib.suppress(BadSample, Damaged):
            track = make(1, 48_000, before + data)
            assert len(list(boxes(track.entry, HEAD))) == 1
    with contextlib.suppress(BadSample):
        found = audio.adts(before + data)
        assert found is None or (before + data).endswith(found[1])
