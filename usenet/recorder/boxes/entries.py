"""From what a source says of a stream to a track, and from its packets to samples as an MP4 file holds them."""

from __future__ import annotations

from ..errors import BadSample
from ..tracks import Track


def track(  # noqa: PLR0913 - the parameters of a stream, each by its name
    id: int,  # noqa: A002 - a track's name for its own number
    codec: str,
    *,
    timescale: int,
    extradata: bytes = b"",
    width: int = 0,
    height: int = 0,
    rate: int = 0,
    channels: int = 0,
    bits: int = 0,
    language: str = "und",
    name: str = "",
) -> Track:
    """A track for `codec` (libav's name of it). BadSample when an MP4 file can't hold it or the settings are no such.

    `extradata` is what libav calls so: avcC or Annex B, hvcC, av1C or OBUs, AudioSpecificConfig, OpusHead, a
    text track's header; or the first packet with a key frame, where the settings come in-band (H.26x, AV1, VP9).
    For "mett" it is the MIME type of the samples. What the settings say of size and rate goes before what is given.
    """
    raise BadSample(f"{codec}: not yet")


def to_mp4(codec: str, data: bytes, extradata: bytes = b"") -> bytes:
    """What an MP4 sample holds of one packet: length-prefixed NAL units, OBUs without delimiters, AAC without ADTS.

    `extradata` as for `track`: avcC or hvcC say that packets are length-prefixed already, and they stay as they are.
    BadSample when nothing is left of it.
    """
    raise BadSample(f"{codec}: not yet")


def key(codec: str, data: bytes) -> bool:
    """Whether decoding can begin at this sample, which is in MP4's form. Every sample of sound and text is such."""
    raise BadSample(f"{codec}: not yet")


def settings(codec: str, data: bytes, extradata: bytes = b"") -> bytes:
    """The codec settings that come with this packet, as `extradata` for `track`; b"" if none came.

    Equal settings are equal bytes, so that a source sees when they change.
    """
    raise BadSample(f"{codec}: not yet")
