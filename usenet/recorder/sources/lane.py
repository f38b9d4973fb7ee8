"""One stream of a source: from its packets to samples of one track, and its settings as they change."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from ..boxes import entries
from ..errors import BadSample, Damaged
from ..tracks import Sample, Track

if TYPE_CHECKING:
    from av.packet import Packet
    from av.stream import Stream


class Lane:
    """`track` is None until the settings are known, which some sources tell only with the first key frame.

    It is another one after a packet that brings other settings.
    """

    def __init__(self, number: int, stream: Stream) -> None:
        """BadSample: an MP4 file can't hold such a stream."""
        self.number, self.kind, self.codec = number, stream.type, codec_of(stream)
        if self.codec not in entries.CODECS:
            raise BadSample(f"{self.codec or stream.type} can't be recorded")
        base = stream.time_base or Fraction(1, 90_000)
        self._unit, self.timescale = base.numerator, base.denominator
        self._stream = stream
        self._extradata = _extradata(stream)
        self._settings = b""
        self.track = self._made(self._extradata)

    def sample(self, packet: Packet[Stream]) -> Sample | None:
        """None: there is nothing in it. Times are the packet's, in ticks of the track."""
        raw = bytes(packet)
        told = _side(packet, "new_extradata")
        if told:
            self._extradata = told
            self._settle(told)
        try:
            data = entries.to_mp4(self.codec, raw, self._extradata)
            self._settle(entries.settings(self.codec, data, self._extradata))
            sync = entries.key(self.codec, data)
        except (BadSample, Damaged):
            return None
        if self.track is None:
            self._settle(raw)
        return Sample(
            self.number,
            data,
            self._ticks(packet.dts),
            self._ticks(packet.pts),
            sync,
            self._ticks(packet.duration) or None,
            _wall_ns(packet),
        )

    def _settle(self, settings: bytes) -> None:
        if not settings or settings == self._settings:
            return
        made = self._made(settings)
        if made is not None:
            self._settings, self.track = settings, made

    def _made(self, settings: bytes) -> Track | None:
        about = self._stream.codec_context
        try:
            track = entries.track(
                self.number,
                self.codec,
                timescale=self.timescale,
                extradata=settings,
                width=getattr(about, "width", 0) or 0,
                height=getattr(about, "height", 0) or 0,
                rate=getattr(about, "sample_rate", 0) or 0,
                channels=getattr(about, "channels", 0) or 0,
                language=self._stream.language or "und",
            )
        except (BadSample, Damaged):
            return None
        rate = getattr(self._stream, "average_rate", None)
        if track.kind == "video" and rate:
            return replace(track, duration=max(1, round(self.timescale / rate)))
        return track

    def _ticks(self, time: int | None) -> int | None:
        return None if time is None else time * self._unit


def codec_of(stream: Stream) -> str:
    """libav's name of the format, whichever decoder it would take for it; "" where it knows none."""
    about = stream.codec_context
    if about is None:
        return getattr(stream, "name", None) or ""
    return about.codec.canonical_name


def _extradata(stream: Stream) -> bytes:
    about = stream.codec_context
    return bytes(about.extradata or b"") if about is not None else b""


def _side(packet: Packet[Stream], kind: str) -> bytes:
    return bytes(packet.get_sidedata(kind)) if packet.has_sidedata(kind) else b""  # type: ignore[arg-type]


def _wall_ns(packet: Packet[Stream]) -> int | None:
    """The source's clock at this packet: AVProducerReferenceTime, made by libav from RTCP sender reports."""
    told = _side(packet, "prft")
    return struct.unpack_from("=q", told)[0] * 1000 if len(told) >= 8 else None
