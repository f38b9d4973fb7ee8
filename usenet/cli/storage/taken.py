"""The steps of a verb that changes drives or the pool, and what came of them, told to a person or as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.storage import findings

if TYPE_CHECKING:
    from usenet.domain.storage.converge import Finding
    from usenet.domain.storage.steps import Step


def say(step: Step) -> None:
    """One step, as it is taken."""
    from usenet.domain.storage.steps import describe

    console.say(describe(step))


def lines(steps: Iterable[Step]) -> list[str]:
    """Each step in words."""
    from usenet.domain.storage.steps import describe

    return [describe(step) for step in steps]


def tell(
    steps: Sequence[Step], found: Sequence[Finding], words: str, *, drive: str = "", notes: Sequence[str] = ()
) -> None:
    """What was done in `words`, or in a dry run each step with its commands; then notes and what stays wrong."""
    from usenet.domain.storage.steps import commands, describe

    def human() -> None:
        for step in steps if FLAGS.dry_run else ():
            console.line(describe(step))
            for command in commands(step):
                console.line(f"  {shlex.join(command)}")
        if FLAGS.dry_run and not steps:
            console.line("nothing to do")
        for note in notes:
            console.line(note)
        findings.tell(found)
        if not FLAGS.dry_run:
            console.say(words)

    told = {
        "steps": lines(steps),
        "commands": [command for step in steps for command in commands(step)],
        "findings": found,
    }
    console.show({"drive": drive, **told, "notes": notes} if drive else told, human)
