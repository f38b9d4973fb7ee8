"""Sample entries of pictures: H.264, H.265 (ISO/IEC 14496-15), AV1 and VP9 (their own bindings to ISO BMFF)."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..errors import BadSample, Damaged
from ..tracks import Track
from . import nal, obu, sps
from .box import box, full

_SIZE = struct.Struct(">HH")


def entry(kind: bytes, width: int, height: int, *inner: bytes) -> bytes:
    """A VisualSampleEntry (ISO/IEC 14496-12 §12.1.3)."""
    if not (0 < width <= 0xFFFF and 0 < height <= 0xFFFF):
        raise BadSample(f"pictures of {width}x{height} fit in no MP4 file; 65535 each way is the most")
    head = bytes(6) + b"\x00\x01" + bytes(16) + _SIZE.pack(width, height)
    resolution = b"\x00\x48\x00\x00" * 2 + bytes(4) + b"\x00\x01"
    return box(kind, head, resolution, bytes(32), b"\x00\x18\xff\xff", *inner)


def h264(
    id: int,
    timescale: int,
    settings: bytes | Sequence[bytes],
    *,
    in_band: bool = False,
) -> Track:
    """A track of H.264 from avcC, from Annex B or from the parameter sets themselves.

    `in_band` says that parameter sets in the samples may differ from these (avc3). avc1 is what all players take.
    """
    if isinstance(settings, bytes) and is_config(settings):
        config = _four("h264", settings)
    else:
        config = avcc(_sets("h264", settings))
    picture = sps.h264(read_avcc(config)[0])
    kind = b"avc3" if in_band else b"avc1"
    made = entry(kind, picture.width, picture.height, box(b"avcC", config))
    return Track(id, "video", timescale, made, width=picture.width, height=picture.height)


def hevc(
    id: int,
    timescale: int,
    settings: bytes | Sequence[bytes],
    *,
    in_band: bool = False,
) -> Track:
    """A track of H.265 from hvcC, from Annex B or from the parameter sets themselves.

    `in_band` gives hev1 instead of hvc1, which is the one that Apple's players take.
    """
    if isinstance(settings, bytes) and is_config(settings):
        config = _four("hevc", settings)
    else:
        config = hvcc(_sets("hevc", settings), complete=not in_band)
    sets = [unit for unit in read_hvcc(config) if nal.kind("hevc", unit) == nal.SPS_H265]
    if not sets:
        raise BadSample("these H.265 settings have no sequence parameter set")
    picture = sps.h265(sets[0])
    made = entry(b"hev1" if in_band else b"hvc1", picture.width, picture.height, box(b"hvcC", config))
    return Track(id, "video", timescale, made, width=picture.width, height=picture.height)


def av1(id: int, timescale: int, settings: bytes) -> Track:
    """A track of AV1 from av1C or from OBUs that hold a sequence header."""
    config = settings if settings[:1] == b"\x81" else av1c(settings)
    if len(config) < 4:
        raise Damaged(f"av1C of {len(config)} bytes is cut short")
    head = next((unit for unit in obu.units(config[4:]) if unit.kind == obu.SEQUENCE), None)
    if head is None:
        raise BadSample("these AV1 settings have no sequence header, and so no picture size")
    seen = obu.sequence(head.body)
    made = entry(b"av01", seen.width, seen.height, box(b"av1C", config))
    return Track(id, "video", timescale, made, width=seen.width, height=seen.height)


def vp9(id: int, timescale: int, frame: bytes = b"", *, width: int = 0, height: int = 0, bits: int = 0) -> Track:
    """A track of VP9 from a key frame, whose header says size, depth and colour; from what is given without one."""
    seen = obu.vp9(frame) if frame else obu.Vp9(width, height, 2 if bits > 8 else 0, bits or 8)
    if seen is None:
        raise BadSample("VP9 has its settings in key frames, and this is none")
    flags = seen.bits << 4 | seen.chroma << 1 | seen.full
    config = bytes([seen.profile, _vp9_level(seen.width, seen.height), flags, *seen.colour, 0, 0])
    made = entry(b"vp09", seen.width, seen.height, full(b"vpcC", 1, 0, config))
    return Track(id, "video", timescale, made, width=seen.width, height=seen.height)


def _vp9_level(width: int, height: int) -> int:
    """The lowest level that holds a picture of this size; the frame rate, which could ask for more, is not known."""
    sizes = ((36864, 10), (122880, 20), (245760, 21), (552960, 30), (983040, 31), (2228224, 40), (8912896, 50))
    return next((level for most, level in sizes if width * height <= most), 60)


def is_config(settings: bytes) -> bool:
    """Whether these are avcC or hvcC: both begin with their version, as no start code does."""
    return settings[:1] == b"\x01"


def _sets(codec: nal.Codec, settings: bytes | Sequence[bytes]) -> list[bytes]:
    """The parameter sets in what was given; BadSample when one that is needed is missing."""
    found = nal.parameter_sets(codec, nal.split(settings) if isinstance(settings, bytes) else settings)
    needed = {nal.SPS: "sequence", nal.PPS: "picture"}
    if codec == "hevc":
        needed = {nal.VPS_H265: "video", nal.SPS_H265: "sequence", nal.PPS_H265: "picture"}
    for kind, word in needed.items():
        if not any(nal.kind(codec, unit) == kind for unit in found):
            raise BadSample(f"these {codec} settings have no {word} parameter set: a key frame may bring one")
    if any(len(unit) > 0xFFFF for unit in found):
        raise BadSample("a parameter set is longer than 65535 bytes")
    return found


def avcc(sets: Sequence[bytes]) -> bytes:
    """AVCDecoderConfigurationRecord (14496-15 §5.3.3.1) with four-byte lengths."""
    of = {kind: [unit for unit in sets if nal.kind("h264", unit) == kind] for kind in (nal.SPS, nal.PPS, 13)}
    seen = sps.h264(of[nal.SPS][0])
    if len(of[nal.SPS]) > 31 or len(of[nal.PPS]) > 255 or len(of[13]) > 255:
        raise BadSample("avcC holds 31 sequence and 255 picture parameter sets at most")
    made = b"\x01" + of[nal.SPS][0][1:4] + b"\xff" + _listed(0xE0, of[nal.SPS]) + _listed(0, of[nal.PPS])
    if seen.profile not in (66, 77, 88):
        depths = bytes([0xFC | seen.chroma, 0xF8 | seen.luma_bits - 8, 0xF8 | seen.chroma_bits - 8])
        made += depths + _listed(0, of[nal.SPS_EXTENSION])
    return made


def _listed(mark: int, units: Sequence[bytes]) -> bytes:
    return bytes([mark | len(units)]) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def read_avcc(config: bytes) -> list[bytes]:
    """The parameter sets in avcC, sequence before picture. Damaged if it is none."""
    if len(config) < 6 or config[0] != 1 or not config[5] & 31:
        raise Damaged("this is no avcC with a sequence parameter set")
    first, at = _units(config, 6, config[5] & 31)
    if at >= len(config):
        raise Damaged("avcC is cut short")
    return first + _units(config, at + 1, config[at])[0]


def _units(config: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """`count` NAL units, each after a length of 16 bits, and where they end."""
    units = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(config[at : at + 2], "big")
        if end > len(config) or at + 2 > len(config):
            raise Damaged("a parameter set reaches beyond the end of its list")
        units.append(config[at + 2 : end])
        at = end
    return units, at


def hvcc(sets: Sequence[bytes], *, complete: bool = True) -> bytes:
    """HEVCDecoderConfigurationRecord (14496-15 §8.3.3.1) with four-byte lengths.

    `complete`: samples bring no other sets. Of parallelism and frame rate it says "unknown".
    """
    seen = sps.h265(next(unit for unit in sets if nal.kind("hevc", unit) == nal.SPS_H265))
    made = b"\x01" + seen.tier + b"\xf0\x00\xfc"
    made += bytes([0xFC | seen.chroma, 0xF8 | seen.luma_bits - 8, 0xF8 | seen.chroma_bits - 8, 0, 0])
    kinds = (nal.VPS_H265, nal.SPS_H265, nal.PPS_H265)
    made += bytes([(seen.layers << 3 | seen.nested << 2 | 3) & 0xFF, len(kinds)])
    for kind in kinds:
        units = [unit for unit in sets if nal.kind("hevc", unit) == kind]
        made += bytes([complete << 7 | kind]) + len(units).to_bytes(2, "big")
        made += b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
    return made


def read_hvcc(config: bytes) -> list[bytes]:
    """The NAL units in hvcC. Damaged if it is none."""
    if len(config) < 23 or config[0] != 1:
        raise Damaged("this is no hvcC")
    units, at = [], 23
    for _ in range(config[22]):
        if at + 3 > len(config):
            raise Damaged("hvcC is cut short")
        more, at = _units(config, at + 3, int.from_bytes(config[at + 1 : at + 3], "big"))
        units += more
    return units


def sets_in(codec: nal.Codec, settings: bytes) -> list[bytes]:
    """The parameter sets in avcC, hvcC or Annex B. Damaged or BadSample if it is none of them."""
    if not is_config(settings):
        return nal.parameter_sets(codec, nal.split(settings))
    return nal.parameter_sets(codec, read_avcc(settings) if codec == "h264" else read_hvcc(settings))


def length_size(codec: nal.Codec, config: bytes) -> int:
    """How many bytes long the lengths in the samples are, by avcC or hvcC. Damaged if it is too short to say."""
    at = 4 if codec == "h264" else 21
    if len(config) <= at:
        raise Damaged("avcC or hvcC is cut short")
    return (config[at] & 3) + 1


def _four(codec: nal.Codec, config: bytes) -> bytes:
    """The same avcC or hvcC, for samples whose lengths have four bytes."""
    length_size(codec, config)
    at = 4 if codec == "h264" else 21
    return config[:at] + bytes([config[at] | 3]) + config[at + 1 :]


def av1c(data: bytes) -> bytes:
    """AV1CodecConfigurationRecord from OBUs. BadSample if there is no sequence header among them."""
    head = next((unit for unit in obu.units(data) if unit.kind == obu.SEQUENCE), None)
    if head is None:
        raise BadSample("these AV1 settings have no sequence header: wait for a key frame that brings one")
    seen = obu.sequence(head.body)
    flags = seen.tier << 7 | (seen.bits > 8) << 6 | (seen.bits == 12) << 5 | seen.grey << 4
    flags |= seen.half_across << 3 | seen.half_down << 2 | seen.position
    sized = bytes([obu.SEQUENCE << 3 | 2]) + _leb(len(head.body)) + head.body
    return bytes([0x81, seen.profile << 5 | seen.level, flags, 0]) + sized


def _leb(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])
