"""usenet hardware benchmark: how fast this machine transcodes, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.hardware import app
from usenet.cli.places import home
from usenet.domain.errors import Interrupted

if TYPE_CHECKING:
    from usenet.actions.hardware.benchmark import Bench, Measured
    from usenet.domain.hardware.benchmark import Result

NOTABLE = 5.0  # percent: two runs of the same differ by less
_COLUMNS = ("measured", "fps", "× real time", "at once", "CPU s/s", "likeness", "watts")


@app.command()
def benchmark(
    quick: Annotated[bool, typer.Option("--quick", help="Under a minute: 1080p and the common codecs only.")] = False,
) -> None:
    """Measure decodes, transcodes and HDR to SDR, and how many at once."""
    from usenet.actions.hardware import benchmark as action

    console.say("looking at the machine and its ffmpeg")
    place = home()
    bench = action.prepare(place, quick=quick)
    if FLAGS.dry_run:
        console.commands(action.commands(bench))
        return
    console.say(_announced(bench))
    with _progress() as tell:
        found = action.run(place, bench, tell)
    console.show({"report": found.report, "saved": found.saved, "changes": found.changes}, lambda: _human(found, bench))
    if found.report.partial:
        raise typer.Exit(Interrupted.code)


def _announced(bench: Bench) -> str:
    inside = f"the image of {bench.ffmpeg.service}, {bench.ffmpeg.image}" if bench.ffmpeg.image else "this machine"
    devices = ", ".join(f"{one.kind} on {one.gpu}" if one.gpu else one.kind for one in bench.devices)
    text = f"ffmpeg {bench.offers.version} of {inside}; {devices}; {bench.seconds:.0f} s at most"
    return "\n".join((*bench.notes, text))


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    if not console.on_terminal() or FLAGS.quiet:
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console.rich(), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)


def _lines() -> Callable[[int, int, str], None]:
    told = -1

    def tell(done: int, total: int, what: str) -> None:
        nonlocal told
        if done != told:
            told = done
            console.say(f"{done + 1}/{total} {what}")

    return tell


def _human(found: Measured, bench: Bench) -> None:
    from usenet.domain.hardware import benchmark as domain

    report = found.report
    console.line()
    console.table(_COLUMNS, (_row(result) for result in report.results if not result.reason))
    if unable := [(result.name, result.reason) for result in report.results if result.reason]:
        console.line()
        console.table(("not measured", "because"), unable)
    console.line()
    for text in domain.conclusion(report):
        console.line(text)
    changed = [change for change in found.changes if abs(change.percent) >= NOTABLE]
    for change in changed:
        console.line(f"{change.percent:+.0f} % since the last run: {change.name}")
    if changed and found.other:
        console.line(f"the last run was {found.other}")
    asked = len(bench.cases)
    if report.partial:
        console.warn(f"interrupted: {len(report.results)} of {asked} are there")
    where = f"saved in {found.saved}" if found.saved else f"not saved: {found.unsaved}"
    console.line(f"{report.seconds:.0f} s with ffmpeg {report.version} of {report.where}; {where}")


def _row(result: Result) -> tuple[object, ...]:
    at_once = "" if result.streams is None else str(result.streams)
    if result.streams and result.limit != "real time":
        at_once = f"{result.streams} or more ({result.limit})"
    like = f"SSIM {result.ssim:.3f}" if result.ssim is not None else ""
    like = f"VMAF {result.vmaf:.0f}" if result.vmaf is not None else like
    watts = "" if result.watts is None else f"{result.watts:.0f} ({result.powered})"
    cpu = "" if result.cpu is None else f"{result.cpu:.2f}"
    return result.name, f"{result.fps:.0f}", f"{result.realtime:.1f}", at_once, cpu, like, watts
