"""NAL units and OBUs: from a stream to a sample and back, without a byte lost; where decoding can begin."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.recorder.test_boxes_video import AV1, H264, H265
from usenet.recorder.boxes import nal, obu
from usenet.recorder.errors import BadSample, Damaged

IDR, SLICE, AUD = b"\x65\x88\x84", b"\x41\x9a\x24", b"\x09\xf0"


def unescaped(body: bytes) -> bytes:
    """Bytes as a NAL unit may hold them: no start code inside, no zero at the end."""
    out = body.replace(b"\x00\x00\x00", b"\x00\x00\x03\x00").replace(b"\x00\x00\x01", b"\x00\x00\x03\x01")
    return out.replace(b"\x00\x00\x02", b"\x00\x00\x03\x02").rstrip(b"\x00")


UNITS = st.lists(st.binary(min_size=1).map(unescaped).filter(lambda unit: unit and b"\0\0\1" not in unit), min_size=1)


@given(UNITS, st.sampled_from([b"\0\0\1", b"\0\0\0\1", b"\0\0\0\0\1"]), st.integers(0, 3))
def test_a_stream_is_split_whatever_its_start_codes_and_comes_back(
    units: list[bytes], start: bytes, zeros: int
) -> None:
    stream = b"".join(start + unit for unit in units) + bytes(zeros)
    assert nal.split(stream) == units
    assert nal.split(nal.join(units)) == units
    assert list(nal.parts(nal.prefixed(units))) == units


@given(st.binary())
def test_any_bytes_are_a_stream_or_refused(data: bytes) -> None:
    for stream in (data, b"\0\0\1" + data):
        with contextlib.suppress(BadSample):
            assert all(nal.split(stream))


@given(st.binary(), st.sampled_from([1, 2, 4]))
def test_any_bytes_are_a_sample_or_damaged(data: bytes, size: int) -> None:
    with contextlib.suppress(Damaged):
        assert sum(map(len, nal.parts(data, size))) <= len(data)
    for codec in ("h264", "hevc"):
        nal.is_key(codec, [data])
        nal.parameter_sets(codec, [data])


def test_what_keeps_start_codes_out_of_a_unit_is_taken_out_once() -> None:
    assert nal.raw(b"\x00\x00\x03\x01\x00\x00\x03\x00\x00\x03") == b"\x00\x00\x01\x00\x00\x00\x00"
    assert nal.raw(b"\x00\x03\x00") == b"\x00\x03\x00"


SEI_RECOVERY = b"\x06\x06\x01\xc0\x80"  # recovery_frame_cnt 0
SEI_LATER = b"\x06\x06\x01\x60\x80"  # 2 pictures later
SEI_LONG = b"\x06\xff\x01\x00\x06\x01\xc0\x80"  # another message before


@pytest.mark.parametrize(
    ("units", "key"),
    [
        ([AUD, *H264, IDR], True),
        ([AUD, SLICE], False),
        ([AUD, SEI_RECOVERY, SLICE], True),
        ([AUD, SEI_LONG, SLICE], True),
        ([AUD, SEI_LATER, SLICE], False),
        ([SLICE, IDR], False),
        (H264, False),
        ([b"\x06\xff\xff"], False),
    ],
)
def test_h264_begins_at_idr_and_at_recovery_points_that_are_exact_at_once(units: list[bytes], key: bool) -> None:
    assert nal.is_key("h264", units) is key


@pytest.mark.parametrize(("kind", "key"), [(1, False), (9, False), (16, True), (19, True), (20, True), (21, True)])
def test_h265_begins_at_its_random_access_pictures(kind: int, key: bool) -> None:
    assert nal.is_key("hevc", [*H265, bytes([kind << 1, 1, 0xAF])]) is key


def test_parameter_sets_are_found_once_each_in_the_order_of_decoders_and_of_the_base_layer() -> None:
    assert nal.parameter_sets("h264", [H264[1], IDR, H264[0], H264[1]]) == H264
    other_layer = bytes([H265[1][0], H265[1][1] | 8]) + H265[1][2:]
    assert nal.parameter_sets("hevc", [other_layer, *reversed(H265), b"\x40"]) == H265


SEQUENCE = bytes.fromhex(next(iter(AV1)))
DELIMITER = b"\x12\x00"


@pytest.mark.parametrize(
    ("packet", "key"),
    [
        (DELIMITER + SEQUENCE + b"\x32\x01\x10", True),  # key frame, shown
        (DELIMITER + SEQUENCE + b"\x32\x01\x00", False),  # key frame, shown later
        (DELIMITER + SEQUENCE + b"\x32\x01\x30", False),
        (DELIMITER + b"\x32\x01\x10", False),  # without its sequence header
        (SEQUENCE + b"\x30\x10", True),  # the last unit may go without a size
        (SEQUENCE, False),
    ],
)
def test_av1_begins_at_a_key_frame_that_is_shown_behind_its_sequence_header(packet: bytes, key: bool) -> None:
    assert obu.is_key(packet) is key


@given(st.binary(), st.sampled_from([b"", DELIMITER, SEQUENCE, DELIMITER + SEQUENCE + b"\x32"]))
def test_any_bytes_are_obus_or_damaged(data: bytes, before: bytes) -> None:
    with contextlib.suppress(Damaged):
        assert b"".join(unit.whole for unit in obu.units(before + data)) == before + data
    for read in (obu.is_key, obu.sequence, obu.vp9, obu.vp9_settings):
        with contextlib.suppress(Damaged):
            read(before + data)
