"""Rates and waits, with a clock of their own; and checksums that a storage tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.recorder.upload import crc32c as module
from usenet.recorder.upload.crc32c import crc32c, joined
from usenet.recorder.upload.pace import SLICE, Pace, Paced, Patience

from .uploads.memory import Clock


@given(st.lists(st.tuples(st.integers(0, 50_000), st.floats(0, 3)), max_size=30), st.integers(1000, 100_000))
def test_no_stretch_of_time_sees_more_than_the_rate_and_one_burst(takes: list[tuple[int, float]], rate: int) -> None:
    clock = Clock(0)
    pace = Pace(rate, burst=5000, clock=clock, sleep=clock.sleep)
    gone: list[tuple[float, int]] = []
    for count, idle in takes:
        clock.sleep(idle)
        pace.take(count)
        gone.append((clock.now, count))
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            passed = gone[last][0] - gone[first][0]
            after = sum(count for _, count in gone[first + 1 : last + 1])
            assert after <= 5000 + rate * passed + 1e-3


def test_a_rate_is_reached() -> None:
    clock = Clock(0)
    pace = Pace(1000, burst=100, clock=clock, sleep=clock.sleep)
    for _ in range(100):
        pace.take(100)
    assert clock.now == pytest.approx(9.9)


def test_no_rate_is_no_wait() -> None:
    Pace(0, sleep=lambda seconds: pytest.fail("it waited")).take(1 << 40)


def test_bytes_to_send_come_in_slices_at_their_pace() -> None:
    clock, data = Clock(0), bytes(range(256)) * 1024
    body = Paced(data, Pace(len(data), burst=1, clock=clock, sleep=clock.sleep))
    assert len(body) == len(data)
    pieces = list(iter(lambda: body.read(1 << 20), b""))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == SLICE
    assert clock.now == pytest.approx(1.0, rel=1e-3)
    body.seek(0)
    assert body.read() == data


def test_waits_double_up_to_the_most_and_begin_anew_after_a_success() -> None:
    patience = Patience(1, 300, chance=lambda: 1.0)
    assert [patience.failed() for _ in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    patience.worked()
    assert patience.failed() == 1
    for _ in range(5000):
        assert patience.failed() <= 300


def test_chance_takes_up_to_half_of_a_wait() -> None:
    assert Patience(8, chance=lambda: 0.0).failed() == 4
    assert 4 <= Patience(8).failed() <= 8


def test_crc32c_is_castagnoli_s() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_a_whole_has_the_checksum_of_its_pieces(pieces: list[bytes]) -> None:
    assert joined((crc32c(piece), len(piece)) for piece in pieces) == module._slowly(b"".join(pieces))
