"""NAL units of H.264 and H.265: cut out of a byte stream, put into samples, and what they are."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Literal

from ..errors import BadSample, Damaged
from .bits import Bits

Codec = Literal["h264", "hevc"]

_START = b"\x00\x00\x01"
_u32 = struct.Struct(">I")

SPS, PPS, SPS_EXTENSION = 7, 8, 13  # H.264 table 7-1
_IDR, _SEI = 5, 6
VPS_H265, SPS_H265, PPS_H265 = 32, 33, 34  # H.265 table 7-1
_IRAP = range(16, 24)
_RECOVERY_POINT = 6


def is_annexb(data: bytes) -> bool:
    """Whether it begins with a start code, as no avcC and no hvcC does."""
    return data.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))


def split(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream (Annex B), without start codes and the zeros around them.

    BadSample when the stream does not begin with a start code.
    """
    start = data.find(_START)
    if start < 0 or data.count(0, 0, start) != start:
        raise BadSample("this packet has no start code: it is no byte stream of NAL units (Annex B)")
    units = []
    while start >= 0:
        following = data.find(_START, start + 3)
        unit = data[start + 3 : following if following >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        start = following
    return units


def join(units: Iterable[bytes]) -> bytes:
    """A byte stream of these NAL units, each after a four-byte start code."""
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


def prefixed(units: Iterable[bytes]) -> bytes:
    """An MP4 sample of these NAL units, each after its length in four bytes."""
    return b"".join(_u32.pack(len(unit)) + unit for unit in units)


def parts(sample: bytes, length_size: int = 4) -> Iterator[bytes]:
    """The NAL units of an MP4 sample. Damaged when a length reaches beyond its end."""
    at = 0
    while at < len(sample):
        body = at + length_size
        end = body + int.from_bytes(sample[at:body], "big")
        if body > len(sample) or end > len(sample):
            raise Damaged(f"a NAL unit at byte {at} says {end - body} bytes, {max(len(sample) - body, 0)} are there")
        if end > body:
            yield sample[body:end]
        at = end


def kind(codec: Codec, unit: bytes) -> int:
    """The type of a NAL unit, by the table of its codec; -1 for one too short to have any."""
    if codec == "h264":
        return unit[0] & 0x1F if unit else -1
    return unit[0] >> 1 & 0x3F if len(unit) > 1 else -1


def raw(unit: bytes) -> bytes:
    """What a NAL unit holds (RBSP): the bytes that kept it free of start codes are taken out."""
    if b"\x00\x00\x03" not in unit:
        return unit
    out, start = bytearray(), 0
    while (at := unit.find(b"\x00\x00\x03", start)) >= 0:
        out += unit[start : at + 2]
        start = at + 3
    return bytes(out + unit[start:])


def is_key(codec: Codec, units: Iterable[bytes]) -> bool:
    """Whether decoding can begin here: an IDR or IRAP picture, or H.264's recovery point that is exact at once."""
    for unit in units:
        what = kind(codec, unit)
        if codec == "hevc":
            if what < 32:  # the first slice says it: all of a picture are of one sort
                return what in _IRAP
        elif what == _IDR or (what == _SEI and _recovers(unit)):
            return True
        elif 1 <= what < _IDR:
            return False
    return False


def _recovers(unit: bytes) -> bool:
    """Whether H.264's SEI says: right from this picture on (recovery_frame_cnt 0)."""
    body, at = raw(unit), 1
    try:
        while at + 2 < len(body):
            numbers = []
            for _ in range(2):
                number = 0
                while body[at] == 0xFF:
                    number, at = number + 255, at + 1
                numbers.append(number + body[at])
                at += 1
            what, size = numbers
            if what == _RECOVERY_POINT:
                return Bits(body[at : at + size]).ue() == 0
            at += size
    except (IndexError, Damaged):
        return False
    return False


def parameter_sets(codec: Codec, units: Iterable[bytes]) -> list[bytes]:
    """The parameter sets among these NAL units, in the order in which decoders want them, none twice.

    H.265's are those of the base layer; a sub-layer's own belong to no plain track.
    """
    wanted = (SPS, SPS_EXTENSION, PPS) if codec == "h264" else (VPS_H265, SPS_H265, PPS_H265)
    found = list(dict.fromkeys(unit for unit in units if kind(codec, unit) in wanted))
    if codec == "hevc":
        found = [unit for unit in found if not (unit[0] & 1 or unit[1] >> 3)]
    return sorted(found, key=lambda unit: wanted.index(kind(codec, unit)))
