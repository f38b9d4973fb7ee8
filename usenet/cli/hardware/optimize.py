"""usenet hardware optimize: the services get what this machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.hardware import app
from usenet.cli.places import home
from usenet.domain.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from usenet.actions.hardware.optimize import Optimized
    from usenet.domain.hardware.optimize import Shift, Value

_PROFILES = "dedicated|high_performance|balanced|light|development|custom"


@app.command()
def optimize(
    profile: Annotated[
        str, typer.Option("--profile", metavar=_PROFILES, help="How much of the machine the services may use.")
    ] = "",
    share: Annotated[
        float | None, typer.Option("--share", metavar="PART", help="With --profile custom, such as 0.6.")
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Let the size of the machine choose the profile.")] = False,
    available: Annotated[
        bool, typer.Option("--available", help="Leave out services whose image can't be had.")
    ] = False,
) -> None:
    """Share this machine out among the services: show what changes and why, then do it."""
    if auto and profile:
        raise UsageError("--auto and --profile exclude each other")
    console.say("looking at the machine")
    from usenet.actions.hardware import Looking

    begun = Looking()  # loading the rest takes as long
    from usenet.actions.hardware import optimize as action

    place = home()
    found = action.look(place, action.edits("auto" if auto else profile, share), available=available, begun=begun)
    for text in found.situation.warnings:
        console.warn(text)
    if FLAGS.dry_run or not (found.shifts or found.edits):
        console.show(_document(found), lambda: _human(found))
        return
    if FLAGS.json:
        for one in found.shifts:
            console.ahead(" ".join(_row(one)))
    else:
        _human(found)
    _agreed()
    action.save(place, found)
    _apply(found)


def _agreed() -> None:
    if FLAGS.yes:
        return
    answer = console.ask("change it so? [Y/n]", default="y", cure="agree beforehand with --yes")
    if not answer.lower().startswith("y"):
        raise Interrupted("nothing was changed")


def _apply(found: Optimized) -> None:
    from usenet.actions.hardware import optimize as action

    running = action.running(found.situation.home, found)
    if running:
        from usenet.cli import up_view

        up_view.carry_out(found.situation, found.decision, running)
        return
    console.show(
        _document(found),
        lambda: console.say("nothing of this stack runs; it will, so limited, with: usenet services up"),
    )


def _document(found: Optimized) -> dict[str, object]:
    return {"profile": found.profile, "settings": found.edits, "changes": found.shifts}


def _human(found: Optimized) -> None:
    console.line(f"profile {found.profile.value}: {found.profile.because}")
    for path, value in found.edits.items():
        console.line(f"usenet.yaml: {path}: {value}")
    if not found.shifts:
        console.line("Each service has what it should have.")
        return
    console.line()
    console.table(("service", "what", "now", "then", "because"), map(_row, found.shifts))


def _row(one: Shift) -> tuple[str, ...]:
    return one.service, one.what, _shown(one.what, one.now), _shown(one.what, one.then), one.because


def _shown(what: str, value: Value) -> str:
    if value is None:
        return "none"
    return console.human_bytes(int(value)) if what.startswith("memory") else str(value)
