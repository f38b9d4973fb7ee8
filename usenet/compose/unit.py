"""The unit that lets systemd run the agent. Pure: the same stack directory gives the same text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import StrictUndefined, Template

_OURS = "# Written by usenet agent install."
_HOME = re.compile(r'^RequiresMountsFor="(.*)"$', re.MULTILINE)


def render(template: str, *, name: str, home: str, command: Sequence[str]) -> str:
    """The text of the unit `name`."""
    words = " ".join(_quoted(word).replace("$", "$$") for word in command)
    made = Template(template, undefined=StrictUndefined, keep_trailing_newline=True)
    return str(made.render(name=name, home=_quoted(home), command=words))


def home(text: str) -> str:
    """The stack directory whose agent a unit runs; empty where it is none that we wrote."""
    found = _HOME.search(text) if text.startswith(_OURS) else None
    return _plain(found[1]) if found else ""


def _quoted(word: str) -> str:
    """A word as systemd reads it. A dollar means a variable where a command stands, and only there."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{plain}"'


def _plain(quoted: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", quoted.replace("%%", "%"))
