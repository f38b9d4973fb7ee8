"""From what a source says of a stream to a track, and from its packets to samples as an MP4 file holds them."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from ..errors import BadSample
from ..tracks import Track
from . import audio, meta, nal, obu, text, video

CODECS = (
    *("h264", "hevc", "av1", "vp9", "aac", "opus", "pcm_alaw", "pcm_mulaw"),
    *(f"pcm_{form}" for form in audio.FORMS),
    *("mov_text", "webvtt", "mett", "klv"),
)
"""What can be recorded, by libav's names."""

_FROM_SETTINGS: dict[str, Callable[[int, int, bytes], Track]] = {
    "h264": video.h264,
    "hevc": video.hevc,
    "av1": video.av1,
    "mov_text": text.tx3g,
    "webvtt": text.wvtt,
}


def track(  # noqa: PLR0913 - the parameters of a stream, each by its name
    id: int,
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
    """A track for `codec` (libav's name of it). BadSample or Damaged when it can't be one, with the reason.

    `extradata` is what libav calls so: avcC or Annex B, hvcC, av1C or OBUs, AudioSpecificConfig, OpusHead, a
    text track's header; or a packet with a key frame, where the settings come in-band (H.26x, AV1, VP9; AAC with
    ADTS). For "mett" it is the MIME type of the samples. What the settings say of size and rate goes before what is
    given.
    """
    if codec not in CODECS:
        raise BadSample(f"{codec} can't be recorded", hint=f"these can: {', '.join(CODECS)}")
    if codec in _FROM_SETTINGS:
        made = _FROM_SETTINGS[codec](id, timescale, extradata)
    elif codec == "vp9":
        frame = extradata if extradata[:1] and extradata[0] >> 6 == 2 else b""
        made = video.vp9(id, timescale, frame, width=width, height=height, bits=bits)
    elif codec == "mett":
        made = meta.mett(id, timescale, extradata.decode(errors="replace"))
    elif codec == "klv":
        made = meta.urim(id, timescale, meta.KLV)
    else:
        made = _sound(id, codec, timescale, extradata, rate, channels)
    return replace(made, language=language, name=name)


def _sound(id: int, codec: str, timescale: int, extradata: bytes, rate: int, channels: int) -> Track:
    if codec == "aac":
        framed = audio.adts(extradata)
        return audio.aac(id, timescale, framed[0] if framed else extradata, rate=rate, channels=channels)
    if codec == "opus":
        return audio.opus(id, timescale, extradata, channels=channels or 2)
    if codec in ("pcm_alaw", "pcm_mulaw"):
        law: Literal["alaw", "ulaw"] = "alaw" if codec == "pcm_alaw" else "ulaw"
        return audio.g711(id, timescale, law, rate=rate or 8000, channels=channels or 1)
    return audio.pcm(id, timescale, codec.removeprefix("pcm_"), rate=rate, channels=channels)


def to_mp4(codec: str, data: bytes, extradata: bytes = b"") -> bytes:
    """What an MP4 sample holds of one packet: length-prefixed NAL units, OBUs without delimiters, AAC without ADTS.

    `extradata` as for `track`: avcC or hvcC say that packets are length-prefixed already, and they stay as they are.
    A packet of WebVTT is the text of one cue, and stays without its times. BadSample when nothing is left.
    """
    if codec in ("h264", "hevc"):
        made = data if video.is_config(extradata) else nal.prefixed(nal.split(data))
    elif codec == "av1":
        made = b"".join(unit.whole for unit in obu.units(data) if unit.kind != obu.DELIMITER)
    elif codec == "aac":
        framed = audio.adts(data)
        made = framed[1] if framed else data
    elif codec == "webvtt":
        made = text.wvtt_cue(data)
    else:
        made = data
    if not made:
        raise BadSample(f"a packet of {codec} of {len(data)} bytes with nothing in it")
    return made


def key(codec: str, sample: bytes, extradata: bytes = b"") -> bool:
    """Whether decoding can begin at this sample of `to_mp4`. Every sample of sound, text and metadata is such."""
    match codec:
        case "h264":
            return nal.is_key("h264", _parts("h264", sample, extradata))
        case "hevc":
            return nal.is_key("hevc", _parts("hevc", sample, extradata))
        case "av1":
            return obu.is_key(sample)
        case "vp9":
            return obu.vp9(sample) is not None
    return True


def settings(codec: str, sample: bytes, extradata: bytes = b"") -> bytes:
    """The settings that come with this sample of `to_mp4`, as `extradata` for `track`; b"" if none came.

    Equal settings are equal bytes, so that a source sees when they change.
    """
    match codec:
        case "h264":
            return nal.join(nal.parameter_sets("h264", _parts("h264", sample, extradata)))
        case "hevc":
            return nal.join(nal.parameter_sets("hevc", _parts("hevc", sample, extradata)))
        case "av1":
            return next((unit.whole for unit in obu.units(sample) if unit.kind == obu.SEQUENCE), b"")
        case "vp9":
            return obu.vp9_settings(sample)
    return b""


def _parts(codec: nal.Codec, sample: bytes, extradata: bytes) -> list[bytes]:
    size = video.length_size(codec, extradata) if video.is_config(extradata) else 4
    return list(nal.parts(sample, size))
