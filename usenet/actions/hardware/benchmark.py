"""Measure what transcodes here: real clips through every encoder of an ffmpeg, bounded in time, kept for the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from usenet.actions import catalog as catalogs
from usenet.actions import hardware
from usenet.actions.hardware import measuring
from usenet.actions.hardware.measuring import Room
from usenet.adapters import engine, ffmpeg, measurements, stack, transcoders
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.home import Home
from usenet.domain import encoders
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.hardware import benchmark
from usenet.domain.hardware.benchmark import Case, Change, Offers, Report, Result
from usenet.domain.hardware.transcoding import SOFTWARE, Clip
from usenet.domain.host import Host
from usenet.domain.plan import Encoder

DRY = "/clips"
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """All that was found out before measuring. `notes`: why it is this ffmpeg and these devices, in sentences."""

    host: Host
    ffmpeg: Ffmpeg
    offers: Offers
    devices: tuple[Encoder, ...]
    cases: tuple[Case, ...]
    obstacles: dict[Case, str]
    quick: bool
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long measuring may take."""
        return benchmark.QUICK if self.quick else benchmark.FULL

    def device(self, case: Case) -> Encoder:
        """The device that a case is for."""
        return next(one for one in self.devices if one.kind == case.device)


@dataclass(frozen=True, slots=True)
class Measured:
    """A report, where it was saved (empty: nowhere, and why), and against the last one.

    `other`: what else than the time was another then.
    """

    report: Report
    saved: str
    changes: tuple[Change, ...]
    unsaved: str = ""
    other: str = ""


def prepare(home: Home, *, quick: bool) -> Bench:
    """Choose the ffmpeg and the devices; nothing is measured. SystemFailure where there is no ffmpeg at all."""
    host = hardware.look()
    chosen, device, offers, notes = _program(home, host)
    devices = (SOFTWARE,) if device.kind == "software" else (SOFTWARE, device)
    cases = benchmark.cases(devices, offers, quick=quick)
    by_kind: dict[str, Encoder] = {one.kind: one for one in devices}
    told = {case: benchmark.obstacle(case, by_kind[case.device], offers) for case in cases}
    return Bench(
        host=host,
        ffmpeg=chosen,
        offers=offers,
        devices=devices,
        cases=cases,
        obstacles={case: why for case, why in told.items() if why},
        quick=quick,
        notes=notes,
    )


def _program(home: Home, host: Host) -> tuple[Ffmpeg, Encoder, Offers, tuple[str, ...]]:
    """The first that answers: in a service's image with its grant, then this machine's own."""
    notes: list[str] = []
    for one, encoder, because in (*_images(home), _own(host)):
        try:
            told = ffmpeg.offers(one)
            software = [f"software only: {because}"] if encoder.kind == "software" else []
            return one, encoder, told, (*notes, *software)
        except SystemFailure as failure:
            notes.append(failure.message)
        finally:
            one.remove_leftovers()
    raise SystemFailure(
        f"nothing to measure: {'; '.join(notes)}",
        hint="install one: sudo apt install ffmpeg; or start a service that brings one: usenet services up jellyfin",
    )


def _images(home: Home) -> Iterator[tuple[Ffmpeg, Encoder, str]]:
    """Those of the stack's services whose image is here: with a card first, then those that run, then by name."""
    try:
        found = transcoders.planned(home)
        there = engine.images()
        running = {c.service for c in engine.containers(stack.load(home).project) if c.state == "running"}
    except (ConfigError, SystemFailure):
        return  # no stack, or no engine: the machine's own
    known, _ = catalogs.load(home.path)
    order = sorted(found, key=lambda one: (one.encoder.kind == "software", one.service not in running, one.service))
    for one in order:
        program = known[one.service].service.ffmpeg if one.service in known else ""
        if program and one.image in there:
            yield ffmpeg.of_service(one, program), one.encoder, f"{one.service} was granted no card"


def _own(host: Host) -> tuple[Ffmpeg, Encoder, str]:
    granted = encoders.grant("benchmark", host, "auto")
    encoder = granted.encoder or SOFTWARE
    own = Ffmpeg(card=encoders.among_several(encoder, host))
    return own, encoder, granted.choice.because if granted.choice else ""


def commands(bench: Bench) -> tuple[list[str], ...]:
    """The exact command lines, each of which is ended when its time is over; clips in a directory for this run."""
    room = Room(bench.ffmpeg, Path(DRY))
    return tuple(
        bench.ffmpeg.command(measuring.making(item, bench.offers, room, quick=bench.quick), room.clips)
        if isinstance(item, Clip)
        else bench.ffmpeg.command(measuring.arguments(item, bench.device(item), bench.offers, room), room.clips)
        for item in benchmark.work(_possible(bench))
    )


def _possible(bench: Bench) -> tuple[Case, ...]:
    return tuple(case for case in bench.cases if case not in bench.obstacles)


def run(home: Home, bench: Bench, tell: Tell) -> Measured:
    """Measure until all is done, the time is over, or Ctrl-C; what was measured is kept and saved where a stack is.

    A run that was cut short takes no whole one's place: what runs at once is planned by that.

    `tell`: done, of how many, and what is measured now; called a few times a second.
    """
    began, moment = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    found: list[Result] = [measuring.unable(case, why) for case, why in bench.obstacles.items()]
    with _kept_at_interrupt() as interrupted, ffmpeg.clips() as clips:
        try:
            for result in _measured(bench, Room(bench.ffmpeg, clips), began + bench.seconds, tell):
                found.append(result)
        finally:
            bench.ffmpeg.remove_leftovers()
    order = {case.name: number for number, case in enumerate(bench.cases)}
    report = _report(bench, tuple(sorted(found, key=lambda result: order[result.name])), moment)
    report = replace(report, seconds=round(time.monotonic() - began, 1), partial=bool(interrupted))
    return _saved(home, report)


def _saved(home: Home, report: Report) -> Measured:
    with measurements.changing(home):
        last = measurements.benchmark(home)
        whole = last is not None and report.partial and not last.partial
        saved = "" if whole else measurements.keep_benchmark(home, report)
    unsaved = "the last whole run stays" if whole else "" if saved else "there is no stack here (usenet init makes one)"
    other = benchmark.other(last, report) if last else ""
    return Measured(report, saved, benchmark.compared(last, report), unsaved, other)


@contextmanager
def _kept_at_interrupt() -> Iterator[list[bool]]:
    """Ctrl-C ends what is inside, and is told in the list."""
    interrupted: list[bool] = []
    try:
        yield interrupted
    except KeyboardInterrupt:
        interrupted.append(True)


def _measured(bench: Bench, room: Room, deadline: float, tell: Tell) -> Iterator[Result]:
    items = benchmark.work(_possible(bench))
    missing: dict[Clip, str] = {}
    for number, item in enumerate(items):
        left = deadline - time.monotonic()
        seconds = benchmark.part(left, items[number:])
        if isinstance(item, Clip):
            with _ticking(tell, number, items, f"make a clip: {item.file}") as tick:
                missing[item] = measuring.make(item, bench.offers, room, seconds, tick=tick, quick=bench.quick)
        elif why := missing[item.clip] or ("" if left > 0 else "no time was left for it"):
            yield measuring.unable(item, why)
        else:
            with _ticking(tell, number, items, item.name) as tick:
                yield measuring.measure(item, bench.device(item), bench.offers, room, seconds, tick)


@contextmanager
def _ticking(tell: Tell, number: int, items: Sequence[Case | Clip], what: str) -> Iterator[Callable[[], None]]:
    tell(number, len(items), what)
    yield lambda: tell(number, len(items), what)


def _report(bench: Bench, results: tuple[Result, ...], moment: str) -> Report:
    card = bench.devices[-1]
    return Report(
        time=moment,
        seconds=0.0,
        quick=bench.quick,
        partial=False,
        where=bench.ffmpeg.where,
        service=bench.ffmpeg.service,
        version=bench.offers.version,
        processor=bench.host.cpu.model,
        gpu=card.gpu,
        driver=card.driver,
        results=results,
    )
