"""The verb that is asked most often, `services status`, without Typer, whose import takes longer than the answer.

Whatever is not plainly this verb is Typer's: help, completion, words that don't fit (docs/decisions/0010).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from usenet.cli.flags import FLAGS, interruptible

VERB = ["services", "status"]
_SWITCHES = {"--json": "json", "--quiet": "quiet", "-q": "quiet", "--yes": "yes", "-y": "yes"}
_SWITCHES |= {"--dry-run": "dry_run", "-n": "dry_run"}


@dataclass(slots=True)
class Words:
    """What the words of `services status` say."""

    names: list[str]
    group: str
    flags: dict[str, bool | str]


def execute(words: Sequence[str]) -> bool:
    """Run the verb if the words are plainly its; whether they were."""
    read = None if "_USENET_COMPLETE" in os.environ else understand(words)
    if read is None:
        return False
    for name, value in read.flags.items():
        setattr(FLAGS, name, value)
    from usenet.cli import status_view

    with interruptible():
        status_view.show(read.names, read.group)
    return True


def understand(words: Sequence[str]) -> Words | None:
    """The words of `services status` as Typer would take them; None where only Typer can tell."""
    plain: list[str] = []
    read = Words([], "", {})
    rest = iter(words)
    for word in rest:
        if word in _SWITCHES:
            read.flags[_SWITCHES[word]] = True
        elif word == "--home" or (word in ("--group", "-g") and plain[:2] == VERB):
            value = next(rest, "-")
            if value.startswith("-"):
                return None
            if word != "--home":
                read.group = value
            elif value:
                read.flags["home"] = value
        elif word.startswith("-") or (len(plain) < 2 and word != VERB[len(plain)]):
            return None
        else:
            plain.append(word)
    read.names = plain[2:]
    return read if plain[:2] == VERB else None
