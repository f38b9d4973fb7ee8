"""From the text of a service file's head to a Service, or to an error with its line, expectation and cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from usenet.adapters.settings import Problem, refuse, text
from usenet.adapters.settings.explain import nearest
from usenet.adapters.settings.text import Node
from usenet.domain.errors import ConfigError
from usenet.domain.service import Backup, Health, Model, Port, Service, Wants

Location = Sequence[int | str]

_BELOW: Mapping[str, type[Model]] = {"ports": Port, "wants": Wants, "health": Health, "backup": Backup}
_LIKE = {
    "image": "an image with a version, such as jellyfin/jellyfin:10.11.11",
    "documentation": "an address that begins with https://",
}
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a path that begins with /",
    "model_type": "keys with values",
    "dict_type": "keys with values",
    "tuple_type": "a list",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "literal_error": "one of {expected}",
}
_HINT = "look at a service that comes with usenet for an example: usenet services list"


@dataclass(frozen=True, slots=True)
class Head:
    """A service as its file declares it, and the way back from a key to its line."""

    service: Service
    root: Node
    file: str

    def place(self, location: Location) -> str:
        """`services/foo.yaml.j2:3: health/port` for ("health", "port")."""
        return f"{self.file}:{_line(self.root, location)}: {_path(location)}"


def read(head: str, file: str) -> Head:
    """The head of the service file that messages call `file`. ConfigError names every problem; nothing else is raised.

    Every plain word is text until a type says otherwise: `no` and `0755` mean what was typed.
    """
    root = text.read(head, file)
    if not isinstance(root.value, dict):
        raise ConfigError(
            "expected keys with values at the top, found something else",
            where=f"{file}:{root.line}",
            hint="begin with: title:",
        )
    try:
        return Head(Service.model_validate(root.plain()), root, file)
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
        raise refuse([_problem(e, root, file) for e in sorted(errors, key=lambda e: _line(root, e["loc"]))]) from None


def _problem(error: Any, root: Node, file: str) -> Problem:
    location = tuple(part for part in error["loc"] if part != "[key]")
    message, hint = _explained(error, location)
    return Problem(f"{file}:{_line(root, location)}", _path(location), message, hint)


def _explained(error: Any, location: Location) -> tuple[str, str]:
    if error["type"] == "extra_forbidden":
        known = _keys(location[:-1])
        meant = nearest(str(location[-1]), known)
        return (
            f'unknown key "{location[-1]}"; expected one of {", ".join(known)}',
            f'did you mean "{meant}"?' if meant else _HINT,
        )
    if error["type"] == "missing":
        return f"the key {location[-1]} is missing", _HINT
    if error["type"] == "value_error":
        return str(error["ctx"]["error"]), _HINT
    return f"expected {_expected(error, str(location[-1]))}, found {_found(error['input'])}", _HINT


def _keys(location: Location) -> tuple[str, ...]:
    model = _BELOW[str(location[0])] if location else Service
    return tuple(model.model_fields)


def _expected(error: Any, key: str) -> str:
    if key == "memory":
        return "a size such as 512M or 2G"
    if key in _LIKE and error["type"] == "string_pattern_mismatch":
        return _LIKE[key]
    known = _EXPECTED.get(error["type"])
    return known.format(**error.get("ctx", {})).replace("'", "") if known else str(error["msg"])


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "keys with values" if isinstance(value, dict) else "a list"
    word = str(value)
    return f'"{word[:60]}…"' if len(word) > 60 else f'"{word}"'


def _path(location: Location) -> str:
    return "/".join(map(str, location))


def _line(root: Node, location: Location) -> int:
    """The line of the deepest key that exists on the way."""
    node = root
    for part in location:
        below = node.value
        if isinstance(below, dict) and str(part) in below:
            node = below[str(part)]
        elif isinstance(below, list) and isinstance(part, int):
            node = below[part]
        else:
            break
    return node.line
