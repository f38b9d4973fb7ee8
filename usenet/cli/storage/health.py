"""usenet storage status, health, check, layout: how the drives are, and what mends them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.storage import app
from usenet.cli.storage.consent import through_root
from usenet.cli.storage.names import complete

if TYPE_CHECKING:
    from usenet.actions.storage.check import Checked
    from usenet.actions.storage.health import DriveHealth, Looked
    from usenet.actions.storage.status import StorageStatus, Usage
    from usenet.domain.storage.health import Smart


@app.command()
def status() -> None:
    """Show what each drive of the stack is now, and how full. For scripts: usenet storage check."""
    from usenet.actions.storage import status as action

    found = action.look(home())
    console.show(found, lambda: _status(found))


def _status(found: StorageStatus) -> None:
    rows = [("(data)", "there" if found.usage else "not made yet", *_room(found.usage, found.fill), found.data)]
    if pool := found.pool:
        drives = f"{pool.path}: {', '.join(pool.drives)}, policy {pool.policy}"
        rows.append(("(pool)", pool.state, *_room(pool.usage, pool.fill), drives))
    rows += [(d.drive, d.state, *_room(d.usage, d.fill), d.path) for d in found.drives]
    kept = 5 if console.narrow() else 6  # there, where a drive is goes below the table: paths don't fit beside it
    console.table(("drive", "state", "size", "used", "fill", "where")[:kept], [row[:kept] for row in rows])
    if console.narrow():
        _places(found)
    for one in found.drives:
        if one.why and not one.well:
            console.line(f"{one.drive}: {one.why}")
    for name in found.pool.away if found.pool else ():
        console.line(f"(pool): {name} is not there")


def _places(found: StorageStatus) -> None:
    console.line(f"(data) is {found.data}")
    if pool := found.pool:
        console.line(f"(pool) is {pool.path}: {', '.join(pool.drives)}, policy {pool.policy}")
    if found.drives:
        console.line(f"each drive is at {found.data}/drives/ and its name")


def _room(usage: Usage | None, fill: float | None) -> tuple[str, str, str]:
    if usage is None or fill is None:
        return "", "", ""
    return console.human_bytes(usage.size), console.human_bytes(usage.used), f"{fill:.0%}"


@app.command()
def health() -> None:
    """Ask the drives how they are, and when they will be full. Exit code 1: one is not well.

    SMART, and the errors that filesystems count. Each run keeps how full the drives are, at most four times a day,
    for the forecast.
    """
    from usenet.actions.storage import health as action

    found = action.look(home(), record=not FLAGS.dry_run)
    console.show(found, lambda: _health(found))
    if any(one.problems for one in found.drives):
        raise typer.Exit(1)


def _health(found: Looked) -> None:
    from usenet.domain.storage.health import sentence

    if not found.drives:
        console.line("no drive is in the stack; see: usenet storage list")
        return
    rows = (
        (d.drive, d.state, *_smart(d), "" if d.errors is None else d.errors, "" if d.fill is None else f"{d.fill:.0%}")
        for d in found.drives
    )
    console.table(("drive", "state", "smart", "temperature", "running", "errors", "fill"), rows)
    for one in found.drives:
        unknown = (f"{path}: {s.why}" for path, s in one.smart.items() if s.verdict == "unknown")
        for text in (*unknown, *one.signs, sentence(one.forecast)):
            if text:
                console.line(f"{one.drive}: {text}")
        for text in one.problems:
            console.problem(f"{one.drive}: {text}", mark="problem:")
    for note in found.notes:
        console.warn(note)


def _smart(one: DriveHealth) -> tuple[str, str, str]:
    """Verdict, temperature and hours: the worst of several drives."""
    told: list[Smart] = list(one.smart.values())
    verdicts = {s.verdict for s in told}
    worst = next((v for v in ("failing", "unknown", "passed") if v in verdicts), "")
    hot = max((s.temperature for s in told if s.temperature is not None), default=None)
    hours = max((s.hours for s in told if s.hours is not None), default=None)
    return worst, "" if hot is None else f"{hot} °C", "" if hours is None else f"{hours // 24} days"


@app.command()
def check(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended; --dry-run shows how.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Look at the owner of each file too.")] = False,
) -> None:
    """Look for what can be wrong, inside running services too. Exit code 1: something is."""
    from usenet.actions.storage import check as action

    found = action.look(home(), deep=deep, dry_run=FLAGS.dry_run)
    plan = found.lines() if fix else []
    if fix and not FLAGS.dry_run:
        through_root(["storage", "check", "--fix", *(["--deep"] if deep else [])], lambda: plan)
        found = action.fix(home(), found, deep=deep, say=console.say)
    shown = {"problems": found.problems, "notes": found.notes, "steps": plan}
    if fix and FLAGS.dry_run:
        console.show(shown, lambda: console.line("\n".join(plan) or "nothing that can be mended from here"))
        return
    console.show(shown, lambda: _check(found))
    if found.problems:
        raise typer.Exit(1)


def _check(found: Checked) -> None:
    for note in found.notes:
        console.warn(note)
    for text in _problems(found):
        console.problem(text, mark="problem:")
    if not found.problems:
        console.say("nothing else is wrong" if found.notes else "nothing is wrong")


def _problems(found: Checked) -> Iterator[str]:
    for one in found.problems:
        yield f"{one.about}: {one.what}" + (f"; {one.cure}" if one.cure else "")


@app.command()
def layout(
    drive: Annotated[
        str,
        typer.Argument(metavar="[DRIVE]", help="Below this drive; else below the data root.", autocompletion=complete),
    ] = "",
) -> None:
    """Make the directories for media and downloads. In them a download is linked into the library, not copied."""
    from usenet.actions.storage import layout as action
    from usenet.domain.steps import describe

    def planned() -> list[str]:
        step = action.layout(home(), drive, dry_run=True)
        return [describe(step)] if step and not action.permitted(step) else []

    through_root(["storage", "layout", *(["--", drive] if drive else [])], planned)
    made = action.layout(home(), drive, dry_run=FLAGS.dry_run)
    shown = {"directories": made.paths if made else (), "step": describe(made) if made else ""}
    console.show(shown, lambda: console.line(describe(made) if made else "nothing to make: all are there"))
