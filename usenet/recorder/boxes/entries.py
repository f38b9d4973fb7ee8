"""From what a source says of a stream to a track, and from its packets to samples as an MP4 file holds them."""

# ruff: noqa: A002 - `id` is a track's word for its number

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeGuard

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

    `extradata` as for `track`: avcC or hvcC say that packets are length-prefixed already. Lengths have four bytes in
    every sample of ours. A packet of WebVTT is the text of one cue. BadSample when nothing is left.
    """
    if _has_nal_units(codec):
        made = _prefixed(codec, data, extradata)
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


def _has_nal_units(codec: str) -> TypeGuard[nal.Codec]:
    return codec in ("h264", "hevc")


def _prefixed(codec: nal.Codec, data: bytes, extradata: bytes) -> bytes:
    if not video.is_config(extradata):
        return nal.prefixed(nal.split(data))
    size = video.length_size(codec, extradata)
    return data if size == 4 else nal.prefixed(nal.parts(data, size))


def key(codec: str, sample: bytes) -> bool:
    """Whether decoding can begin at this sample of `to_mp4`. Every sample of sound, text and metadata is such."""
    if _has_nal_units(codec):
        return nal.is_key(codec, nal.parts(sample))
    if codec == "av1":
        return obu.is_key(sample)
    return codec != "vp9" or obu.vp9(sample) is not None


def settings(codec: str, sample: bytes, extradata: bytes = b"") -> bytes:
    """The settings that hold from this sample of `to_mp4` on, as `extradata` for `track`; b"" if it brings none.

    Settings that only repeat those of `extradata` are `extradata` itself, so that a source sees when they change:
    the same settings are the same bytes.
    """
    if _has_nal_units(codec):
        return _parameter_sets(codec, nal.parameter_sets(codec, nal.parts(sample)), extradata)
    if codec == "av1":
        found = next((unit for unit in obu.units(sample) if unit.kind == obu.SEQUENCE), None)
        if found is None:
            return b""
        return extradata if found.body in _sequences(extradata) else found.whole
    return obu.vp9_settings(sample) if codec == "vp9" else b""


def _parameter_sets(codec: nal.Codec, found: list[bytes], extradata: bytes) -> bytes:
    """Those of a kind that did not come are taken from `extradata`."""
    if not found:
        return b""
    known = video.sets_in(codec, extradata) if extradata else []
    if all(unit in known for unit in found):
        return extradata
    came = {nal.kind(codec, unit) for unit in found}
    rest = [unit for unit in known if nal.kind(codec, unit) not in came]
    return nal.join(nal.parameter_sets(codec, [*found, *rest]))


def _sequences(extradata: bytes) -> list[bytes]:
    units = extradata[4:] if extradata[:1] == b"\x81" else extradata
    return [unit.body for unit in obu.units(units) if unit.kind == obu.SEQUENCE]
