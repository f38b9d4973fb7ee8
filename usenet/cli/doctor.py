"""usenet doctor: what is wrong, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from usenet.cli import console
from usenet.cli.noun import Noun
from usenet.cli.places import home

if TYPE_CHECKING:
    from usenet.actions.doctor import Finding

app = Noun(help="Tell what is wrong with this machine and the stack, and what mends it.")


@app.command()
def doctor() -> None:
    """Tell what is wrong with this machine and the stack, and what mends it; changes nothing."""
    place = home()
    console.say("looking at everything")
    from usenet.actions import doctor as action

    found = action.look(place)
    console.show(found, lambda: console.table(("state", "about", "what", "cure"), map(_row, found)))
    if any(one.state == "wrong" for one in found):
        raise typer.Exit(1)


def _row(one: Finding) -> tuple[str, ...]:
    return one.state, one.about, one.said, one.cure
