"""One clip made, one case measured: alone, for its quality, and as many at once as keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.adapters import ffmpeg
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.power import Meter
from usenet.adapters.together import Ran
from usenet.domain.hardware import benchmark, measured, transcoding
from usenet.domain.hardware.benchmark import Case, Offers, Result
from usenet.domain.hardware.transcoding import Clip
from usenet.domain.plan import Encoder

OUTPUT = "made.mkv"
COMPARED = 12  # pictures
ENOUGH = 12  # of a clip, where time was short
_STOPPED = (255, *ffmpeg.KILLED)  # 255 is what ffmpeg says after Ctrl-C
OVER = "its time was over before its pictures were written; a machine with less to do, or without --quick, may tell"
SETTLED = 48  # pictures: no encoder here holds back more
FEWEST = 3  # pictures from which a speed is told
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
    if (room.clips / clip.file).exists():
        return ""  # a transcode made it
    if seconds <= 0:
        return "no time was left for it"
    lines = [making(clip, offers, room, quick=quick)]
    _, (ran,) = ffmpeg.measure(room.ffmpeg, lines, room.clips, window=seconds, tick=tick)
    if measured.pictures(ran.out) >= ENOUGH and ran.code in (0, 255):
        return ""
    (room.clips / clip.file).unlink(missing_ok=True)
    why = "its time was over" if ran.code in _STOPPED else measured.why(ran.err)
    return f"the {clip.codec} clip could not be made: {why}"


def arguments(case: Case, device: Encoder, offers: Offers, room: Room) -> tuple[str, ...]:
    """ffmpeg's arguments for a case that runs alone: what it makes is kept, to be compared."""
    output = f"{room.folder}/{_output(case)}" if case.work == "transcode" else ""
    return benchmark.arguments(case, device, offers, room.folder, output)


def _output(case: Case) -> str:
    """What software makes of a film is a clip in that codec, to be decoded later."""
    made = Clip(case.codec, case.height)
    return made.file if case.device == "software" and made not in benchmark.SOURCES else OUTPUT


def measure(case: Case, device: Encoder, offers: Offers, room: Room, seconds: float, tick: Tick) -> Result:
    """Measure one case in about `seconds`; a failure of ffmpeg is its result."""
    end = time.monotonic() + seconds
    found = _alone(case, device, offers, room, max(SHORTEST, seconds * (0.15 if case.counted else 0.3)), tick)
    if case.work == "transcode" and (room.clips / _output(case)).exists() and not found.reason:
        found = _compared(found, case, offers, room, tick)
    if case.counted and not found.reason:
        found = _counted(found, benchmark.arguments(case, device, offers, room.folder), room, end, tick)
    return found


def _alone(case: Case, device: Encoder, offers: Offers, room: Room, window: float, tick: Tick) -> Result:
    meter = Meter(device.gpu)

    def both() -> None:
        tick()
        meter.tick()

    line = arguments(case, device, offers, room)
    _, (ran,) = ffmpeg.measure(room.ffmpeg, [line], room.clips, window=window, tick=both)
    watts, powered = meter.watts()
    found = _speed(case, ran)
    if case.work == "transcode" and (ran.code in ffmpeg.KILLED or measured.pictures(ran.out) < ENOUGH):
        (room.clips / _output(case)).unlink(missing_ok=True)  # it has no end, or is too short to be decoded again
    return replace(found, watts=None if watts is None else round(watts, 1), powered=powered)


def _speed(case: Case, ran: Ran) -> Result:
    """By ffmpeg's own count of all its work, to the last picture that the encoder held back."""
    if ran.code not in (0, *_STOPPED):
        return unable(case, measured.why(ran.err))
    done, cost = measured.pictures(ran.out), measured.cost(ran.err)
    if done < FEWEST or not (cost and cost.clock):
        return unable(case, OVER)
    fps, cpu = done / cost.clock, round(cost.processor / (done / transcoding.RATE), 3)
    return replace(unable(case, ""), fps=round(fps, 2), realtime=round(fps / transcoding.RATE, 2), cpu=cpu)


def _compared(found: Result, case: Case, offers: Offers, room: Room, tick: Tick) -> Result:
    measure = "vmaf" if "libvmaf" in offers.filters else "ssim"
    files = (f"{room.folder}/{_output(case)}", f"{room.folder}/{case.clip.file}")
    line = transcoding.quality(*files, vmaf=measure == "vmaf", pictures=COMPARED)
    _, (ran,) = ffmpeg.measure(room.ffmpeg, [line], room.clips, window=4, tick=tick)
    figure = measured.likeness(ran.err, measure)
    return replace(found, vmaf=figure) if measure == "vmaf" else replace(found, ssim=figure)


def _counted(found: Result, line: tuple[str, ...], room: Room, end: float, tick: Tick) -> Result:
    """Add streams until one falls below real time; the first is the one that was measured already."""
    tried, limit = {1: found.fps >= transcoding.RATE}, "real time"
    while (count := benchmark.next_count(tried)) is not None:
        left = end - time.monotonic()
        if left < SHORTEST:
            limit = "time"
            break
        window = max(2 * SHORTEST, min(left / 5, 5.0))
        seconds, all_ran = ffmpeg.measure(
            room.ffmpeg, [line] * count, room.clips, window=window, tick=tick, settled=SETTLED
        )
        tried[count] = all(_kept_up(ran, seconds) for ran in all_ran)
        if failed := next((ran for ran in all_ran if ran.code not in _STOPPED), None):
            limit = measured.why(failed.err)  # such as a card that opens only so many sessions
    if benchmark.kept_up(tried) == benchmark.MOST:
        limit = f"{benchmark.MOST} were tried"
    return replace(found, streams=benchmark.kept_up(tried), limit=limit)


def _kept_up(ran: Ran, seconds: float) -> bool:
    """While all ran, if it was past filling its encoder by then; else over all of its time."""
    before = measured.pictures(ran.opened)
    if before >= SETTLED and seconds > 0:
        return ran.code in _STOPPED and (measured.pictures(ran.closed) - before) / seconds >= transcoding.RATE
    cost = measured.cost(ran.err)
    return cost is not None and measured.pictures(ran.out) >= transcoding.RATE * cost.clock > 0
