"""What the benchmark measures, in which order and for how long; what it found, and against the last time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from usenet.domain.hardware import transcoding
from usenet.domain.hardware.transcoding import FORMATS, Clip
from usenet.domain.plan import Encoder, Measured

QUICK, FULL = 45.0, 600.0  # seconds of measuring; a container that is slow to stop may add some
HEIGHTS = (720, 1080, 2160)
DEEP = ("hevc-10", "vp9-10", "av1-10")
SOURCES = frozenset(Clip(codec, height) for codec in ("h264", "hevc-10") for height in HEIGHTS)  # films, as they come
MOST = 32  # streams at once: beyond, it is said that there are at least so many
Work = Literal["decode", "transcode", "tonemap"]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure. `codec`: what is decoded, or what a transcode makes; a tone-mapping makes `h264` from HDR.

    `how`: the filter that maps tones, where there are several. `counted`: how many at once is measured too.
    """

    device: str
    work: Work
    codec: str
    height: int
    how: str = ""
    counted: bool = False

    @property
    def name(self) -> str:
        """`transcode h264 1080p on vaapi`: the same in every run."""
        return f"{self.work} {self.codec} {self.height}p on {self.device}{f' by {self.how}' if self.how else ''}"

    @property
    def clip(self) -> Clip:
        """What it reads: films have eight bits in H.264, and ten in HEVC."""
        if self.work == "decode":
            return Clip(self.codec, self.height)
        deep = self.work == "tonemap" or transcoding.ten_bit(self.codec)
        return Clip("hevc-10" if deep else "h264", self.height)


@dataclass(frozen=True, slots=True)
class Offers:
    """What an ffmpeg has: its version, encoders and filters by name."""

    version: str
    encoders: frozenset[str]
    filters: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured of a case; with `reason` it could not be, and nothing else is set.

    `fps`: of one alone; `realtime`: film seconds a second; `cpu`: processor seconds a film second; `streams`: how many
    at once kept up, and `limit` what kept it from more; `ssim` and `vmaf`: likeness to the source; `watts`: while it
    ran, of `powered`.
    """

    name: str
    device: str
    work: Work
    codec: str
    height: int
    reason: str = ""
    fps: float = 0.0
    realtime: float = 0.0
    cpu: float | None = None
    streams: int | None = None
    limit: str = ""
    ssim: float | None = None
    vmaf: float | None = None
    watts: float | None = None
    powered: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. `where`: the image or `this machine`; `partial`: it was interrupted; `time`: UTC, of its start."""

    time: str
    seconds: float
    quick: bool
    partial: bool
    where: str
    service: str
    version: str
    processor: str
    gpu: str
    driver: str
    results: tuple[Result, ...]
    schema: Literal[1] = 1


def cases(devices: Sequence[Encoder], offers: Offers, *, quick: bool) -> tuple[Case, ...]:
    """All that is worth measuring, the most telling first; those that can't run are among them."""
    found = [c for height in ((1080,) if quick else (1080, 720, 2160)) for d in devices for c in _of(d, height, quick)]
    mapped = [c for height in ((1080,) if quick else HEIGHTS) for d in devices for c in _tones(d, height, offers)]
    return (*(c for c in found if c.counted), *mapped, *(c for c in found if not c.counted))


def _of(device: Encoder, height: int, quick: bool) -> Iterable[Case]:
    for codec in (*FORMATS, *DEEP):
        counted = codec == "h264" if quick else codec in FORMATS
        if not quick or codec in FORMATS:
            yield Case(device.kind, "transcode", codec, height, counted=counted)
        if not quick or codec in ("h264", "hevc-10", "vp9", "av1"):
            yield Case(device.kind, "decode", codec, height)


def _tones(device: Encoder, height: int, offers: Offers) -> Iterable[Case]:
    """Each way that this ffmpeg has; where it has none, the first, which then is told as missing."""
    ways = transcoding.TONE_MAPPING.get(device.kind, ())
    usable = [way for way in ways if offers.filters.issuperset(way[0])] or ways[:1]
    for needed, _ in usable:
        yield Case(device.kind, "tonemap", "h264", height, how=needed[-1])


def obstacle(case: Case, device: Encoder, offers: Offers) -> str:
    """Why a case need not be tried; empty when only trying can tell."""
    if not transcoding.encoder("software", case.clip.codec, offers.encoders):
        return f"this ffmpeg has no software encoder to make a {case.clip.codec} clip with"
    if case.work == "decode":
        return "" if transcoding.on_card(device, case.codec) else "the card does not decode it"
    if not transcoding.encoder(device.kind, case.codec, offers.encoders):
        return f"this ffmpeg has no {case.codec} encoder of the kind {device.kind}"
    if not transcoding.may_encode(device, case.codec):
        return "the card does not encode it"
    if case.work == "tonemap" and not any(offers.filters.issuperset(needed) for needed, _ in _way(case)):
        return f"this ffmpeg has no filter {case.how}"
    return ""


def _way(case: Case) -> tuple[tuple[tuple[str, ...], str], ...]:
    return tuple(way for way in transcoding.TONE_MAPPING[case.device] if way[0][-1] == case.how)


def arguments(case: Case, device: Encoder, offers: Offers, folder: str, output: str = "") -> tuple[str, ...]:
    """ffmpeg's arguments for a case, without end: clips lie in `folder`, what is encoded goes to `output`."""
    source = f"{folder}/{case.clip.file}"
    if case.work == "decode":
        return (*transcoding.TALK, "-y", *transcoding.decoding(device, case.codec, source))
    on_card = transcoding.on_card(device, case.clip.codec)
    reads = (*transcoding.reading(device, case.clip.codec, on_card=on_card), *transcoding.source_of(source))
    name = transcoding.encoder(device.kind, case.codec, offers.encoders)
    if case.work == "tonemap":
        upload = "" if on_card else "format=p010le,hwupload,"
        chain: tuple[str, ...] = ("-vf", upload + _way(case)[0][1])
    else:
        chain = transcoding.filters(device, case.codec, on_card=on_card)
    return (*transcoding.TALK, "-y", *reads, *chain, *transcoding.encoding(name, case.height, output))


def weight(item: Case | Clip) -> int:
    """How large a part of the time a clip or a case may take, beside the others."""
    if isinstance(item, Clip):
        return 3 if item.height > 1080 else 1
    return 5 if item.counted else 2 if item.work == "transcode" else 1


def work(chosen: Iterable[Case]) -> tuple[Case | Clip, ...]:
    """What is to be done in order: each clip right before the first case that reads it."""
    done: dict[Case | Clip, None] = {}
    for case in chosen:
        done |= {case.clip: None, case: None}
    return tuple(done)


def part(left: float, items: Sequence[Case | Clip]) -> float:
    """The seconds that the first of `items` may take of those that are left for all of them."""
    return max(left, 0.0) * weight(items[0]) / sum(map(weight, items))


def next_count(tried: Mapping[int, bool], most: int = MOST) -> int | None:
    """How many streams to try after those tried (count → whether all kept up): doubled, then halved in between.

    None: the answer is known, `kept_up` has it.
    """
    best, failed = kept_up(tried), min((n for n, ok in tried.items() if not ok), default=None)
    if failed is None:
        return None if best >= most else min(max(1, best * 2), most)
    return (best + failed) // 2 if failed - best > 1 else None


def kept_up(tried: Mapping[int, bool]) -> int:
    """The most streams that were measured to keep up, below the first count that did not."""
    failed = min((n for n, ok in tried.items() if not ok), default=None)
    return max((n for n, ok in tried.items() if ok and (failed is None or n < failed)), default=0)


@dataclass(frozen=True, slots=True)
class Change:
    """How much faster (percent; below zero: slower) a case ran than the last time."""

    name: str
    before: float
    now: float

    @property
    def percent(self) -> float:
        return (self.now / self.before - 1) * 100


def compared(last: Report | None, now: Report) -> tuple[Change, ...]:
    """The cases that both runs measured, those that got slower most first."""
    before = {r.name: r.fps for r in last.results if r.fps} if last else {}
    both = (Change(r.name, before[r.name], r.fps) for r in now.results if r.fps and r.name in before)
    return tuple(sorted(both, key=lambda change: change.percent))


def other(last: Report, now: Report) -> str:
    """What else than the time was another in the last run, in words; empty where nothing was."""
    pairs = zip(_circumstances(last), _circumstances(now), strict=True)
    return ", ".join(then for then, here in pairs if then != here)


def _circumstances(report: Report) -> tuple[str, ...]:
    card = f"on the card {report.gpu} ({report.driver})" if report.gpu else "without a card"
    where = f"on {report.where}" if report.where == "this machine" else f"in {report.where}"
    return where, f"with ffmpeg {report.version}", f"on {report.processor}", card


def measured(report: Report) -> Measured:
    """What the plan takes of a report: how many 1080p H.264 streams kept up on each device."""
    streams = {r.device: r.streams for r in report.results if r.streams is not None and _typical(r)}
    return Measured(time=report.time, gpu=report.gpu, driver=report.driver, streams=streams)


def _typical(result: Result) -> bool:
    return (result.work, result.codec, result.height) == ("transcode", "h264", 1080)


def conclusion(report: Report) -> tuple[str, ...]:
    """How many 1080p H.264 streams at once, for each device on which that was measured; nothing else is claimed."""
    told = []
    for result in report.results:
        if result.streams is not None and _typical(result):
            most = "at least " if result.limit != "real time" and result.streams else ""
            told.append(f"{result.device}: {most}{result.streams} H.264 1080p streams at once in real time")
    return tuple(told) or ("how many H.264 1080p streams at once was not measured",)
