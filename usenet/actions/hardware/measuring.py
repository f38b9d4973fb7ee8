"""One clip made, one case measured: alone, for its quality, and as many at once as keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.adapters import ffmpeg
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.power import Meter
from usenet.adapters.shell import Ran
from usenet.domain.hardware import benchmark, measured, transcoding
from usenet.domain.hardware.benchmark import Case, Offers, Result
from usenet.domain.hardware.transcoding import Clip
from usenet.domain.plan import Encoder

OUTPUT = "made.mkv"
COMPARED = 24  # pictures
ENOUGH = 12  # of a clip, where time was short
_STOPPED = (255, -9, 137)  # what ffmpeg says after Ctrl-C, or was killed as it did not hear it
SHORTEST = 0.5  # seconds of measuring that still tell something
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Room:
    """An ffmpeg and the directory of this run's clips."""

    ffmpeg: Ffmpeg
    clips: Path

    @property
    def folder(self) -> str:
        return self.ffmpeg.folder(self.clips)


def unable(case: Case, reason: str) -> Result:
    """The result of a case that could not be measured."""
    return Result(
        name=case.name, device=case.device, work=case.work, codec=case.codec, height=case.height, reason=reason
    )


def making(clip: Clip, offers: Offers, room: Room, *, quick: bool) -> tuple[str, ...]:
    """ffmpeg's arguments that make a clip."""
    name = transcoding.encoder("software", clip.codec, offers.encoders)
    return transcoding.making(clip, name, 1 if quick else 2, room.folder)


def make(clip: Clip, offers: Offers, room: Room, seconds: float, *, tick: Tick, quick: bool) -> str:
    """Make a clip, shorter where the time is over before; why there is none, empty where there is."""
    if seconds <= 0:
        return "no time was left for it"
    lines = [making(clip, offers, room, quick=quick)]
    _, (ran,) = ffmpeg.measure(room.ffmpeg, lines, room.clips, window=seconds, tick=tick)
    if measured.pictures(ran.out) >= ENOUGH:
        return ""
    why = "time was over" if measured.cost(ran.err) else measured.why(ran.err)
    return f"the {clip.codec} clip could not be made: {why}"


def arguments(case: Case, device: Encoder, offers: Offers, room: Room) -> tuple[str, ...]:
    """ffmpeg's arguments for a case that runs alone: what it makes is kept, to be compared."""
    output = f"{room.folder}/{OUTPUT}" if case.work == "transcode" else ""
    return benchmark.arguments(case, device, offers, room.folder, output)


def measure(case: Case, device: Encoder, offers: Offers, room: Room, seconds: float, tick: Tick) -> Result:
    """Measure one case in about `seconds`; a failure of ffmpeg is its result."""
    end = time.monotonic() + seconds
    meter = Meter(device.gpu)

    def both() -> None:
        tick()
        meter.tick()

    window = max(SHORTEST, seconds * (0.25 if case.counted else 0.6))
    line = arguments(case, device, offers, room)
    _, (ran,) = ffmpeg.measure(room.ffmpeg, [line], room.clips, window=window, tick=both)
    done, cost = measured.pictures(ran.out), measured.cost(ran.err)
    if not (done and cost and cost.clock):
        return unable(case, measured.why(ran.err) if cost is None else f"no picture within {window:.0f} s")
    watts, powered = meter.watts()
    found = replace(
        unable(case, ""),
        fps=round(done / cost.clock, 2),
        realtime=round(done / cost.clock / transcoding.RATE, 2),
        cpu=round(cost.processor / (done / transcoding.RATE), 3),
        watts=None if watts is None else round(watts, 1),
        powered=powered,
    )
    if case.work == "transcode":
        found = _compared(found, case, offers, room, tick)
    if case.counted:
        found = _counted(found, benchmark.arguments(case, device, offers, room.folder), room, end, tick)
    return found


def _compared(found: Result, case: Case, offers: Offers, room: Room, tick: Tick) -> Result:
    measure = "vmaf" if "libvmaf" in offers.filters else "ssim"
    files = (f"{room.folder}/{OUTPUT}", f"{room.folder}/{case.clip.file}")
    line = transcoding.quality(*files, vmaf=measure == "vmaf", pictures=COMPARED)
    _, (ran,) = ffmpeg.measure(room.ffmpeg, [line], room.clips, window=5, tick=tick)
    figure = measured.likeness(ran.err, measure)
    return replace(found, vmaf=figure) if measure == "vmaf" else replace(found, ssim=figure)


def _counted(found: Result, line: tuple[str, ...], room: Room, end: float, tick: Tick) -> Result:
    """Add streams until one falls below real time; the first is the one that was measured already."""
    tried, limit = {1: found.realtime >= 1}, "real time"
    while (count := benchmark.next_count(tried)) is not None:
        left = end - time.monotonic()
        if left < SHORTEST:
            limit = "time"
            break
        window = max(SHORTEST, min(left / 2, 5.0))
        seconds, all_ran = ffmpeg.measure(room.ffmpeg, [line] * count, room.clips, window=window, tick=tick)
        tried[count] = all(_kept_up(ran, seconds) for ran in all_ran)
        if failed := next((ran for ran in all_ran if ran.code not in _STOPPED), None):
            limit = measured.why(failed.err)  # such as a card that opens only so many sessions
    if benchmark.kept_up(tried) == benchmark.MOST:
        limit = f"{benchmark.MOST} were tried"
    return replace(found, streams=benchmark.kept_up(tried), limit=limit)


def _kept_up(ran: Ran, seconds: float) -> bool:
    done = measured.pictures(ran.closed) - measured.pictures(ran.opened)
    return measured.cost(ran.err) is not None and seconds > 0 and done / seconds >= transcoding.RATE
