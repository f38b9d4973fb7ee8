"""A text that nobody sees by accident."""

from __future__ import annotations

import re
from typing import NoReturn

REDACTED = "[redacted]"


class Secret:
    """Prints as `[redacted]` everywhere; only adapters call `reveal`. Can't be pickled or turned into JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __str__(self) -> str:
        return REDACTED

    def __repr__(self) -> str:
        return REDACTED

    def __format__(self, form: str) -> str:
        return format(REDACTED, form)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret stays in this process")


def looks_secret(name: str) -> bool:
    """Whether a name such as API_KEY or --password promises a secret."""
    return bool(
        re.search(r"pass(word|wd|phrase)?|secret|token|credential|api.?key|(^|[_.-])key$|auth$", name, re.IGNORECASE)
    )
