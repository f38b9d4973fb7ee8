"""From what pydantic says to what a person needs: place, expectation, what was found, and the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from usenet.adapters.settings.schema import keys_at
from usenet.adapters.settings.text import Node
from usenet.domain.errors import ConfigError
from usenet.domain.service import IMAGE, NAME
from usenet.domain.settings import ZONE
from usenet.domain.storage.alerts import ADDRESS
from usenet.domain.storage.intent import DRIVE_NAME, PATH

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a settings file; `place` is like `usenet.yaml:14`, `path` like `services/sonarr/port`."""

    place: str
    path: str
    message: str
    hint: str = ""

    @property
    def where(self) -> str:
        return f"{self.place}: {self.path}" if self.path else self.place


def refuse(found: Sequence[Problem]) -> ConfigError:
    """One error for all of `found` (at least one): the first in full, the others a line each."""
    first, *others = found
    rest = "".join(f"\n       {p.where}: {p.message}" for p in others)
    return ConfigError(first.message + rest, hint=first.hint, where=first.where)


def explain(errors: Iterable[Mapping[str, Any]], root: Node, name: str) -> list[Problem]:
    """The problems behind pydantic's `errors`, in the order of the file."""
    found = [(line_of(root, error["loc"]), _problem(error, root, name)) for error in errors]
    return [problem for _, problem in sorted(found, key=lambda pair: pair[0])]


def nearest(word: str, known: Iterable[str]) -> str:
    """The name that was probably meant, or an empty string."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def line_of(root: Node, location: Sequence[int | str]) -> int:
    """The line of `location`, or of the deepest node that exists on the way to it."""
    node = root
    for part in location:
        inner = node.value
        if isinstance(inner, dict) and str(part) in inner:
            node = inner[str(part)]
        elif isinstance(inner, list) and isinstance(part, int):
            node = inner[part]
        else:
            break
    return node.line


def _problem(error: Mapping[str, Any], root: Node, name: str) -> Problem:
    location: Location = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "plain_secret":
        location = (*location, error["ctx"]["name"])
    place, path = f"{name}:{line_of(root, location)}", "/".join(map(str, location))
    if error["type"] == "extra_forbidden":
        return Problem(place, path, *_unknown(str(location[-1]), keys_at(location[:-1])))
    if error["loc"][-1:] == ("[key]",):
        own = error["type"] == "value_error"
        said = str(error["ctx"]["error"]) if own else f"expected {_expected(error)}, found {_found(location[-1])}"
        return Problem(place, path, said, "give it another name")
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        return Problem(place, path, str(error["ctx"]["error"]), "correct it; all keys: usenet config schema")
    hint = f"correct it, or go back to the default with: usenet config unset {path.replace('/', '.')}"
    if error["type"] == "plain_secret":
        variable = str(location[-1]).upper()
        return Problem(place, path, str(error["msg"]), f"put {variable}=… into .env, and write here: ${{{variable}}}")
    found = "something else" if location[-1:] in _UNSAID else _found(error["input"])
    if error["type"] == "value_error":
        return Problem(place, path, f"{error['ctx']['error']}; found {found}", hint)
    return Problem(place, path, f"expected {_expected(error)}, found {found}", hint)


def _unknown(word: str, known: tuple[str, ...]) -> tuple[str, str]:
    meant = nearest(word, known)
    hint = f'did you mean "{meant}"? ' if meant else ""
    return f'unknown key "{word}"; expected one of {", ".join(known)}', f"{hint}all keys: usenet config schema"


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "dict_type": "keys with values",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "string_too_short": "some text",
    "literal_error": "one of {expected}",
    "string_pattern_mismatch": "text like {pattern}",
}
_UNSAID = {("webhook",)}  # what is there may be a secret as a whole
_SIZES = ("memory", "min_free")
_PATTERNS = {
    NAME: "small letters, digits and single dashes: media, sonarr-4k",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of a variable: TZ, MY_KEY",
    r"^0?[0-7]{3}$": "three octal digits: 002, 022 or 077",
    ZONE: "a zone name: Europe/Berlin",
    DRIVE_NAME: "small letters, digits and -, at most 32 of them: films-2",
    PATH: "a path that begins with /",
    ADDRESS: "an address that begins with https:// or http://, or ${NAME}, which is taken from .env",
    IMAGE: "an image with its version: caddy:2.8, lscr.io/linuxserver/sonarr:4.0",
}


def _expected(error: Mapping[str, Any]) -> str:
    context = {k: f"{v:g}" if isinstance(v, float) else v for k, v in error.get("ctx", {}).items()}
    if error["type"] == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if error["type"] == "int_parsing" and error["loc"][-1] in _SIZES:
        return "a size such as 512M or 2G"
    known = _EXPECTED.get(error["type"])
    return known.format(**context).replace("'", "") if known else str(error["msg"])


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
