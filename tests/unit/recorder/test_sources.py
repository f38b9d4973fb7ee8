"""The parts between a camera and its recorder, each alone: addresses, waiting, the start of a stream, the backlog."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from usenet.recorder.sources.address import HIDDEN, Address
from usenet.recorder.sources.arrival import Arrival
from usenet.recorder.sources.backlog import Backlog, Gap
from usenet.recorder.sources.backoff import Backoff
from usenet.recorder.sources.opening import begin
from usenet.recorder.sources.rate import Rate
from usenet.recorder.sources.source import Retrack
from usenet.recorder.tracks import Sample, Track

PICTURE = Track(1, "video", 90_000, b"", duration=3600)
SOUND = Track(2, "audio", 48_000, b"", duration=960)
BOTH = (PICTURE, SOUND)
START = 1_795_000_000 * 10**9


def picture(dts: int | None, *, key: bool = False, pts: int | None = None, size: int = 10) -> Sample:
    return Sample(1, b"p" * size, dts, dts if pts is None else pts, key, 3600)


def sound(dts: int | None, size: int = 10) -> Sample:
    return Sample(2, b"s" * size, dts, dts, True, 960)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://10.0.0.5:554/stream1", "rtsp://10.0.0.5:554/stream1"),
        ("rtsp://admin:S3cret!word@10.0.0.5/a", f"rtsp://{HIDDEN}@10.0.0.5/a"),
        ("rtsp://admin:p@ss@word@10.0.0.5/a", f"rtsp://{HIDDEN}@10.0.0.5/a"),
        ("rtmp://h/x?channel=0&user=admin&password=S3cret!word", f"rtmp://h/x?{HIDDEN}"),
        ("srt://h:9000?passphrase=S3cret!word", f"srt://h:9000?{HIDDEN}"),
        (
            "rtsp://h/user=admin_password=S3cret!word_channel=1.sdp",
            f"rtsp://h/user={HIDDEN}_password={HIDDEN}_channel=1.sdp",
        ),
        ("/srv/films/what?.mp4", "/srv/films/what?.mp4"),
    ],
)
def test_an_address_shows_no_secret(url: str, shown: str) -> None:
    address = Address(url)
    assert str(address) == shown
    assert shown in repr(address)
    assert address.reveal() == url


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("rtsp://admin:S3cret!word@10.0.0.5/a", "S3cret!word"),
        ("rtsp://admin:S3%23et@10.0.0.5/a", "S3#et"),
        ("http://h/a.m3u8?token=abcd1234", "abcd1234"),
        ("rtsp://h/user=admin&password=tlJwpbo6&channel=1", "tlJwpbo6"),
    ],
)
def test_no_secret_is_left_in_what_others_say(url: str, secret: str) -> None:
    said = Address(url).clean(f"Connection to '{url}' failed, tried {secret}")
    assert secret not in said
    assert "failed" in said


@pytest.mark.parametrize(
    ("url", "live"), [("rtsp://h/a", True), ("RTSP://h/a", True), ("a.mp4", False), ("file:///a.mp4", False)]
)
def test_only_files_can_wait(url: str, live: bool) -> None:
    assert Address(url).live is live


def test_waiting_doubles_up_to_the_most_and_begins_again_when_all_is_well() -> None:
    backoff = Backoff(1, 10, 0, chance=lambda: 0.5)
    assert [backoff.wait() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.wait() == 1
    assert backoff.longest() == 10


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 7.5), (0.5, 10.0), (1.0, 12.5)])
def test_thirty_cameras_do_not_come_back_in_the_same_instant(chance: float, wait: float) -> None:
    assert Backoff(10, 30, 0.25, chance=lambda: chance).wait() == wait


def opened(*samples: Sample | Retrack, tracks: tuple[Track, ...] = BOTH) -> list[Sample | Retrack]:
    return list(begin(iter(samples), tracks))


def test_a_stream_begins_at_its_first_key_frame() -> None:
    samples = [picture(0), sound(0), picture(3600, key=True), sound(1920), picture(7200)]
    assert opened(*samples) == samples[2:]


def test_sound_that_lasts_into_the_key_frame_is_kept_and_comes_first() -> None:
    early, key, late = sound(1000), picture(3600, key=True), sound(1960)
    assert opened(sound(40), early, key, late) == [early, key, late]


def test_the_earliest_sample_comes_first_though_it_came_last() -> None:
    key, then = picture(9000, key=True), picture(12_600)
    assert opened(key, then, sound(4700), sound(5660)) == [sound(4700), key, then, sound(5660)]


def test_the_first_key_frame_gets_the_time_before_the_second_picture() -> None:
    first, *_ = opened(picture(None, key=True), picture(9000), picture(12_600), sound(0))
    assert first == picture(5400, key=True)


def test_b_frames_at_the_start_get_times_in_the_order_of_decoding() -> None:
    told = [(None, None), (10_800, None), (3600, None), (7200, 3600), (18_000, 7200)]
    samples = [Sample(1, bytes([n]), dts, pts, n == 0, 3600) for n, (pts, dts) in enumerate(told)]
    placed = opened(*samples, tracks=(PICTURE,))
    assert [(each.dts, each.pts) for each in placed if isinstance(each, Sample)] == [
        (-7200, 0),
        (-3600, 10_800),
        (0, 3600),
        (3600, 7200),
        (7200, 18_000),
    ]


def test_a_silent_microphone_does_not_keep_the_pictures_waiting() -> None:
    read = itertools.count()
    samples = (picture(n * 3600, key=n == 0) for n in read)
    first = next(begin(samples, BOTH))
    assert first == picture(0, key=True)
    assert next(read) < 20


def test_nothing_is_held_back_once_the_start_is_over() -> None:
    read: list[Sample] = []

    def camera() -> Iterator[Sample]:
        for n in itertools.count():
            read.append(picture(n * 3600, key=n == 0))
            yield read[-1]

    samples = begin(camera(), (PICTURE,))
    for n in range(1, 10):
        assert next(samples) == read[-1]
        assert len(read) == n


def test_sound_alone_begins_at_once() -> None:
    assert opened(sound(5), sound(965), tracks=(SOUND,)) == [sound(5), sound(965)]


def test_other_settings_during_the_start_stand_before_their_key_frame() -> None:
    other = Retrack((PICTURE,))
    first, second = picture(None, key=True), picture(3600, key=True)
    assert opened(first, other, second) == [first, other, second]


def test_what_fits_passes_in_order() -> None:
    backlog = Backlog(100)
    given = [picture(n, key=n == 0) for n in range(5)]
    assert all(backlog.offer(each, leads=each.sync) for each in given)
    backlog.end()
    assert list(backlog.items()) == given
    assert len(backlog) == 0


def test_what_the_drive_has_in_hand_still_takes_room() -> None:
    backlog = Backlog(10)
    backlog.offer(picture(0), leads=True)
    taken = backlog.items()
    next(taken)
    assert len(backlog) == 10
    assert not backlog.offer(picture(1), leads=False)


def test_too_much_is_dropped_up_to_a_key_frame_for_which_there_is_room() -> None:
    clock = Clock()
    backlog = Backlog(40, clock=clock)
    kept = [picture(n) for n in range(4)]
    for each in kept:
        backlog.offer(each, leads=False)
    assert not backlog.offer(picture(4), leads=False)
    clock.now += 2
    assert not backlog.offer(picture(5, key=True), leads=True), "no room yet"
    taken = backlog.items()
    assert [next(taken) for _ in range(4)] == kept
    assert not backlog.offer(picture(6), leads=False), "room, but no key frame"
    clock.now += 1
    after = picture(7, key=True)
    assert backlog.offer(after, leads=True)
    backlog.end()
    assert list(taken) == [Gap(3000, "the drive was too slow", 3), after]
    assert (backlog.dropped, backlog.dropping) == (3, False)


def test_a_picture_larger_than_the_backlog_still_passes() -> None:
    assert Backlog(10).offer(picture(0, size=1000), leads=True)


def test_the_backlog_never_makes_a_camera_wait_and_never_grows() -> None:
    backlog = Backlog(1000)
    for n in range(10_000):
        backlog.offer(picture(n, key=n % 25 == 0), leads=n % 25 == 0)
        assert len(backlog) <= 1000
    assert backlog.dropped == 9900


def test_a_file_waits_for_the_drive() -> None:
    backlog, seen = Backlog(30), []

    def put() -> None:
        for n in range(200):
            backlog.wait_and_put(picture(n))
            seen.append(len(backlog))
        backlog.end()

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    assert [each.dts for each in backlog.items() if isinstance(each, Sample)] == list(range(200))
    thread.join(60)
    assert max(seen) <= 40
    assert backlog.dropped == 0


def test_a_file_that_waits_is_let_go_when_nobody_takes_any_more() -> None:
    backlog = Backlog(10)
    backlog.wait_and_put(picture(0))
    thread = threading.Thread(target=lambda: backlog.wait_and_put(picture(1)), daemon=True)
    thread.start()
    backlog.end()
    thread.join(60)
    assert not thread.is_alive()


def test_the_least_delayed_packet_tells_when_the_others_were_taken() -> None:
    arrival = Arrival({1: 90_000})
    samples = [picture(n * 90_000) for n in range(3)]
    for each in samples:  # three seconds of the past at once, the newest a tenth of a second old
        arrival.see(each, START + 100_000_000)
    assert arrival.first_ns(samples) == pytest.approx(START - 2 * 10**9 + 100_000_000, abs=1000)


def test_a_clock_that_drifts_is_followed() -> None:
    arrival = Arrival({1: 90_000})
    for n in range(200):
        arrival.see(picture(n * 90_000), START + n * 1_010_000_000)
    assert abs((arrival.taken_ns(picture(199 * 90_000)) or 0) - START - 199 * 1_010_000_000) < 10**9


def test_times_that_jump_begin_a_new_reckoning() -> None:
    arrival = Arrival({1: 90_000})
    arrival.see(picture(90_000 * 5000), START)
    arrival.see(picture(0), START)
    assert arrival.taken_ns(picture(0)) == pytest.approx(START, abs=1000)


def test_nothing_is_known_of_a_sample_without_time() -> None:
    arrival = Arrival({1: 90_000})
    arrival.see(picture(None), START)
    assert arrival.taken_ns(picture(None)) is None
    assert arrival.taken_ns(picture(5)) is None


def test_pictures_a_second_are_counted_by_the_sources_time() -> None:
    rate = Rate()
    rate.follow(BOTH)
    for n in range(50):
        rate.count(picture(n * 3600), 0)
        rate.count(sound(n * 960), 0)
    assert rate.fps == pytest.approx(25)


def test_a_jump_is_no_picture_rate() -> None:
    rate = Rate()
    rate.follow(BOTH)
    for dts in (0, 3600, 90_000_000, 90_003_600, None, 0, 3600):
        rate.count(picture(dts), 0)
    assert rate.fps == pytest.approx(25)


def test_sound_alone_has_no_pictures() -> None:
    rate = Rate()
    rate.follow((SOUND,))
    rate.count(sound(0), 5)
    rate.count(sound(960), 5.02)
    assert rate.fps == 0
    assert rate.reached == pytest.approx(5.02)


def test_a_picture_that_was_held_back_was_not_taken_later_for_that() -> None:
    rate = Rate()
    rate.follow(BOTH)
    rate.count(picture(0), 100)
    rate.count(picture(3600), 100.04)
    rate.count(picture(7200), 102.08)
    assert rate.reached == pytest.approx(100.08, abs=0.01)


def test_a_clock_that_goes_slow_is_caught_up_with() -> None:
    rate = Rate()
    rate.follow(BOTH)
    for n in range(90_000):
        rate.count(picture(n * 3600), n * 0.04 * 1.001)
    assert rate.reached == pytest.approx(89_999 * 0.04 * 1.001, abs=0.1)


def test_times_that_begin_anew_were_taken_when_they_came() -> None:
    rate = Rate()
    rate.follow(BOTH)
    rate.count(picture(90_000 * 50), 100)
    rate.count(picture(0), 160)
    assert rate.reached == 160
