"""Steps that need root, as a plain user: shown, then through sudo if the person agrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.domain.errors import Interrupted, UsageError


def through_root(words: Sequence[str], plan: Callable[[], Sequence[str]], *, goes_on: str = "") -> None:
    """Return where the verb can run as it is: as root, in a dry run, or because there is nothing to do.

    Else its steps, `plan`, are shown and the same command, `words`, runs through sudo, with whose exit code this run
    ends. `goes_on`: what a verb does that needs root though nothing is to be done at once. SystemFailure without sudo,
    or without a terminal to agree on.
    """
    from usenet.actions.storage import rights

    if FLAGS.dry_run or not rights.missing():
        return
    steps = (*plan(), *([goes_on] if goes_on else ()))
    if not steps:
        return
    for line in steps:
        console.ahead(line)
    command = rights.command(str(home().path), [*_flags(), *words], answers=not FLAGS.yes)
    try:
        answer = console.ask("this needs root: go on through sudo? [Y/n]", default="y", cure="")
    except UsageError as mute:
        raise rights.refused(command, "there is no terminal to agree on") from mute
    if not answer.lower().startswith("y"):
        raise Interrupted("nothing was changed")
    try:
        code = rights.take(command)
    except PermissionError as not_ours:  # Ctrl-C reached sudo as well, which is root's and ends by itself
        raise Interrupted("it was ended") from not_ours
    raise typer.Exit(code)


def _flags() -> list[str]:
    named = {"--json": FLAGS.json, "--quiet": FLAGS.quiet, "--verbose": FLAGS.verbose, "--yes": FLAGS.yes}
    return [flag for flag, on in named.items() if on]
