"""Sample entries and samples of text: 3GPP timed text (TS 26.245) and WebVTT in ISO BMFF (14496-30)."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

import struct

from ..errors import BadSample, Damaged
from ..tracks import Track
from .box import box, boxes

_ENTRY = bytes(6) + b"\x00\x01"

# white on nothing, at the bottom, in the middle; one font with the number 1
_STYLE = struct.pack(">IbbIHHHHHHHBBI", 0, 1, -1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 18, 0xFFFFFFFF)
_FONT = box(b"ftab", b"\x00\x01\x00\x01\x0aSans-Serif")


def tx3g(id: int, timescale: int, header: bytes = b"") -> Track:
    """A track of timed text. `header` is what follows the entry's first eight bytes; white at the bottom without.

    libav, GStreamer and MediaInfo know it; mkvmerge 74 leaves it out.
    """
    header = header or _STYLE + _FONT
    if len(header) < len(_STYLE):
        raise Damaged(f"a header of timed text has {len(_STYLE)} bytes or more; this one has {len(header)}")
    list(boxes(header, len(_STYLE)))
    return Track(id, "text", timescale, box(b"tx3g", _ENTRY, header), duration=timescale)


def tx3g_cue(text: str) -> bytes:
    """A sample of timed text; "" for the time in which nothing is shown."""
    data = text.encode(errors="replace")
    if len(data) > 0xFFFF:
        raise BadSample(f"a text of {len(data)} bytes; 65535 is the most for one sample")
    return struct.pack(">H", len(data)) + data


def read_tx3g(sample: bytes) -> str:
    """The text of a sample, without its styles. Damaged if it is cut short."""
    size = int.from_bytes(sample[:2], "big")
    if len(sample) < 2 + size:
        raise Damaged(f"a sample of timed text says {size} bytes, {max(len(sample) - 2, 0)} are there")
    return sample[2 : 2 + size].decode(errors="replace")


def wvtt(id: int, timescale: int, header: bytes = b"") -> Track:
    """A track of WebVTT. `header` is the text above the first cue: "WEBVTT", regions, styles.

    GStreamer and MediaInfo know it; to libav 5.1 and 8 it is data without a name, mkvmerge 74 leaves it out.
    """
    text = header.strip(b"\xef\xbb\xbf\r\n\x00 ") or b"WEBVTT"
    if not text.startswith(b"WEBVTT"):
        text = b"WEBVTT\n\n" + text
    made = box(b"wvtt", _ENTRY, box(b"vttC", text))
    return Track(id, "text", timescale, made, duration=timescale)


NO_CUE = box(b"vtte")
"""A sample of WebVTT for the time in which nothing is shown."""


def wvtt_cue(text: bytes, *, identifier: bytes = b"", layout: bytes = b"") -> bytes:
    """A sample with one cue; `layout` is what stands behind the times in a .vtt file ("align:start line:0")."""
    inner = [box(b"iden", identifier)] if identifier else []
    inner += [box(b"sttg", layout)] if layout else []
    return box(b"vttc", *inner, box(b"payl", text))


def read_wvtt(sample: bytes) -> list[bytes]:
    """The texts of the cues in a sample, none for a time in which nothing is shown. Damaged if it holds no boxes."""
    return [
        bytes(sample[inner.body : inner.end])
        for cue in boxes(sample)
        if cue.kind == b"vttc"
        for inner in boxes(sample, cue.body, cue.end)
        if inner.kind == b"payl"
    ]
