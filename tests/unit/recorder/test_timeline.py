"""Whatever times a source gives, a file gets times that it can hold; good times are left alone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usenet.recorder.errors import BadSample
from usenet.recorder.timeline import LEAP, Placed, Timeline
from usenet.recorder.tracks import Sample, Track

MS = 10**6
START = 1_795_000_000 * 10**9
PICTURE = Track(1, "video", 90_000, b"", duration=3600)
SOUND = Track(2, "audio", 48_000, b"", duration=1024)
WORDS = Track(3, "text", 1000, b"")


def picture(dts: int | None, **more: object) -> Sample:
    return Sample(1, b"p", dts, more.pop("pts", dts), **more)  # type: ignore[arg-type]


def sound(dts: int | None, **more: object) -> Sample:
    return Sample(2, b"s", dts, more.pop("pts", dts), **more)  # type: ignore[arg-type]


class Feeding:
    """A timeline and a clock that the test moves."""

    def __init__(self, *tracks: Track) -> None:
        self.timeline = Timeline(tracks or (PICTURE, SOUND))
        self.now = START

    def give(self, sample: Sample, *, after_ms: int = 40) -> Placed:
        self.now += after_ms * MS
        return self.timeline.place(sample, self.now)

    def pictures(self, *dts: int | None) -> list[Placed]:
        return [self.give(picture(each)) for each in dts]


def times(placed: list[Placed]) -> list[int]:
    return [each.dts for each in placed]


def plain(placed: list[Placed]) -> bool:
    return not any(each.gap_ms or each.discontinuity or each.roll for each in placed)


def test_regular_times_come_out_as_they_went_in() -> None:
    placed = Feeding().pictures(*range(0, 90_000, 3600))
    assert times(placed) == list(range(0, 90_000, 3600))
    assert plain(placed)


def test_only_the_start_is_taken_off() -> None:
    assert times(Feeding().pictures(777_000, 780_600, 784_200)) == [0, 3600, 7200]


def test_the_first_key_frame_of_rtsp_has_no_times_and_is_kept_a_frame_before_the_next() -> None:
    assert times(Feeding().pictures(None, 9000, 12_600)) == [0, 3600, 7200]


def test_sound_keeps_its_place_beside_a_first_picture_without_times() -> None:
    feed = Feeding()
    first, second = feed.pictures(None, 90_000)
    beside = feed.give(sound(48_000), after_ms=0)
    assert (first.dts, second.dts) == (0, 3600)
    assert beside.dts * 90_000 == second.dts * 48_000


def test_missing_times_later_go_on_by_one_frame() -> None:
    assert times(Feeding().pictures(0, 3600, None, None, 14_400)) == [0, 3600, 7200, 10_800, 14_400]


def test_a_missing_dts_is_taken_from_pts() -> None:
    feed = Feeding()
    feed.give(picture(0))
    assert feed.give(picture(None, pts=5000)).dts == 5000


def test_priming_before_zero_moves_all_tracks_alike() -> None:
    feed = Feeding()
    first, then = feed.give(sound(-2112)), feed.give(picture(0))
    assert (first.dts, then.dts) == (0, 2112 * 90_000 // 48_000)


def test_presentation_keeps_its_distance() -> None:
    feed = Feeding()
    placed = [feed.give(picture(dts, pts=pts)) for dts, pts in ((0, 7200), (3600, 18_000), (7200, 10_800))]
    assert [(each.dts, each.cts) for each in placed] == [(0, 7200), (3600, 14_400), (7200, 3600)]


def test_presentation_stays_true_where_decoding_had_to_move() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    moved = feed.give(picture(3000, pts=12_000))
    assert moved.dts > 3600
    assert moved.dts + moved.cts == 12_000


def test_nonsense_in_pts_is_not_believed() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    assert feed.give(picture(7200, pts=7200 + 90_000 * 3600)).cts == 0


@pytest.mark.parametrize("late", [0, 1, 3599])
def test_a_time_that_stays_or_steps_back_is_met_again(late: int) -> None:
    feed = Feeding()
    placed = feed.pictures(0, 3600, 7200, 7200 - late, 14_400, 18_000)
    assert times(placed)[-2:] == [14_400, 18_000]
    assert plain(placed)


def test_times_that_stand_still_go_on_as_time_does() -> None:
    placed = Feeding().pictures(*[0, 3600, 7200], *[7200] * 500)
    assert times(placed)[-1] == pytest.approx(502 * 3600, rel=0.1)


@pytest.mark.parametrize("first", [(1 << 32) - 2 * 3600, (1 << 33) - 2 * 3600], ids=["rtp", "mpeg-ts"])
def test_a_wrap_cannot_be_seen(first: int) -> None:
    ring = 1 << first.bit_length()
    placed = Feeding().pictures(*[(first + n * 3600) % ring for n in range(6)])
    assert times(placed) == [n * 3600 for n in range(6)]
    assert plain(placed)


def test_a_late_packet_from_before_the_wrap_stays_before_it() -> None:
    top = 1 << 32
    feed = Feeding()
    placed = feed.pictures(top - 7200, top - 3600, 0, top - 1800, 7200)
    assert times(placed)[-1] == 14_400
    assert plain(placed)


def test_pts_beyond_the_wrap_is_near_its_dts() -> None:
    feed = Feeding()
    feed.give(picture((1 << 32) - 3600, pts=(1 << 32) - 3600))
    assert feed.give(picture((1 << 32) - 1, pts=3599)).cts == 3600


def test_each_track_wraps_by_itself_and_may_count_from_anywhere() -> None:
    feed = Feeding()
    placed = []
    for n in range(200):
        shown = feed.give(picture((1 << 32) - 36_000 + n * 3600 & 0xFFFFFFFF))
        heard = feed.give(sound((1 << 32) - 192_000 + n * 1920 & 0xFFFFFFFF), after_ms=0)
        assert shown.dts * 48_000 == heard.dts * 90_000
        placed += [shown, heard]
    assert plain(placed)


@pytest.mark.parametrize("jump", [90_000 * 3600, -90_000 * 3600, -90_000 * 3], ids=["ahead", "back", "a little back"])
def test_a_jump_of_the_sources_clock_stretches_nothing(jump: int) -> None:
    feed = Feeding()
    feed.pictures(400_000, 403_600)
    jumped, then = feed.pictures(407_200 + jump, 410_800 + jump)
    assert (jumped.dts, then.dts) == (7200, 10_800)
    assert (jumped.discontinuity, jumped.gap_ms, jumped.roll) == (True, 0, False)
    assert plain([then])


def test_sound_follows_the_jump_of_the_picture_when_it_jumps_too() -> None:
    feed = Feeding()
    jump = 7200
    for n in range(10):
        feed.give(sound(n * 1920), after_ms=0)
        feed.give(picture(n * 3600))
    jumped = feed.give(picture(36_000 + jump * 90_000))
    still = feed.give(sound(10 * 1920), after_ms=0)
    after = feed.give(sound(11 * 1920 + jump * 48_000), after_ms=0)
    assert jumped.discontinuity
    assert still.dts == 10 * 1920
    assert after.dts == 11 * 1920
    assert plain([still, after])


def test_one_track_may_jump_alone() -> None:
    feed = Feeding()
    placed = []
    for n in range(50):
        placed.append(feed.give(sound(n * 1920), after_ms=0))
        placed.append(feed.give(picture(n * 3600 + (90_000 * 100 if n >= 20 else 0))))
    assert [each.discontinuity for each in placed].count(True) == 1
    assert placed[-1].dts == 49 * 3600
    assert placed[-2].dts == 49 * 1920


def test_an_absence_of_seconds_is_a_gap_and_takes_its_time() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    back = feed.give(picture(7200 - 90_000 * 60), after_ms=5000)
    assert back.dts == 3600 + 5 * 90_000
    assert (back.gap_ms, back.discontinuity, back.roll) == (4960, True, False)


def test_what_the_source_itself_leaves_out_is_a_gap() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    back = feed.give(picture(7200 + 3 * 90_000), after_ms=40)
    assert (back.dts, back.gap_ms, back.discontinuity) == (7200 + 3 * 90_000, 3000, False)


def test_a_slow_camera_has_no_gaps() -> None:
    placed = Feeding(Track(1, "video", 90_000, b"")).pictures(*range(0, 90_000 * 100, 90_000 * 5))
    assert plain(placed)


def test_a_camera_that_is_a_little_late_has_no_gap() -> None:
    feed = Feeding(Track(1, "video", 90_000, b"", duration=90_000))
    assert plain(feed.pictures(0, 90_000, 90_000 * 4))


def test_a_pause_makes_no_other_picture_long() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    after = feed.give(picture(7200 + 90_000 * 5))
    then = feed.give(picture(10_800 + 90_000 * 5))
    assert after.duration <= 7200
    assert then.duration == 3600


def test_a_wrong_duration_of_a_picture_moves_nothing() -> None:
    feed = Feeding()
    placed = [feed.give(picture(dts, duration=1)) for dts in (0, 3600, 7200, 7200)]
    assert times(placed) == [0, 3600, 7200, 10_800]


def test_silence_of_words_is_no_gap() -> None:
    feed = Feeding(PICTURE, WORDS)
    feed.give(Sample(3, b"w", 0, 0))
    placed = feed.pictures(*range(0, 90_000 * 60, 3600))
    said = feed.give(Sample(3, b"w", 60_000, 60_000))
    assert said.dts == 60_000
    assert plain([*placed, said])


def test_a_long_absence_begins_a_new_segment_at_zero() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    back = feed.give(picture(7200 + 90_000 * 60), after_ms=60_040)
    assert (back.dts, back.roll, back.gap_ms) == (0, True, 60_000)
    assert feed.give(picture(10_800 + 90_000 * 60)).dts == 3600


def test_a_long_absence_is_told_once() -> None:
    feed = Feeding()
    feed.give(picture(0))
    feed.give(sound(0), after_ms=0)
    feed.timeline.absent(30_000)
    placed = [feed.give(sound(0), after_ms=30_000), feed.give(picture(0)), *feed.pictures(3600, 7200)]
    assert [each.gap_ms for each in placed] == [30_000, 0, 0, 0]
    assert [each.roll for each in placed] == [True, False, False, False]
    assert [each.dts for each in placed] == [0, 0, 3600, 7200]


@pytest.mark.parametrize("raw", [0, 10_800, 90_000 * 3600], ids=["anew", "by chance nearly the same", "elsewhere"])
def test_after_an_absence_times_may_begin_anew(raw: int) -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    feed.timeline.absent(5000)
    back = feed.give(picture(raw), after_ms=5000)
    assert (back.dts, back.gap_ms) == (7200 + 5 * 90_000, 5000)


def test_a_short_absence_takes_its_time_too() -> None:
    feed = Feeding()
    feed.pictures(400_000, 403_600)
    feed.timeline.absent(500)
    assert feed.give(picture(0)).dts == 7200 + 45_000


def test_an_absence_before_the_first_sample_begins_nothing_anew() -> None:
    feed = Feeding()
    feed.timeline.absent(60_000)
    first = feed.give(picture(5))
    assert (first.dts, first.roll, first.gap_ms) == (0, False, 60_000)


def test_after_an_absence_times_that_went_on_are_believed() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    feed.timeline.absent(2000)
    back = feed.give(picture(7200 + 181_111), after_ms=40)
    assert (back.dts, back.gap_ms, back.discontinuity) == (7200 + 181_111, 2000, False)


def test_the_hosts_clock_set_back_or_ahead_changes_nothing() -> None:
    feed = Feeding()
    placed = feed.pictures(0, 3600)
    placed += [feed.give(picture(7200), after_ms=-86_400_000), feed.give(picture(10_800), after_ms=86_400_000 * 365)]
    assert times(placed) == [0, 3600, 7200, 10_800]
    assert plain(placed)


def test_a_jump_while_the_hosts_clock_was_set_back_goes_on_by_one_frame() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    assert feed.give(picture(90_000 * 500), after_ms=-3_600_000).dts == 7200


def test_a_segment_begins_with_the_earliest_track_and_moves_none() -> None:
    feed = Feeding()
    for n in range(25):
        feed.give(picture(n * 3600))
        if n < 22:
            feed.give(sound(n * 1920, duration=1920), after_ms=0)
    feed.timeline.rebase()
    key = feed.give(picture(25 * 3600))
    heard = [feed.give(sound(n * 1920, duration=1920)) for n in range(22, 27)]
    assert heard[0].dts == 0
    assert key.dts == 3 * 3600
    assert heard[3].dts == 3 * 1920
    assert plain([key, *heard])


def test_a_track_that_fell_silent_is_not_awaited() -> None:
    feed = Feeding()
    feed.give(sound(0))
    feed.pictures(*range(0, 90_000 * 3, 3600))
    feed.timeline.rebase()
    assert feed.give(picture(90_000 * 3)).dts == 0


def test_words_are_not_awaited() -> None:
    feed = Feeding(PICTURE, WORDS)
    feed.pictures(0, 3600)
    feed.give(Sample(3, b"w", 0, 0, duration=10))
    feed.timeline.rebase()
    assert feed.give(picture(7200)).dts == 0


def test_sound_from_before_the_first_picture_is_kept_and_catches_up() -> None:
    feed = Feeding()
    feed.give(picture(90_000))
    heard = [feed.give(sound(48_000 - 9_600 + n * 1024)) for n in range(40)]
    assert heard[0].dts == 0
    assert heard[-1].dts == 39 * 1024 - 9_600
    assert plain(heard)


def test_other_settings_keep_the_line() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    feed.timeline.retrack([Track(1, "video", 90_000, b"other"), SOUND])
    first, second = feed.pictures(7200, 10_800)
    assert (first.dts, second.dts) == (0, 3600)
    assert plain([first, second])


def test_what_is_missing_while_settings_change_is_a_gap() -> None:
    feed = Feeding()
    feed.pictures(0, 3600)
    feed.timeline.retrack([Track(1, "video", 90_000, b"other"), SOUND])
    assert feed.give(picture(7200 + 3 * 90_000)).gap_ms == 3000


def test_a_track_of_another_rate_is_another_track() -> None:
    feed = Feeding()
    feed.pictures(0, 90_000 * 5)
    feed.timeline.retrack([Track(1, "video", 1000, b"")])
    first, second = feed.pictures(77, 117)
    assert (first.dts, second.dts) == (0, 40)
    assert plain([first, second])


def test_the_sources_clock_is_kept_and_carried_on() -> None:
    feed = Feeding()
    told = START + 1000 * MS
    placed = [feed.give(picture(0, wall_ns=told)), feed.give(picture(3600)), feed.give(picture(7200), after_ms=999)]
    assert [each.wall_ns for each in placed] == [told, told + 40 * MS, told + 80 * MS]


def test_a_clock_that_nobody_set_is_not_believed() -> None:
    feed = Feeding()
    assert feed.give(picture(0, wall_ns=5)).wall_ns == feed.now


def test_an_unknown_track_is_refused() -> None:
    with pytest.raises(BadSample, match="track 9"):
        Feeding().give(Sample(9, b"", 0, 0))


def test_a_jump_forgets_the_sources_clock() -> None:
    feed = Feeding()
    feed.give(picture(0, wall_ns=START + 100_000 * MS))
    assert feed.give(picture(90_000 * 7200)).wall_ns == feed.now


any_time = st.one_of(st.none(), st.integers(-(1 << 34), 1 << 34), st.integers(0, 200_000), st.integers())
any_sample = st.builds(
    Sample, st.sampled_from([1, 2, 3]), st.just(b"x"), any_time, any_time, st.booleans(), st.one_of(st.none(), any_time)
)
an_event = st.one_of(st.none(), st.integers(0, 100_000))


@settings(max_examples=400)
@given(st.lists(st.tuples(any_sample, st.integers(-(10**12), 10**13), an_event), max_size=60))
def test_any_times_at_all_become_times_that_a_file_can_hold(given_: list[tuple[Sample, int, int | None]]) -> None:
    timeline, last, now = Timeline([PICTURE, SOUND, WORDS]), {}, START
    for sample, passed, event in given_:
        now += passed
        if event is not None:
            timeline.absent(event) if event % 2 else timeline.rebase()
        fresh = event is not None and not event % 2
        placed = timeline.place(sample, now)
        if placed.roll or fresh:
            last.clear()
        assert placed.dts > last.get(placed.track, -1)
        assert abs(placed.cts) < 1 << 31
        assert 0 < placed.duration <= LEAP * 90_000
        assert placed.wall_ns
        assert placed.gap_ms >= 0
        last[placed.track] = placed.dts


@settings(max_examples=200)
@given(
    start=st.integers(-(1 << 40), 1 << 40),
    frame=st.integers(300, 45_000),
    offset=st.integers(0, 20_000),
    cuts=st.sets(st.integers(1, 79)),
    clock=st.lists(st.integers(-(10**12), 10**12), min_size=160, max_size=160),
)
def test_regular_times_keep_every_distance_to_within_a_tick(
    start: int, frame: int, offset: int, cuts: set[int], clock: list[int]
) -> None:
    """Over any number of new segments, any start and whatever the host's clock does."""
    timeline = Timeline([PICTURE, SOUND])
    clocks = iter(clock)
    lines: list[tuple[Placed, Placed]] = []
    for n in range(80):
        if n in cuts:
            timeline.rebase()
        shown = start + n * frame
        heard = (shown + offset) * 48_000 // 90_000
        placed = timeline.place(picture(shown), START + next(clocks))
        lines.append((placed, timeline.place(sound(heard), START + next(clocks))))
    assert plain([each for pair in lines for each in pair])
    for shown_at, heard_at in lines:
        assert abs(heard_at.dts * 90_000 - (shown_at.dts + offset) * 48_000) <= 2 * 90_000
    for n, (one, two) in enumerate(itertools.pairwise(lines)):
        if n + 1 not in cuts:
            assert two[0].dts - one[0].dts == frame


@settings(max_examples=100)
@given(first=st.integers(0, (1 << 32) - 1), frame=st.integers(1, 90_000 * 9))
def test_no_wrap_can_be_seen_anywhere(first: int, frame: int) -> None:
    feed = Feeding()
    placed = [feed.give(picture((first + n * frame) % (1 << 32))) for n in range(30)]
    assert times(placed) == [n * frame for n in range(30)]
    assert not any(each.discontinuity or each.roll for each in placed)
