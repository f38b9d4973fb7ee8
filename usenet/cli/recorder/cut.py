"""usenet recorder export: a piece of what was recorded, as one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.recorder import app
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.actions.recorder.cut import Exported


@app.command()
def export(
    places: Annotated[list[str], typer.Argument(help="Recordings in their order, or the directory of a camera.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The MP4 file to write.")] = "",
    start: Annotated[str, typer.Option("--from", help='"2026-11-21 18:00", local time; with Z behind it UTC.')] = "",
    end: Annotated[str, typer.Option("--to", help="As --from.")] = "",
    exact: Annotated[bool, typer.Option("--exact", help="To the picture; without it at key frames.")] = False,
    close_gaps: Annotated[bool, typer.Option("--close-gaps", help="Leave out time that was not recorded.")] = False,
) -> None:
    """Cut and join recordings without encoding anew; also of what is being recorded now."""
    from usenet.actions.recorder import cut

    if not out:
        raise UsageError("where to is missing", hint="add: --out FILE.mp4")
    first, last = cut.moment(start, "--from"), cut.moment(end, "--to")
    cut.check(Path(out), first, last)
    wanted = [Path(place) for place in places]
    if FLAGS.dry_run:
        found = cut.chosen(wanted, first, last)
        console.show(found, lambda: _would(found))
        return
    made = cut.cut(wanted, Path(out), start_ns=first, end_ns=last, exact=exact, close_gaps=close_gaps)
    console.show(made, lambda: _made(made))


def _would(found: Sequence[Path]) -> None:
    for path in found:
        console.line(f"take from {path}")


def _made(made: Exported) -> None:
    sources = "one recording" if len(made.sources) == 1 else f"{len(made.sources)} recordings"
    console.line(f"{made.path}: {made.seconds:.1f} s, {console.human_bytes(made.bytes)}, of {sources}")
    for note in made.notes:
        console.line(note)
