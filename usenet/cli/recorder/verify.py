"""usenet recorder verify: whether recordings are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.recorder import app
from usenet.cli.recorder.files import place

if TYPE_CHECKING:
    from usenet.actions.recorder.verify import Checked, Finding


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
    """As it is done; what is not right is told with --quiet, too."""
    verdict, tell = checked.verdict, console.say if checked.ok else console.line
    by = f"; as {' and '.join(checked.agree)} found" if checked.agree else ""
    tell(f"{verdict.path}: {'right' if checked.ok else 'NOT right'}, {_what(checked)}{by}")
    for line in dict.fromkeys((*map(_sentence, verdict.findings), *checked.against, *verdict.notes)):
        tell(f"  {line}")


def _sentence(finding: Finding) -> str:
    if finding.offset is None:
        return finding.sentence
    return f"byte {finding.offset}: {finding.sentence.removesuffix(f' (byte {finding.offset})')}"


_KINDS = {"finished": "finished", "sealed": "finished but for its name", "live": "not finished", "other": "not of ours"}


def _what(checked: Checked) -> str:
    tracks = ", ".join(f"{samples} samples of {kind}" for kind, samples, _ in checked.verdict.tracks)
    return f"{_KINDS[checked.verdict.kind]}, {tracks or 'nothing that can be read'}"


def _sum(done: list[Checked]) -> None:
    for left in dict.fromkeys(left for checked in done for left in checked.verdict.skipped):
        console.say(f"not checked: {left}")
    wrong = sum(not checked.ok for checked in done)
    right = f"{len(done) - wrong} of {len(done)} files are right" if wrong else f"all right: {len(done)}"
    console.line(right if done else "there is nothing to check")
