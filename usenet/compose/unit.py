"""The unit that lets systemd run the agent. Pure: the same stack directory gives the same text."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import StrictUndefined, Template


def render(template: str, *, name: str, home: str, command: Sequence[str]) -> str:
    """The text of the unit `name`."""
    words = " ".join(_quoted(word).replace("$", "$$") for word in command)
    made = Template(template, undefined=StrictUndefined, keep_trailing_newline=True)
    return str(made.render(name=name, home=_quoted(home), command=words))


def _quoted(word: str) -> str:
    """A word as systemd reads it. A dollar means a variable where a command stands, and only there."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'
