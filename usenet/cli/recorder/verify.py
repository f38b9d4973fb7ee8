"""usenet recorder verify: whether recordings are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.recorder import app
from usenet.cli.recorder.files import place

if TYPE_CHECKING:
    from usenet.actions.recorder.verify import Checked


@app.command()
def verify(
    paths: Annotated[list[str] | None, typer.Argument(help="Recordings, or directories. Default: the stack's.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Every byte of media too, not only what describes it.")] = False,
) -> None:
    """Check recordings box by box, their checksums, and that other programs find the same in them."""
    from usenet.actions.recorder import verify as action

    found = action.files([Path(path) for path in paths] if paths else [place("")])
    done = []
    for checked in action.check(found, deep=deep):
        done.append(checked)
        _tell(checked)
    console.show(done, lambda: _sum(done))
    if not all(checked.ok for checked in done):
        raise typer.Exit(3)


def _tell(checked: Checked) -> None:
    verdict = checked.verdict
    by = f"; {', '.join(checked.agree)} agree" if checked.agree else ""
    console.say(f"{verdict.path}: {'right' if checked.ok else 'NOT right'}, {_what(checked)}{by}")
    for finding in verdict.findings:
        where = "" if finding.offset is None else f"byte {finding.offset}: "
        console.say(f"  {where}{finding.sentence}")
    for line in (*checked.against, *verdict.notes, *verdict.skipped):
        console.say(f"  {line}")


def _what(checked: Checked) -> str:
    tracks = ", ".join(f"{kind} {samples} samples" for kind, samples, _ in checked.verdict.tracks)
    return f"{checked.verdict.kind}, {tracks or 'nothing that can be read'}"


def _sum(done: list[Checked]) -> None:
    wrong = sum(not checked.ok for checked in done)
    console.line(f"{len(done)} files, {wrong or 'none'} of them not right" if done else "there is nothing to check")
