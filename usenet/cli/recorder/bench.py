"""usenet recorder bench: how many cameras a drive takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.recorder import app
from usenet.cli.recorder.files import place

if TYPE_CHECKING:
    from usenet.actions.recorder.bench import Load

_COUNTS = (1, 4, 8, 16, 32)


@app.command()
def bench(
    directory: Annotated[str, typer.Argument(help="On the drive to measure. Default: the stack's recordings.")] = "",
    cameras: Annotated[
        int | None, typer.Option("--cameras", help="Only so many. Default: 1, then 4, 8, 16 and 32.")
    ] = None,
    megabits: Annotated[float, typer.Option("--megabits", help="Of one camera, a second.")] = 4,
    seconds: Annotated[float, typer.Option("--seconds", help="For each number of cameras.")] = 5,
    flush: Annotated[str, typer.Option("--flush", help="evidence, default, hdd or archive.")] = "default",
) -> None:
    """Record made-up cameras on a drive for some seconds, and tell whether it keeps up."""
    from usenet.actions.recorder import bench as action

    where, counts = place(directory), _COUNTS if cameras is None else (cameras,)
    action.check(where, counts, preset=flush, megabits=megabits, seconds=seconds)
    if FLAGS.dry_run:
        would = {"directory": where, "cameras": counts, "megabits": megabits, "seconds": seconds}
        text = f"write {', '.join(map(str, counts))} cameras of {megabits:g} Mbit/s to {where} and remove them"
        console.show(would, lambda: console.line(text))
        return
    loads = action.measure(where, counts, preset=flush, megabits=megabits, seconds=seconds, tell=console.say)
    console.show(loads, lambda: _human(loads))


def _human(loads: Sequence[Load]) -> None:
    console.table(
        ("cameras", "sync p50 ms", "sync p99 ms", "late s", "CPU cores", "kept up"),
        [
            (
                str(load.cameras),
                f"{load.fsync_p50_ms:.1f}",
                f"{load.fsync_p99_ms:.1f}",
                f"{load.behind_s:.2f}",
                f"{load.cpu:.2f}",
                "yes" if load.kept else "no",
            )
            for load in loads
        ],
    )
    if not loads[-1].kept:
        console.line("try: --flush hdd, which syncs every 2 s, or archive, every 5 s")
