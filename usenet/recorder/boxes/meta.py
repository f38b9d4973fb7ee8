"""Sample entries of timed metadata: what a camera saw, where it was, what it knew (ISO/IEC 14496-12 §12.3.3)."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

from ..errors import BadSample
from ..tracks import Track
from .box import box, full

_ENTRY = bytes(6) + b"\x00\x01"

ONVIF = "application/vnd.onvif.metadata+xml"
KLV = "urn:smpte:ul:060e2b34.020b0101.0e010301.01000000"  # the key of MISB ST 0601's local set


def mett(
    id: int,
    timescale: int,
    mime: str,
    *,
    encoding: str = "",
) -> Track:
    """A track whose samples are of one MIME type each: "application/json", ONVIF, "text/xml".

    libav gives its samples as data, GStreamer too; MediaInfo 24.12 takes the MIME type for boxes and says so.
    """
    return _track(id, timescale, box(b"mett", _ENTRY, _word(encoding), _word(mime)))


def urim(id: int, timescale: int, uri: str) -> Track:
    """A track whose samples have the form that a URI names, as KLV does."""
    made = box(b"urim", _ENTRY, full(b"uri ", 0, 0, _word(uri)))
    return _track(id, timescale, made)


def _track(id: int, timescale: int, entry: bytes) -> Track:
    return Track(id, "meta", timescale, entry, duration=timescale)


def _word(word: str) -> bytes:
    """Text with the zero that ends it."""
    if "\x00" in word or not word.isprintable():
        raise BadSample(f"{word!r} can't stand in a metadata track's entry")
    return word.encode(errors="replace") + b"\x00"
