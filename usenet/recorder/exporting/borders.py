"""Where a track can be cut. Times are ticks of the track, as a player shows them; sample numbers count from 0."""

from __future__ import annotations

from typing import Final

from ..reader import Mp4Track

DEPTH: Final = 64  # samples among which the order of decoding and that of showing may differ; codecs have 16 and fewer


def pts(track: Mp4Track, number: int) -> int:
    return track.samples.cts(number) + track.edits.move


def extent(track: Mp4Track) -> tuple[int, int]:
    """From when to when the track is shown."""
    samples, window = track.samples, track.edits.windows
    low = min((pts(track, number) for number in range(min(samples.count, DEPTH))), default=0)
    last = max(range(max(0, samples.count - DEPTH), samples.count), key=samples.cts)
    high = pts(track, last) + samples.duration(last)
    if track.edits.list and window:
        low = max(low, window[0].start + window[0].move)
        high = high if window[0].end is None else min(high, window[0].end + window[0].move)
    return low, max(low, high)


def hidden_inside(track: Mp4Track, *, first: bool, last: bool) -> bool:
    """Whether an edit hides pictures where it may not: at the beginning unless `first`, at the end unless `last`."""
    if not track.edits.list or track.kind != "video":
        return False
    start, end = extent(track)
    edges = range(min(DEPTH, len(track))), range(max(0, len(track) - DEPTH), len(track))
    early = not first and any(pts(track, n) < start for n in edges[0])
    late = not last and any(pts(track, n) >= end for n in edges[1])
    return early or late or len(track.edits.windows) > 1


def key_at(track: Mp4Track, when: int) -> int:
    """The last sync sample that is shown at `when` or before; the first one when all are later."""
    samples = track.samples
    number: int | None = samples.at(when - track.edits.move - min(samples.shift, default=0))
    while number is not None and number >= 0:
        number = samples.key(number)
        if number is None or pts(track, number) <= when:
            break
        number -= 1
    if number is None or number < 0:
        number = samples.next_key(0)
    return 0 if number is None else number


def key_from(track: Mp4Track, when: int) -> int | None:
    """The first sync sample that is shown at `when` or later."""
    number: int | None = key_at(track, when)
    while number is not None and pts(track, number) < when:
        number = track.samples.next_key(number + 1)
    return number


def until(track: Mp4Track, when: int, first: int = 0) -> int:
    """The number behind the last sample, in decoding order, that is shown before `when`."""
    samples = track.samples
    number = samples.at(when - track.edits.move - min(samples.shift, default=0))
    while number >= first and pts(track, number) >= when:
        number -= 1
    return number + 1


def picture_at(track: Mp4Track, when: int) -> int:
    """When the picture that is on the screen at `when` appeared; the first of all when that is later.

    A picture that stands for a gap (it stays for more than a second) is left for the next one.
    """
    key, last = key_at(track, when), until(track, when + 1)
    shown = [pts(track, number) for number in range(max(key, last - DEPTH), max(last, key + 1))]
    best = max((each for each in shown if each <= when), default=min(shown))
    later = picture_from(track, when)
    return later if later is not None and later > best and when - best > track.timescale else best


def picture_from(track: Mp4Track, when: int) -> int | None:
    """When the first picture appears at `when` or later; None behind the last."""
    last = until(track, when)
    near = range(max(0, last - DEPTH), min(track.samples.count, last + DEPTH))
    return min((each for number in near if (each := pts(track, number)) >= when), default=None)


def before(track: Mp4Track, when: int, lead: int) -> int:
    """The first sample that sounds, or stands, at `when`; earlier ones of `lead` ticks too, for the decoder."""
    samples = track.samples
    number = samples.at(when - track.edits.move)
    if lead:
        number = min(number, samples.at(samples.dts(number) - lead))
    key = samples.key(number)
    return number if key is None else key
