"""A configuration, read key by key: what is missing, wrong or unknown is told with its place and its cure."""

from __future__ import annotations

import difflib
import math
import re
from pathlib import Path
from typing import Any, TypeVar

from usenet.recorder.errors import RecorderError

_UNIT = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_NEEDED: Any = object()
Text = TypeVar("Text", bound=str)


class ConfigError(RecorderError):
    """The configuration says something that can't be done; nothing was started."""

    code = 4


def named(value: object) -> str:
    """A value as a person would name it in a message; never a whole structure."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "keys and values" if isinstance(value, dict) else "a list"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


class Part:
    """A mapping of the file, and its place in it. `done` refuses the keys that nobody asked for."""

    def __init__(self, told: dict[Any, Any], where: str) -> None:
        self.told, self.where, self._asked = told, where, set[str]()

    def fault(self, key: str, expected: str, found: object, *, hint: str = "") -> ConfigError:
        """The sentence about one key. A value that may hold a password is not repeated."""
        secret = re.search(r"url|token|pass", key) and isinstance(found, str) and ":" in found
        return ConfigError(
            f"{self.where}: {key}: expected {expected}, found {'something else' if secret else named(found)}",
            hint=hint or f"set {key} to {expected}",
        )

    def done(self) -> None:
        """ConfigError for the first key that means nothing here."""
        for key in self.told:
            if key not in self._asked:
                near = difflib.get_close_matches(str(key), sorted(self._asked), 1)
                known = ", ".join(sorted(self._asked))
                raise ConfigError(
                    f'{self.where}: "{key}" means nothing here',
                    hint=f"did you mean {near[0]}?" if near else f"known are: {known}",
                )

    def part(self, key: str) -> Part | None:
        """The mapping below a key; None where there is none."""
        found = self._take(key, None)
        if found is None:
            return None
        if not isinstance(found, dict):
            raise self.fault(key, "keys and values", found)
        return Part(found, f"{self.where}: {key}" if ": " not in self.where else f"{self.where}/{key}")

    def text(self, key: str, default: str = _NEEDED) -> str:
        found = self._take(key, default)
        if not isinstance(found, str) or (default is _NEEDED and not found):
            raise self.fault(key, "a text", found)
        return found

    def choice(self, key: str, known: tuple[Text, ...], default: Text) -> Text:
        found = self._take(key, default)
        chosen = next((one for one in known if one == found), None)
        if chosen is None:
            raise self.fault(key, " or ".join(known), found)
        return chosen

    def switch(self, key: str, *, default: bool) -> bool:
        found = self._take(key, default)
        if not isinstance(found, bool):
            raise self.fault(key, "true or false", found)
        return found

    def number(self, key: str, default: float | None, *, least: float, most: float) -> Any:
        found = self._take(key, default)
        if found is None and default is None:
            return None
        if not is_number(found) or not least <= found <= most:
            raise self.fault(key, f"a number from {least} to {most}", found)
        return found

    def whole(self, key: str, default: int, *, least: int, most: int) -> int:
        found = self.number(key, default, least=least, most=most)
        if found != int(found):
            raise self.fault(key, f"a whole number from {least} to {most}", found)
        return int(found)

    def size(self, key: str) -> int | None:
        """Bytes: a number above 0, or a text such as 500G."""
        found = self._take(key, None)
        if found is None:
            return None
        parts = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:i?B)?", found.strip(), re.IGNORECASE) if type(found) is str else None
        many = int(parts[1]) * _UNIT[parts[2].upper()] if parts else found
        if type(many) is not int or many < 1:
            raise self.fault(key, "bytes, such as 500G", found)
        return many

    def path(self, key: str, base: Path, default: str = _NEEDED) -> Path:
        """A path; a relative one is below the directory of the file."""
        return base / self.text(key, default)

    def _take(self, key: str, default: Any) -> Any:
        self._asked.add(key)
        found = self.told.get(key)
        return default if found is None and default is not _NEEDED else found


def is_number(value: object) -> bool:
    """Whether a value of JSON or YAML is a number that can be counted with: no truth value, no NaN, nothing endless."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
