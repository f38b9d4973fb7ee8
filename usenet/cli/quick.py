"""The verbs that are asked most often, without Typer, whose import takes longer than the answer.

Whatever is not plainly one of them is Typer's: help, completion, words that don't fit (docs/decisions/0010).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from usenet.cli.flags import FLAGS, interruptible

STATUS, LIST = ("services", "status"), ("hardware", "list")
_OPTIONS: dict[tuple[str, ...], dict[str, str]] = {
    STATUS: {"--group": "group", "-g": "group"},
    LIST: {"--host": "host"},
}
_SWITCHES = {"--json": "json", "--quiet": "quiet", "-q": "quiet", "--yes": "yes", "-y": "yes"}
_SWITCHES |= {"--dry-run": "dry_run", "-n": "dry_run"}


class Words:
    """What the words of one of the verbs say. `plain`: the verb, and names after it; `options`: its own."""

    __slots__ = ("flags", "options", "plain")

    def __init__(self) -> None:
        self.plain: list[str] = []
        self.options: dict[str, str] = {}
        self.flags: dict[str, bool | str] = {}

    @property
    def verb(self) -> tuple[str, ...]:
        return tuple(self.plain[:2])


def execute(words: Sequence[str]) -> bool:
    """Run the verb if the words are plainly its; whether they were."""
    read = _read(words)
    if read is None:
        return False
    for name, value in read.flags.items():
        setattr(FLAGS, name, value)
    with interruptible():
        _show(read)
    return True


def takes(words: Sequence[str]) -> bool:
    """Whether `execute` would run them."""
    return _read(words) is not None


def _read(words: Sequence[str]) -> Words | None:
    return None if "_USENET_COMPLETE" in os.environ else understand(words)


def _show(read: Words) -> None:
    if read.verb == STATUS:
        from usenet.cli import status_view

        status_view.show(read.plain[2:], read.options.get("group", ""))
    else:
        _list(read.options.get("host", ""))


def _list(saved: str) -> None:
    from usenet.actions import early

    compose = None if saved else early.Compose()
    from pathlib import Path

    from usenet.cli import hardware_view

    hardware_view.show(Path(saved) if saved else None, compose)


def understand(words: Sequence[str]) -> Words | None:
    """The words of one of the verbs as Typer would take them; None where only Typer can tell."""
    read = Words()
    rest = iter(words)
    for word in rest:
        if word in _SWITCHES:
            read.flags[_SWITCHES[word]] = True
        elif word == "--home" or word in _OPTIONS.get(read.verb, ()):
            value = next(rest, "")
            if not value or value.startswith("-"):
                return None
            if word == "--home":
                read.flags["home"] = value
            else:
                read.options[_OPTIONS[read.verb][word]] = value
        elif word.startswith("-"):
            return None
        else:
            read.plain.append(word)
    if read.verb not in _OPTIONS or (read.verb == LIST and read.plain[2:]):
        return None
    return read
