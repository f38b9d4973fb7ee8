"""Whether the sample tables of a file can be true: samples in the media, none over another, times that rise."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ..reader import Mp4, Mp4Track
from .findings import Findings


def check(movie: Mp4, findings: Findings) -> None:
    for track in movie.tracks:
        if len(track):
            _places(movie, track, findings)
            _times(track, findings)
            _edits(movie, track, findings)
    _overlaps(movie.tracks, findings)


def _places(movie: Mp4, track: Mp4Track, findings: Findings) -> None:
    for place in track.samples.places():
        if not movie.in_media(place.offset, place.length):
            findings.add(
                place.offset,
                f"track {track.id}: samples {place.first + 1} to {place.first + place.samples} lie outside of any mdat",
                f"outside {track.id}",
            )


def _times(track: Mp4Track, findings: Findings) -> None:
    samples = track.samples
    firsts = [*samples.time_first, samples.count]
    for run, (first, following) in enumerate(pairwise(firsts)):
        still = samples.time_delta[run] == 0 and following - first > 1
        back = run + 1 < len(samples.time_dts) and samples.time_dts[run + 1] <= samples.dts(following - 1)
        if still or back:
            findings.add(
                samples.offset(first),
                f"track {track.id}: decode times do not rise at sample {(following if back else first) + 1}",
                f"times {track.id}",
            )
    if track.kind == "video" and samples.sync is not None and not (samples.sync and samples.sync[0] == 0):
        findings.notes.append(f"track {track.id} does not begin with a key frame: its first pictures can't be decoded")


def _edits(movie: Mp4, track: Mp4Track, findings: Findings) -> None:
    samples = track.samples
    end = samples.end + max(0, max(samples.shift, default=0))
    for edit in track.edits.list:
        if edit.media > end:
            findings.add(
                track.box.start, f"track {track.id}: its edit list begins at {edit.media}, the media ends at {end}"
            )
    if not movie.fragments and track.duration not in (0, 0xFFFFFFFF, (1 << 64) - 1):
        longest = max(samples.time_delta, default=0)
        if abs(track.duration - samples.end) > longest:
            findings.add(
                track.box.start,
                f"track {track.id} says that it lasts {track.duration} ticks, its samples {samples.end}",
            )


def _overlaps(tracks: Iterable[Mp4Track], findings: Findings) -> None:
    """Bytes that belong to two samples. Tables mostly lie in the order of the file; where not, they are sorted."""
    rows = [_rising(track) for track in tracks]
    end, owner = 0, 0
    for offset, length, track in heapq.merge(*rows):
        if offset < end and length:
            findings.add(offset, f"samples of track {owner} and track {track} share bytes", f"share {owner} {track}")
        if offset + length > end:
            end, owner = offset + length, track


def _rising(track: Mp4Track) -> Iterable[tuple[int, int, int]]:
    def places() -> Iterator[tuple[int, int, int]]:
        return ((place.offset, place.length, track.id) for place in track.samples.places())

    offsets = track.samples.chunk_offset
    return places() if all(one <= two for one, two in pairwise(offsets)) else sorted(places())
