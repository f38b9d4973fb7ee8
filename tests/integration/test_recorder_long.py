"""A day in one file: over 4 GiB, found in at every place, and no more memory for the last hour than for the first."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.integration.recorder_rig import media
from tests.integration.recorder_rig.long import BIG, EVERY, Length, hours
from usenet.recorder.recovery import recover

pytestmark = pytest.mark.slow
DAY, TEN = Length(24, 5, 4000), Length(10, 5, 1000)


def test_a_day_in_one_segment(tmp_path):
    told = hours(tmp_path / "day", DAY, finish=True)
    print(told)
    (path,) = (tmp_path / "day").iterdir()
    assert path.suffix == ".mp4"
    assert path.stat().st_size > 4 << 30
    assert told["at the end"] - told["after an hour"] < 5 << 20
    _holds(path, DAY)


def test_ten_hours_are_recovered(tmp_path):
    print(hours(tmp_path / "ten", TEN, finish=False))
    (part,) = (tmp_path / "ten").glob("*.part")
    report = recover(part)
    print(report)
    assert report.index_used
    assert (report.state, report.chunks_dropped, report.hopped) == ("finished", 0, 0)
    assert report.final
    _holds(report.final, TEN)


def _holds(path: Path, length: Length) -> None:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        seen = [
            (packet.pts, packet.is_keyframe, packet.size > BIG) for packet in container.demux(stream) if packet.size
        ]
        assert seen == [
            (number * length.ticks, number % media.GOP == 0, number % EVERY == 0) for number in range(length.pictures)
        ]
        for share in (0.0, 0.001, 0.37, 0.5, 0.83, 0.99999):
            _shows(container, stream, length, int(length.pictures * share))
        _shows(container, stream, length, length.pictures - 1)


def _shows(container, stream, length: Length, number: int) -> None:
    """A player that goes there shows this picture, and goes on to the next one if there is one."""
    container.seek(number * length.ticks, stream=stream)
    frames = container.decode(stream)
    frame = next(each for each in frames if each.pts >= number * length.ticks)
    assert frame.pts == number * length.ticks
    assert _brightness(frame) == media.brightness(number)
    last = [each.pts for each, _ in zip(frames, range(1), strict=False)]
    assert last == ([(number + 1) * length.ticks] if number + 1 < length.pictures else [])


def _brightness(frame) -> int:
    plane = frame.planes[0]
    return round(bytes(plane)[32 * plane.line_size + 32] / 10) * 10
