"""usenet recorder list, recover: the recordings of a directory."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.recorder import app
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.actions.recorder.files import Recovery, Report, Row

POLICIES = ("strict", "skip", "align")
_PLACE = "A directory of recordings. Default: that of the stack."


def place(given: str) -> Path:
    """The directory that was named, or the stack's."""
    from usenet.actions import recorder

    return Path(given) if given else recorder.directory(home())


@app.command("list")
def list_(
    directory: Annotated[str, typer.Argument(help=_PLACE)] = "",
    camera: Annotated[str, typer.Option("--camera", help="Only those of this camera.")] = "",
) -> None:
    """List the recordings, the newest first: finished, being recorded, or cut off."""
    from usenet.actions.recorder import files

    where = place(directory)
    rows = files.listed(where, camera)
    console.show(rows, lambda: _listed(rows, where, directory))


def _listed(rows: Sequence[Row], where: Path, given: str) -> None:
    if not rows:
        console.say(f"no recordings in {where}")
        return
    console.table(
        ("camera", "recording", "length", "size", "state"),
        [(row.camera, row.name, _length(row.seconds), console.human_bytes(row.bytes), _state(row)) for row in rows],
    )
    if any(row.state == "cut off" for row in rows):
        command = ("usenet", "recorder", "recover", *((given,) if given else ()))
        console.line(f"finish those that were cut off with: {shlex.join(command)}")


def _length(seconds: float | None) -> str:
    return "" if seconds is None else console.human_time(seconds)


def _state(row: Row) -> str:
    return f"{row.state}, protected: {row.protected}" if row.protected else row.state


@app.command()
def recover(
    paths: Annotated[list[str] | None, typer.Argument(help="Recordings, or directories. Default: the stack's.")] = None,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            help="strict: up to the first damage; skip: all that is whole; align: as skip, shown from key frames on.",
        ),
    ] = "skip",
    deep: Annotated[bool, typer.Option("--deep", help="Check every byte, also what was known to be durable.")] = False,
) -> None:
    """Finish recordings that were cut off, the newest first; those that are being recorded are left alone."""
    from usenet.actions.recorder import files

    if policy not in POLICIES:
        raise UsageError(f'there is no policy "{policy}"', hint=f"there are: {', '.join(POLICIES)}")
    found = files.unfinished([Path(path) for path in paths] if paths else [place("")])
    if FLAGS.dry_run:
        console.show(found, lambda: _would(found))
        return
    reports = []
    for report in files.finish(found, policy=_policy(policy), deep=deep):
        reports.append(report)
        console.say(_told(report))
    console.show(reports, lambda: _recovered(reports))
    if any(report.state == "kept" for report in reports):
        raise typer.Exit(1)


def _policy(policy: str) -> Recovery:
    return "strict" if policy == "strict" else "align" if policy == "align" else "skip"


def _would(found: Sequence[Path]) -> None:
    for path in found:
        console.line(f"finish {path}")
    if not found:
        console.line("nothing to do")


def _told(report: Report) -> str:
    if report.state != "finished" or not report.chunks_kept:
        return f"{report.path}: {_WORDS[report.state]}{': ' if report.reason else ''}{report.reason}"
    text = f"{report.path}: finished, {report.seconds_kept:.1f} s in {report.ms:.0f} ms"
    lost = [gap for gap in report.gaps if gap.lost]
    return f"{text}, {len(lost)} gaps of {sum(gap.ms for gap in lost) / 1000:.1f} s in all" if lost else text


_WORDS = {"finished": "finished", "nothing": "held no sample, removed", "kept": "left as it is"}


def _recovered(reports: Sequence[Report]) -> None:
    if not reports:
        console.say("nothing was cut off")
