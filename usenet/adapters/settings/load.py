"""From usenet.yaml to Settings, or to the list of all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from usenet.adapters import identity
from usenet.adapters.home import SETTINGS, Home
from usenet.adapters.settings import text
from usenet.adapters.settings.explain import Problem, explain, line_of, refuse
from usenet.adapters.settings.text import Node
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.settings import Settings, is_plain_secret


def load(home: Home) -> Settings:
    """The settings of a stack directory. ConfigError with file, line and path for every problem in the file."""
    return parse(content(home.require().settings))


def parse(source: str, name: str = SETTINGS) -> Settings:
    """The settings in a text. ConfigError as for `load`; nothing else is ever raised."""
    read, wrong = _read(source, name)
    if read is None or wrong:
        raise refuse(wrong)
    return read


def problems(home: Home) -> list[Problem]:
    """All that is wrong with a usenet.yaml; empty when it loads."""
    try:
        return problems_in(content(home.require().settings))
    except ConfigError as failure:
        return [Problem(failure.where, "", failure.message, failure.hint)]


def problems_in(source: str, name: str = SETTINGS) -> list[Problem]:
    """All that is wrong with the values of a text; ConfigError if it is no YAML."""
    return _read(source, name)[1]


def plain_secrets(source: str) -> frozenset[str]:
    """The values in a text that must not be shown: the settings refuse them, but a text can hold them."""
    try:
        return frozenset(_plain_secrets(text.read(source, SETTINGS).plain()))
    except ConfigError:
        return frozenset()


def _plain_secrets(value: object) -> Iterator[str]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, str) and is_plain_secret(str(key), inner):
            yield inner
        yield from _plain_secrets(inner)


def place(home: Home, location: Sequence[int | str]) -> str:
    """`usenet.yaml:14` for a location in a file that loads."""
    return f"{SETTINGS}:{line_of(text.read(content(home.settings), SETTINGS), location)}"


def content(path: Path) -> str:
    """The text of a settings file; ConfigError when it is not text, SystemFailure when it can't be read."""
    try:
        with path.open("rb") as file:
            return text.decode(file.read(text.LARGEST + 1), path.name)
    except OSError as failure:
        raise SystemFailure(
            f"{path} can't be read: {failure.strerror}", hint=f"look at: ls -ld {path}", where=path.name
        ) from failure


def _read(source: str, name: str) -> tuple[Settings | None, list[Problem]]:
    root = _mapping(text.read(source, name), name)
    try:
        read = Settings.model_validate(root.plain())
    except ValidationError as failure:
        return None, explain(failure.errors(include_url=False), root, name)
    if identity.knows_zone(read.timezone):
        return read, []
    message = f'expected a zone that this machine knows, such as Europe/Berlin, found "{read.timezone}"'
    place = f"{name}:{line_of(root, ('timezone',))}"
    return read, [Problem(place, "timezone", message, "list them with: timedatectl list-timezones")]


def _mapping(root: Node, name: str) -> Node:
    if isinstance(root.value, dict):
        return root
    found = "a list" if isinstance(root.value, list) else f'"{str(root.value)[:40]}"'
    raise ConfigError(
        f"expected keys with values at the top, found {found}",
        hint="begin with: services:",
        where=f"{name}:{root.line}",
    )
