"""H.264, H.265, AV1 and VP9 as their encoders write them become sample entries as other muxers write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.recorder.boxes import nal, obu, sps, video
from usenet.recorder.boxes.bits import Bits
from usenet.recorder.boxes.box import boxes
from usenet.recorder.errors import BadSample, Damaged
from usenet.recorder.tracks import Track


def units(*each: str) -> list[bytes]:
    return [bytes.fromhex(one) for one in each]


# made by x264, x265, SVT-AV1, libaom and libvpx; sizes and depths are those that they were asked for
H264 = units("6764000dacd94150878888c044000003000400000300c83c50a658", "68ebe3cb22c0")
H265 = units(
    "40010c01ffff01600000030090000003000003003c959809",
    "42010101600000030090000003000003003ca00a480f9c9265959a4932bc05a02000000300200000030321",
    "4401c172b46240",
)
PICTURES_H264 = {
    "674d4028eca03c0113f2e022000003000200000300641e30632c": (1920, 1080, 77, 40, 1, 8),
    "674d401ef405a126c044000003000400000300c87c50aa80": (720, 576, 77, 30, 1, 8),  # interlaced
    "677a001eb6cd940a02fea2f011000003000100000300320f162d96": (638, 358, 122, 30, 2, 10),
    "67f4000a919b2884d808800000030080000019078912cb": (64, 64, 244, 10, 3, 8),
    "6742c03cda00780021db011000000300100000030320f08042a0": (7680, 4320, 66, 60, 1, 8),
}
PICTURES_H265 = {
    "4201020408000003009d080000030000780000b003c08010e75b659598acd24995e02d010000030001000003001908": (
        (1918, 1080, 4, 120, 2, 10),
        (2, False),
    ),
    "420101040800000300980800000300001e900490539e7294b2b35c995e02d0100000030010000003019080": (
        (66, 34, 4, 30, 3, 12),
        (1, True),
    ),
}
# sequence header → size, and av1C without it, as libav's muxer writes it
AV1 = {
    "0a0b00000042abbfc373efe501": (1920, 1080, "81084c00"),
    "0a0d200000032c184daf92021a0040": (66, 34, "81200000"),  # 4:4:4, sRGB
    "0a0a000000032c184daf92a0": (66, 34, "81001c00"),  # grey
    "0a06581960c2d622": (66, 34, "81406800"),  # a still of 12 bits, 4:2:2
}
# the begin of a key frame → vpcC, as libav's muxer writes it (but for sRGB's primaries, which it leaves open)
VP9 = {
    "8249834200045003160638241c18": "01000000000a820202020000",
    "a249834208008a0062c0c7048383": "01000000010a840202020000",
    "a249834200008a0062c0c7048383": "01000000010a860202020000",
    "a2498342e0045003160638241c18": "01000000010a87010d000000",
    "92498342000228018b031c120e0c": "01000000020aa20202020000",
    "b124c1a14000228018b031c120e0": "01000000030ac60202020000",
}


def config(track: Track) -> bytes:
    """What the last box in a visual sample entry holds."""
    (inner,) = boxes(track.entry, 8 + 78)
    return track.entry[inner.body : inner.end]


@pytest.mark.parametrize(("unit", "said"), PICTURES_H264.items())
def test_h264_sps_says_the_size_that_the_encoder_was_given(unit: str, said: tuple[int, ...]) -> None:
    seen = sps.h264(bytes.fromhex(unit))
    assert (seen.width, seen.height, seen.profile, seen.level, seen.chroma, seen.luma_bits) == said


@pytest.mark.parametrize(("unit", "said"), PICTURES_H265.items())
def test_h265_sps_says_the_size_that_the_encoder_was_given(unit: str, said: tuple[tuple[int, ...], object]) -> None:
    seen = sps.h265(bytes.fromhex(unit))
    assert (seen.width, seen.height, seen.profile, seen.level, seen.chroma, seen.luma_bits) == said[0]
    assert (seen.layers, seen.nested) == said[1]


def test_h264_from_annex_b_makes_the_avcc_of_other_muxers_and_reads_it_back() -> None:
    track = video.h264(1, 90_000, nal.join(reversed(H264)))
    assert config(track).hex() == (
        "0164000dffe1001b6764000dacd94150878888c044000003000400000300c83c50a65801000668ebe3cb22c0fdf8f800"
    )
    assert (track.width, track.height, track.entry[4:8]) == (322, 242, b"avc1")
    assert video.read_avcc(config(track)) == H264
    assert video.h264(1, 90_000, config(track)) == track == video.h264(1, 90_000, H264)
    assert video.h264(1, 90_000, H264, in_band=True).entry[4:8] == b"avc3"


def test_h265_from_annex_b_makes_hvcc_and_reads_it_back() -> None:
    track = video.hevc(1, 90_000, nal.join(H265))
    assert config(track)[:23].hex() == "0101600000009000000000003cf000fcfdf8f800000f03"
    assert (track.width, track.height, track.entry[4:8]) == (322, 242, b"hvc1")
    assert video.read_hvcc(config(track)) == H265
    assert video.hevc(1, 90_000, config(track)) == track
    in_band = video.hevc(1, 90_000, H265, in_band=True)
    assert in_band.entry[4:8] == b"hev1"
    assert [config(each)[23] >> 7 for each in (track, in_band)] == [1, 0], "arrays are complete unless in-band"


@pytest.mark.parametrize(("head", "said"), AV1.items())
def test_av1_from_a_packet_makes_the_av1c_of_other_muxers(head: str, said: tuple[int, int, str]) -> None:
    packet = bytes.fromhex("1200" + head + "3200")  # a temporal delimiter before, an empty frame behind
    track = video.av1(1, 90_000, packet)
    assert (track.width, track.height, config(track).hex()) == (said[0], said[1], said[2] + head)
    assert video.av1(1, 90_000, config(track)) == track


@pytest.mark.parametrize(("frame", "vpcc"), VP9.items())
def test_vp9_from_a_key_frame_makes_the_vpcc_of_other_muxers(frame: str, vpcc: str) -> None:
    track = video.vp9(1, 90_000, bytes.fromhex(frame))
    assert (track.width, track.height, config(track).hex()) == (70, 50, vpcc)
    changed = bytes.fromhex(frame)[:11] + b"\xff" * 3  # behind the size
    assert obu.vp9_settings(changed) == obu.vp9_settings(bytes.fromhex(frame)) != b""


def test_settings_without_what_a_decoder_needs_are_refused_with_the_name_of_it() -> None:
    with pytest.raises(BadSample, match="no picture parameter set"):
        video.h264(1, 1, H264[:1])
    with pytest.raises(BadSample, match="no video parameter set"):
        video.hevc(1, 1, H265[1:])
    with pytest.raises(BadSample, match="no sequence header"):
        video.av1(1, 1, b"\x12\x00")
    with pytest.raises(BadSample, match="no start code"):
        video.h264(1, 1, b"")
    with pytest.raises(BadSample, match="this is none"):
        video.vp9(1, 1, b"\x86\x00\x40\x92")
    with pytest.raises(BadSample, match="0x0"):
        video.vp9(1, 1)


MAKERS = (video.h264, video.hevc, video.av1, video.vp9)
GOOD = [
    *(nal.join([bytes.fromhex(one), H264[1]]) for one in PICTURES_H264),
    *(nal.join([H265[0], bytes.fromhex(one), H265[2]]) for one in PICTURES_H265),
    *map(bytes.fromhex, (*AV1, *VP9)),
]
GOOD += [video.avcc(H264), video.hvcc(H265), video.av1c(bytes.fromhex(next(iter(AV1))))]


@given(st.sampled_from(GOOD), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6), st.integers(1))
def test_settings_that_are_broken_anywhere_make_a_track_or_are_refused(
    good: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    broken = bytearray(good)
    for at, byte in changes:
        broken[at % len(broken)] = byte
    for make in MAKERS:
        _makes_or_refuses(make, bytes(broken[:end]))


@given(st.binary(max_size=80))
def test_settings_of_any_bytes_make_a_track_or_are_refused(data: bytes) -> None:
    for make in MAKERS:
        _makes_or_refuses(make, data)
    for begin in (b"\x01", b"\x81", b"\0\0\1\x67", b"\0\0\1\x42\x01"):
        for make in MAKERS:
            _makes_or_refuses(make, begin + data)


def _makes_or_refuses(make: object, data: bytes) -> None:
    with contextlib.suppress(BadSample, Damaged):
        track: Track = make(1, 90_000, data)  # type: ignore[operator]
        assert 0 < track.width <= 0xFFFF
        (whole,) = boxes(track.entry)
        assert len(list(boxes(track.entry, whole.body + 78))) == 1


@given(st.lists(st.integers(0, 2**20)), st.lists(st.integers(-(2**20), 2**20)))
def test_number_codes_are_read_as_they_are_written(plain: list[int], signed: list[int]) -> None:
    said = [2 * n - 1 if n > 0 else -2 * n for n in signed]
    text = "".join(f"{n + 1:b}".rjust(2 * (n + 1).bit_length() - 1, "0") for n in plain + said)
    text += "1" * (-len(text) % 8)
    bits = Bits(int(text, 2).to_bytes(len(text) // 8, "big") if text else b"")
    assert [bits.ue() for _ in plain] == plain
    assert [bits.se() for _ in signed] == signed
