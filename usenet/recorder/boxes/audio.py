"""Sample entries of sound: AAC (ISO/IEC 14496-14 and -3), Opus (its binding to ISO BMFF), G.711 and PCM (QuickTime)."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

import struct
from typing import Literal, NamedTuple

from ..errors import BadSample, Damaged
from ..tracks import Track
from .bits import Bits
from .box import box, full

FORMS = ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le", "f32be")
"""The forms of PCM that can be recorded."""

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0)


def entry(kind: bytes, rate: int, channels: int, bits: int, *inner: bytes) -> bytes:
    """An AudioSampleEntry. Its rate has 16 bits: a higher one is written as 0, and is then the track's timescale."""
    if not (0 < channels <= 0xFFFF and 0 < rate < 1 << 32):
        raise BadSample(f"sound of {channels} channels at {rate} Hz fits in no MP4 file")
    fixed = struct.pack(">HHIHH", channels, bits, 0, rate if rate <= 0xFFFF else 0, 0)
    return box(kind, bytes(6), b"\x00\x01", bytes(8), fixed, *inner)


class Aac(NamedTuple):
    """What AudioSpecificConfig says. `rate` is the one that is heard, where it says of spectral band replication."""

    rate: int
    channels: int  # 0: a program config element says
    object_type: int


def aac_config(config: bytes) -> Aac:
    """AudioSpecificConfig (14496-3 §1.6.2.1). Damaged if it is none."""
    bits = Bits(config[:16])
    what = _object_type(bits)
    rate = _rate(bits)
    channels = _CHANNELS[bits.u(4)]
    if what in (5, 29):
        rate = _rate(bits)
        what = _object_type(bits)
    if not what or not rate:
        raise Damaged("this is no AudioSpecificConfig: it has no object type or no rate")
    return Aac(rate, channels, what)


def _object_type(bits: Bits) -> int:
    what = bits.u(5)
    return 32 + bits.u(6) if what == 31 else what


def _rate(bits: Bits) -> int:
    index = bits.u(4)
    if index == 15:
        return bits.u(24)
    if index >= len(_RATES):
        raise Damaged(f"an AudioSpecificConfig has rate number {index}, which stands for none")
    return _RATES[index]


def make_aac_config(rate: int, channels: int, object_type: int = 2) -> bytes:
    """AudioSpecificConfig of plain AAC (2: LC). BadSample for a number of channels that it has no word for."""
    if channels not in (1, 2, 3, 4, 5, 6, 7, 8) or not 0 < rate < 1 << 24:
        raise BadSample(f"AAC of {channels} channels at {rate} Hz needs its AudioSpecificConfig from the source")
    layout = {7: 11, 8: 7}.get(channels, channels)
    if rate in _RATES:
        return (object_type << 11 | _RATES.index(rate) << 7 | layout << 3).to_bytes(2, "big")
    return (object_type << 35 | 15 << 31 | rate << 7 | layout << 3).to_bytes(5, "big")


_ADTS = 7


def adts(packet: bytes) -> tuple[bytes, bytes] | None:
    """An ADTS packet of one frame, as AudioSpecificConfig and the bare frame; None when the packet is bare already.

    A bare frame can't begin like ADTS: its first three bits would say that it ends there.
    """
    if len(packet) < _ADTS or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return None
    bits = Bits(packet[2:_ADTS])
    object_type, rate, _, layout = bits.u(2) + 1, bits.u(4), bits.u(1), bits.u(3)
    bits.skip(4)
    length, _, blocks = bits.u(13), bits.u(11), bits.u(2)
    start = _ADTS if packet[1] & 1 else _ADTS + 2
    if blocks or length != len(packet) or length <= start or rate >= len(_RATES):
        raise BadSample(f"an ADTS packet of {len(packet)} bytes that says {length} and {blocks + 1} frames")
    return (object_type << 11 | rate << 7 | layout << 3).to_bytes(2, "big"), packet[start:]


def _descriptor(tag: int, *body: bytes) -> bytes:
    """A descriptor of 14496-1 §8.3.3, its size in four bytes as QuickTime writes them."""
    inner = b"".join(body)
    size = len(inner)
    return bytes([tag, size >> 21 & 127 | 128, size >> 14 & 127 | 128, size >> 7 & 127 | 128, size & 127]) + inner


def aac(
    id: int,
    timescale: int,
    config: bytes = b"",
    *,
    rate: int = 0,
    channels: int = 0,
) -> Track:
    """A track of AAC from AudioSpecificConfig, or AAC-LC from rate and channels where there is none."""
    config = config or make_aac_config(rate, channels)
    if len(config) > 1 << 20:
        raise BadSample("an AudioSpecificConfig of more than a mebibyte is none")
    said = aac_config(config)
    decoder = _descriptor(4, b"\x40\x15", bytes(11), _descriptor(5, config))
    esds = full(b"esds", 0, 0, _descriptor(3, bytes(3), decoder, _descriptor(6, b"\x02")))
    made = entry(b"mp4a", said.rate, said.channels or channels or 2, 16, esds)
    frame = 1024 * timescale // said.rate
    return Track(id, "audio", timescale, made, duration=max(frame, 1))


def opus(
    id: int,
    timescale: int,
    head: bytes = b"",
    *,
    channels: int = 2,
) -> Track:
    """A track of Opus from OpusHead (RFC 7845 §5.1), or of one or two channels where there is none."""
    if not head:
        if channels not in (1, 2):
            raise BadSample(f"Opus of {channels} channels needs its OpusHead from the source")
        head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 312, 48000, 0, 0)
    if len(head) < 19 or not head.startswith(b"OpusHead") or head[8] >> 4:
        raise Damaged("this is no OpusHead of version 1")
    said, skip, original, gain, family = struct.unpack_from("<BHIhB", head, 9)
    mapping = head[19 : 21 + said] if family else b""
    if not said or (family and len(mapping) != 2 + said):
        raise Damaged("an OpusHead without channels, or without their order")
    dops = box(b"dOps", struct.pack(">BBHIhB", 0, said, skip, original, gain, family), mapping)
    made = entry(b"Opus", 48000, said, 16, dops)
    return Track(id, "audio", timescale, made, duration=max(timescale // 50, 1))


def g711(
    id: int,
    timescale: int,
    law: Literal["alaw", "ulaw"],
    *,
    rate: int = 8000,
    channels: int = 1,
) -> Track:
    """A track of G.711 by QuickTime's names, which libav, GStreamer and MediaInfo know; mkvmerge 74 only lists it."""
    made = entry(law.encode(), rate, channels, 16)
    return Track(id, "audio", timescale, made, duration=max(timescale // 50, 1))


def pcm(
    id: int,
    timescale: int,
    form: str,
    *,
    rate: int,
    channels: int,
) -> Track:
    """A track of PCM; `form` is s16le, s16be, s24le, s24be, s32le, s32be, f32le or f32be.

    Of 16 bits it is `sowt` or `twos`, which all parsers know; of more, or above 65535 Hz, `lpcm` with QuickTime's
    second sound description: libav 5.1 and 8, GStreamer 1.22, mkvmerge 74 and MediaInfo 24.12 read it right, MediaInfo
    23.04 names wrong channels. ISO's own `ipcm` and `fpcm` (23003-5) are known to neither GStreamer 1.22 nor mkvmerge
    74, `fpcm` not to libav 5.1; `in24` and `in32` of little-endian sound are big-endian to GStreamer or MediaInfo.
    """
    if form not in FORMS:
        raise BadSample(f"PCM of the form {form} can't be recorded", hint=f"these can: {', '.join(FORMS)}")
    bits, little, real = int(form[1:3]), form.endswith("le"), form[0] == "f"
    if bits == 16 and rate <= 0xFFFF:
        made = entry(b"sowt" if little else b"twos", rate, channels, 16)
    else:
        made = _lpcm(rate, channels, bits, real << 0 | (not little) << 1 | (not real) << 2 | 1 << 3)
    return Track(id, "audio", timescale, made, duration=max(timescale // 50, 1))


def _lpcm(rate: int, channels: int, bits: int, flags: int) -> bytes:
    """QuickTime's sound description, version 2. `flags`: 1 float, 2 big-endian, 4 signed, 8 packed."""
    if not (0 < channels <= 0xFFFF and 0 < rate < 1 << 32):
        raise BadSample(f"sound of {channels} channels at {rate} Hz fits in no MP4 file")
    fixed = b"\x00\x02" + bytes(6) + struct.pack(">HHhHI", 3, 16, -2, 0, 0x10000)
    form = struct.pack(">IdIIIIII", 72, rate, channels, 0x7F000000, bits, flags, bits // 8 * channels, 1)
    return box(b"lpcm", bytes(6), b"\x00\x01", fixed, form)
