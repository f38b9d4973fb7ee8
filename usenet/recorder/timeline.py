"""Times as sources give them (missing, negative, wrapped, running back, jumping) become times that a file can hold.

Inside there is one long line of ticks for each track, which never runs back and never restarts; a segment's times are
that line minus the segment's origin. All tracks share the origin and, as long as the source does, the offset between
the source's times and the line, so that sound and picture stay together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .errors import BadSample
from .tracks import Sample, Track

LEAP = 10  # seconds. A step ahead of more than this is a jump; an absence of more than this begins a new segment
SLACK = 1  # seconds. A step back of up to this is caught up with; more is a jump
BEHIND = Fraction(1, 2)  # seconds. A track further behind than this is not awaited at the start of a segment
GAP_MS = 1000  # an absence of at least this is told as a gap
CREDIBLE_NS = 600 * 10**9  # a source's clock further from ours than this is a clock that nobody has set

_WRAP = 1 << 32  # RTP's timestamps (RFC 3550 §5.1); MPEG-TS's 33 bits are two of them
_CTS_MAX = (1 << 31) - 1
_NS = 10**9


@dataclass(frozen=True, slots=True)
class Placed:
    """A sample with times for the file: `dts` >= 0 from the segment's origin, `cts` (may be negative) is pts - dts.

    `duration` is the best guess until the next sample is here; true durations are differences of `dts`.
    `gap_ms`: so much is missing before this sample. `discontinuity`: the source's times broke here.
    `roll`: begin a new segment with this sample; its times already count from that segment's origin.
    `wall_ns` is never 0: the source's clock where it has a credible one, else the time of arrival.
    """

    track: int
    data: bytes
    dts: int
    cts: int
    duration: int
    sync: bool
    wall_ns: int
    gap_ms: int = 0
    discontinuity: bool = False
    roll: bool = False


class Timeline:
    """Places samples so that `dts` is >= 0 and strictly increasing in each track of a segment, whatever is given.

    Tracks keep their relation to within one tick, unless the source itself breaks it. Regular times only lose their
    start: the first sample is at 0. What comes later with earlier times (up to a second) is squeezed in behind it and
    has caught up after twice that time; so give the earliest sample first where you can.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._lines = {track.id: _Line(track) for track in tracks}
        self._offset: Fraction | None = None  # seconds from the source's times to the line, as last anchored
        self._origin = Fraction(0)
        self._fresh = True  # the next sample is the first of a segment
        self._away_ms = 0
        self._told = Fraction(0)  # where the last gap ended: no other track tells it again
        self._lead = _lead(tracks)

    def rebase(self) -> None:
        """A new segment begins with the next sample. The earliest sample of all tracks will be at 0.

        A track that is behind, as sound often is when the key frame comes, is awaited: the origin is where its next
        sample is due, so the key frame lands a little above 0 and nothing is lost or moved.
        """
        self._fresh = True

    def retrack(self, tracks: Sequence[Track]) -> None:
        """Other tracks, or other settings, from the next sample on, which begins a new segment."""
        old = self._lines
        self._lines = {track.id: _Line(track) for track in tracks}
        for line in self._lines.values():
            before = old.get(line.track.id)
            if before is not None and before.rate == line.rate:
                line.follow(before)
        self._lead = _lead(tracks)
        self.rebase()

    def absent(self, milliseconds: int) -> None:
        """The source was away for so long. Whether its times go on or begin anew is told apart at the next sample."""
        self._away_ms += max(0, milliseconds)

    def place(self, sample: Sample, now_ns: int) -> Placed:
        """The sample with its times; `now_ns` is this machine's clock at its arrival. BadSample: an unknown track."""
        line = self._lines.get(sample.track)
        if line is None:
            raise BadSample(f"track {sample.track} is not one of this recording")
        raw = sample.pts if sample.dts is None else sample.dts
        step = line.step
        tick, jumped = self._tick(line, raw, now_ns)
        missing = self._missing(line, tick, step)
        roll = missing > LEAP * 1000 and not self._is_first()
        if roll:
            self.rebase()
        if self._fresh:
            self._begin(line, tick)
        duration = line.take(tick, raw, sample.duration, now_ns)
        if missing:
            self._told = max(self._told, Fraction(tick, line.rate))
        wall = line.clock(sample.wall_ns, tick, now_ns)
        cts = _cts(sample, line, tick)
        dts = tick - line.start
        return Placed(line.track.id, sample.data, dts, cts, duration, sample.sync, wall, missing, jumped, roll)

    def _is_first(self) -> bool:
        return all(line.last is None for line in self._lines.values())

    def _tick(self, line: _Line, raw: int | None, now_ns: int) -> tuple[int, bool]:
        """Where on its line the sample lies, and whether the source's times had to be anchored anew for it."""
        floor = line.floor(fresh=self._fresh)
        if line.last is not None and raw is not None and line.shift is not None and not self._away_ms:
            tick = raw + line.shift  # nearly every sample ends here
            if floor <= tick <= line.last + LEAP * line.rate:
                return tick, False
        due = self._due(line)
        if raw is None:
            return max(floor, due), False
        believed = self._believed(line, raw, floor, due)
        if believed is not None:
            return line.catch_up(believed, raw, floor), False
        return self._anchor(line, raw, max(floor, due), now_ns)

    def _due(self, line: _Line) -> int:
        """Where the next sample of this track is awaited: behind its last one, or where the other tracks are."""
        due, away = line.due(), self._away_ms
        reached = ((each.due() if away else each.last, each.rate) for each in self._lines.values())
        ahead = max((Fraction(tick, rate) for tick, rate in reached if tick is not None), default=Fraction(0))
        ahead += Fraction(away, 1000)
        if due is None or away or Fraction(due, line.rate) + SLACK < ahead:
            return round(ahead * line.rate)
        return due

    def _believed(self, line: _Line, raw: int, floor: int, due: int) -> int | None:
        """The tick meant by `raw`, by this track's offset or the newest one; None where neither fits."""
        low, high = floor - SLACK * line.rate, max(floor, due) + LEAP * line.rate
        if self._away_ms:
            low, high = max(low, due - line.rate // 2), due + line.rate // 2
        fits: list[tuple[int, int]] = []
        shifts = [line.shift] if line.shift is not None else []
        if self._offset is not None:
            shifts.append(round(self._offset * line.rate))
        for shift in shifts:
            tick = raw + shift
            if not low <= tick <= high:
                tick += _turns(due - tick, line.rate) * _WRAP
            if low <= tick <= high:
                fits.append((abs(tick - due), tick))
        if not fits:
            return None
        _, tick = min(fits)
        line.shift = tick - raw
        return tick

    def _anchor(self, line: _Line, raw: int, due: int, now_ns: int) -> tuple[int, bool]:
        """From here on the source's times mean something else: the sample lies as much later as time went by."""
        tick, jumped = due, line.shift is not None
        if line.last is not None and not self._away_ms:
            waited = (now_ns - line.seen_ns) * line.rate // _NS  # less than nothing where the clock was set back
            tick = max(tick, line.last + waited)
        self._offset = Fraction(tick - raw, line.rate)
        line.shift, line.wall = tick - raw, None
        return tick, jumped

    def _missing(self, line: _Line, tick: int, step: int) -> int:
        """Milliseconds that are missing before this tick: told by the one who waited, or seen in the leading track."""
        away, self._away_ms = self._away_ms, 0
        if away:
            return away
        if line.last is None or line.track.id != self._lead:
            return 0
        least = max(GAP_MS * line.rate // 1000, 3 * step) if line.learned else LEAP * line.rate
        if tick - line.last - step < least:
            return 0
        missing = tick - max(line.last, round(self._told * line.rate)) - step
        return missing * 1000 // line.rate if missing >= least else 0

    def _begin(self, line: _Line, tick: int) -> None:
        start = Fraction(tick, line.rate)
        for other in self._lines.values():
            due = other.due()
            if other is line or due is None or other.track.kind not in ("video", "audio"):
                continue
            if start - BEHIND < Fraction(due, other.rate) < start:
                start = Fraction(due, other.rate)
        self._origin, self._fresh = start, False
        for each in self._lines.values():
            each.start = round(start * each.rate)


class _Line:
    """The ticks of one track, from its first sample on, over all segments."""

    __slots__ = ("last", "learned", "rate", "raw", "seen_ns", "shift", "start", "step", "track", "wall")

    def __init__(self, track: Track) -> None:
        self.track, self.rate = track, track.timescale
        self.shift: int | None = None  # from the source's times to ticks
        self.last: int | None = None  # tick of the last sample
        self.raw: int | None = None  # the source's time of it
        self.step = max(1, track.duration)  # from the last sample to the next one, as far as known
        self.learned = track.duration > 1
        self.start = 0  # tick of the segment's origin
        self.seen_ns = 0
        self.wall: int | None = None  # the source's clock at tick 0

    def follow(self, before: _Line) -> None:
        for name in ("last", "learned", "raw", "seen_ns", "shift", "start", "step", "wall"):
            setattr(self, name, getattr(before, name))

    def floor(self, *, fresh: bool) -> int:
        """The lowest tick that the next sample may have."""
        after = 0 if self.last is None else self.last + 1
        return after if fresh else max(after, self.start)

    def due(self) -> int | None:
        return None if self.last is None else self.last + self.step

    def catch_up(self, tick: int, raw: int, floor: int) -> int:
        """A tick below the floor goes half a step behind the last one, so that true times are met again soon.

        Times that stand still go a whole step on.
        """
        if tick >= floor or self.last is None:
            return max(tick, floor)
        return max(floor, self.last + (self.step if raw == self.raw else self.step // 2))

    def take(self, tick: int, raw: int | None, duration: int | None, now_ns: int) -> int:
        """Remember this sample; its duration as far as can be known now."""
        moved = 0 if self.last is None or self.raw is None or raw is None else raw - self.raw
        given = duration if duration is not None and 0 < duration <= LEAP * self.rate else 0
        if given and (self.track.kind != "video" or not self.learned):
            self.step = given
        elif 0 < moved <= LEAP * self.rate:  # a single long pause must not make every duration long
            self.step = min(moved, 2 * self.step) if self.learned else moved
        self.learned = self.learned or given > 0 or moved > 0
        self.last, self.raw, self.seen_ns = tick, raw, now_ns
        return given or self.step

    def clock(self, wall_ns: int | None, tick: int, now_ns: int) -> int:
        """The source's clock at this sample, carried on from the last one that told it; else the time of arrival."""
        here = tick * _NS // self.rate
        if wall_ns is not None and abs(wall_ns - now_ns) <= CREDIBLE_NS:
            self.wall = wall_ns - here
        return now_ns if self.wall is None else self.wall + here


def _lead(tracks: Sequence[Track]) -> int | None:
    """The track whose silence is a gap: the first picture, else the first sound. Text and metadata may be silent."""
    for kind in ("video", "audio"):
        for track in tracks:
            if track.kind == kind:
                return track.id
    return None


def _turns(behind: int, rate: int) -> int:
    """How often the source's 32 bits ran over, to explain being so many ticks behind (or ahead, for a late packet)."""
    return round(behind / _WRAP) if rate * 4 * LEAP <= _WRAP else 0


def _cts(sample: Sample, line: _Line, tick: int) -> int:
    """Presentation stays true where dts had to be moved; nonsense (more than LEAP away) is shown when decoded."""
    if sample.pts is None or line.raw is None or line.shift is None:
        return 0
    ahead = sample.pts - line.raw
    if abs(ahead) > LEAP * line.rate:
        ahead -= _turns(ahead, line.rate) * _WRAP
    cts = ahead + line.raw + line.shift - tick
    return cts if abs(cts) <= min(LEAP * line.rate, _CTS_MAX) else 0
