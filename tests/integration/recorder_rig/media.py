"""Pictures and sound that know their number, so that every byte of a file can be held against what was handed in.

A picture is a true H.264 one (a player shows it) behind a filler NAL unit that carries its number and bytes of its own.
"""

from __future__ import annotations

import functools
import io
import random
from fractions import Fraction

import av

from tests.recorder_crash.player import Shown, play
from usenet.recorder.boxes.box import find
from usenet.recorder.tracks import Sample, Track

GOP = 5
VIDEO, AUDIO = 1, 2
RATE = {VIDEO: 30, AUDIO: 48_000 / 1024}
TICKS = {VIDEO: (90_000, 3000), AUDIO: (48_000, 1024)}  # timescale, and how long each lasts
_MARK = b"usenet%d:"
_LENGTH = len(_MARK % 1) + 4


@functools.cache
def _film() -> tuple[bytes, list[Shown]]:
    """A sample entry, and one closed GOP of 64 × 64, each picture brighter than the one before."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "g": str(GOP), "bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 30)
        for number in range(GOP):
            frame = av.VideoFrame(64, 64, "yuv420p")
            for plane, value in zip(frame.planes, (brightness(number), 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = out.getvalue()
    return _entry(data), play(data)[1]


@functools.cache
def _sound() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate, frame.pts = 48_000, 0
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return _entry(out.getvalue())


def _entry(data: bytes) -> bytes:
    """The sample entry of the only track of a file."""
    found = find(data, "moov/trak/mdia/minf/stbl/stsd")
    assert found
    return data[found.body + 8 : found.end]


@functools.cache
def tracks(*, sound: bool) -> tuple[Track, ...]:
    video = Track(VIDEO, "video", 90_000, _film()[0], width=64, height=64, duration=3000)
    return (video, Track(AUDIO, "audio", 48_000, _sound(), duration=1024)) if sound else (video,)


def brightness(number: int) -> int:
    """What a player shows for this picture."""
    return 40 * (number % GOP) + 20


def data(seed: str, track: int, number: int) -> bytes:
    """The bytes of a sample: the same every time."""
    rng = random.Random(f"{seed} {track} {number}")
    marked = (_MARK % track) + _digits(number)
    if track == AUDIO:
        return marked + rng.randbytes(rng.randint(20, 200))
    filler = b"\x0c" + marked + rng.randbytes(rng.choice((40, 700, 700, 6000))).replace(b"\0", b"\1") + b"\x80"
    return len(filler).to_bytes(4, "big") + filler + _film()[1][number % GOP].data


def sample(seed: str, track: int, number: int) -> Sample:
    at = number * TICKS[track][1]
    return Sample(track, data(seed, track, number), at, at, sync=track == AUDIO or number % GOP == 0)


def number_of(given: bytes, track: int) -> int:
    """Which sample this claims to be; -1 when it claims nothing."""
    at = given.find(_MARK % track, 0, 32)
    return _number(given, at)


def last_of(written: bytes, track: int) -> int:
    """The number of the last sample of a track in what goes to the drive in one piece; -1 when there is none."""
    at = written.rfind(_MARK % track)
    return _number(written, at)


def _digits(number: int) -> bytes:
    """Four bytes, none of them 0, which a NAL unit would have to escape."""
    return bytes(0x80 | (number >> shift & 0x7F) for shift in (21, 14, 7, 0))


def _number(data: bytes, at: int) -> int:
    if at < 0 or len(data) < at + _LENGTH:
        return -1
    number = 0
    for digit in data[at + _LENGTH - 4 : at + _LENGTH]:
        number = number << 7 | digit & 0x7F
    return number
