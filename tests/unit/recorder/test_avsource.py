"""What is made of libav's streams and packets, without a network: whose clock counts, what is left out."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.sources.address import Address
from usenet.recorder.sources.avsource import AvSource, Patience, Wishes
from usenet.recorder.tracks import Sample

SECOND = 10**9


@dataclass
class Stream:
    """Of PyAV's, as much as is asked of one."""

    index: int
    codec: str = "pcm_alaw"
    type: str = "audio"
    time_base: Fraction = Fraction(1, 8000)
    language: str | None = None
    disposition: int = 0
    rate: int = 8000

    @property
    def codec_context(self) -> Any:
        codec = SimpleNamespace(canonical_name=self.codec)
        return SimpleNamespace(codec=codec, extradata=None, width=0, height=0, sample_rate=self.rate, channels=1)


@dataclass
class Packet:
    data: bytes
    dts: int | None
    stream_index: int = 0
    side: dict[str, bytes] = field(default_factory=dict)
    duration: int = 160

    @property
    def pts(self) -> int | None:
        return self.dts

    @property
    def size(self) -> int:
        return len(self.data)

    def __bytes__(self) -> bytes:
        return self.data

    def has_sidedata(self, kind: str) -> bool:
        return kind in self.side

    def get_sidedata(self, kind: str) -> bytes:
        return self.side[kind]


class Streams(list[Stream]):
    def best(self, kind: str) -> Stream | None:
        return next((each for each in self if each.type == kind), None)


class Container:
    """Gives these packets as a camera would: each a little later than the one before."""

    duration = None
    format = SimpleNamespace(name="rtsp")

    def __init__(self, streams: Sequence[Stream], packets: Sequence[Packet]) -> None:
        self.streams, self._packets, self.given = Streams(streams), packets, 0

    def demux(self, wanted: Sequence[Stream]) -> Iterator[Packet]:
        indexes = [each.index for each in wanted]
        for packet in self._packets:
            time.sleep(0.006)
            self.given += 1
            if packet.stream_index in indexes:
                yield packet

    def close(self) -> None: ...


def source(
    monkeypatch: pytest.MonkeyPatch, streams: Sequence[Stream], packets: Sequence[Packet], wishes: Wishes | None = None
) -> AvSource:
    made = AvSource("rtsp://camera/1", wishes or Wishes())
    monkeypatch.setattr(made, "_connect", lambda: Container(streams, packets))
    return made


def law(count: int, **more: Any) -> list[Packet]:
    return [Packet(bytes([n % 255 + 1]) * 160, n * 160, **more) for n in range(count)]


def samples(made: AvSource) -> list[Sample]:
    return [each for each in made.samples() if isinstance(each, Sample)]


def prft(wall_ns: int) -> dict[str, bytes]:
    return {"prft": (wall_ns // 1000).to_bytes(8, "little", signed=True) + bytes(16)}


def test_packets_become_samples_of_their_track(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0)], law(3))
    (track,) = made.open()
    assert (track.kind, track.timescale) == ("audio", 8000)
    assert [(each.track, each.data[0], each.dts) for each in samples(made)] == [(1, 1, 0), (1, 2, 160), (1, 3, 320)]


def test_a_credible_clock_of_the_camera_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = time.time_ns() // 1000 * 1000 - 100 * SECOND
    made = source(monkeypatch, [Stream(0)], [Packet(b"a", 0), Packet(b"b", 160, side=prft(told))])
    made.open()
    assert samples(made)[1].wall_ns == told


@pytest.mark.parametrize("side", [{}, prft(0), prft(time.time_ns() - 3600 * SECOND)], ids=["none", "1970", "wrong"])
def test_else_the_time_of_arrival_counts(monkeypatch: pytest.MonkeyPatch, side: dict[str, bytes]) -> None:
    before = time.time_ns()
    made = source(monkeypatch, [Stream(0)], law(5, side=side))
    made.open()
    walls = [each.wall_ns or 0 for each in samples(made)]
    assert all(before - SECOND < wall <= time.time_ns() for wall in walls)


def test_a_time_base_that_is_no_whole_rate_is_kept_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0, time_base=Fraction(3, 100))], [Packet(b"a", 5), Packet(b"b", 6)])
    (track,) = made.open()
    assert track.timescale == 100
    assert [each.dts for each in samples(made)] == [15, 18]


def test_what_a_file_cannot_hold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0, "adpcm_g726"), Stream(1)], law(3, stream_index=1))
    (track,) = made.open()
    assert track.id == 2


def test_where_nothing_can_be_held_it_is_said_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0, "mjpeg", "video"), Stream(1, "adpcm_g726")], [])
    with pytest.raises(RecorderError, match="mjpeg, adpcm_g726") as caught:
        made.open()
    assert not isinstance(caught.value, Unreachable)


def test_sound_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0)], law(3), Wishes(sound=False))
    with pytest.raises(RecorderError):
        made.open()


def test_a_cover_is_no_picture_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(monkeypatch, [Stream(0, "h264", "video", disposition=0x400), Stream(1)], law(2, stream_index=1))
    assert [track.kind for track in made.open()] == ["audio"]


def test_pictures_without_a_key_frame_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Packet(b"\0\0\0\1\x41\x9a", n * 3600) for n in range(1000)]
    made = source(monkeypatch, [Stream(0, "h264", "video")], pictures, Wishes(patience=Patience(key=0.05)))
    with pytest.raises(Unreachable, match="key frame"):
        made.open()
    assert made._container.given < 500  # type: ignore[union-attr]


def test_a_stream_that_never_says_what_it_is_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = [Packet(b"\0\0\0\1\x41\x9a", n * 160, 1) for n in range(100)]
    both = [each for pair in zip(law(100), unknown, strict=True) for each in pair]
    made = source(monkeypatch, [Stream(0), Stream(1, "h264", "data")], both, Wishes(patience=Patience(key=0.1)))
    with caplog.at_level(logging.WARNING):
        assert [track.id for track in made.open()] == [1]
    assert "h264 is left out" in caplog.text
    assert [each.track for each in samples(made)] == [1] * 100


def test_settings_may_come_with_the_first_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    """ADTS (ISO/IEC 13818-7 §6.2): AAC-LC, 48 kHz, two channels, 16 bytes with its header."""
    framed = bytes.fromhex("fff14c80021ffc") + b"123456789"
    made = source(monkeypatch, [Stream(0, "aac", rate=0)], [Packet(framed, 0), Packet(framed, 160)])
    (track,) = made.open()
    assert track.kind == "audio"
    assert [each.data for each in samples(made)] == [b"123456789"] * 2


def test_closing_is_never_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made, closed = source(monkeypatch, [Stream(0)], law(1)), []
    made.close()
    made.open()
    monkeypatch.setattr(Container, "close", lambda container: closed.append(container) or 1 / 0)
    made.close()
    made.close()
    assert len(closed) == 1


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "no machine is known by the name front door"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "no name server says now who front door is"),
        (OSError(24, "x"), ""),
    ],
)
def test_why_a_machine_is_not_known(failure: OSError, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert Address("rtsp://a:b@front%20door:554/1").unknown() == why
    assert Address("rtsp://127.0.0.1/1").host == "127.0.0.1"


@pytest.mark.parametrize("url", ["rtsp://127.0.0.1/1", "rtsp://[::1]:554/1", "rtsp://[fe80::1%25lo]/1"])
def test_an_address_in_numbers_is_known(url: str) -> None:
    assert Address(url).unknown() == ""


@pytest.mark.parametrize("url", ["film.mp4", "file:///a", "rtsp://[::1/1"])
def test_what_has_no_host_names_none(url: str) -> None:
    assert Address(url).host == ""
