"""Secrets of a storage: from a file that only its owner can read, or from the environment; shown nowhere.

They are read when they are needed, and again after the storage refused them: a file that is not there yet, or is wrong,
never keeps a recorder from recording, and one that was corrected needs no restart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .storage import Refused


class BadCredentials(Refused):
    """There are none, or they can be read by others."""


class Secret:
    """A word that neither `str`, `repr` nor an error shows."""

    __slots__ = ("_word",)

    def __init__(self, word: str) -> None:
        self._word = word

    def reveal(self) -> str:
        return self._word

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def credentials(file: Path | None, *names: str, environment: Mapping[str, str] | None = None) -> dict[str, Secret]:
    """Those of `names` that are set: lines `NAME=word` of `file`, or without a file the environment.

    The same names in both, those that the storage's own tools use (`AWS_ACCESS_KEY_ID`, …).
    """
    known = _lines(file) if file else os.environ if environment is None else environment
    return {name: Secret(known[name]) for name in names if known.get(name)}


def demanded(found: Mapping[str, Secret], *names: str) -> list[Secret]:
    """All of `names`, or BadCredentials with those that are missing."""
    missing = [name for name in names if name not in found]
    if missing:
        hint = "put NAME=word lines into a file with mode 0600 and name it as `credentials`"
        raise BadCredentials(f"credentials are missing: {', '.join(missing)}", hint=hint)
    return [found[name] for name in names]


def _lines(file: Path) -> dict[str, str]:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadCredentials(f"{file}: {error.strerror}") from None
    with os.fdopen(handle, encoding="utf-8") as text:
        mode = os.fstat(handle).st_mode
        if mode & 0o077:
            raise BadCredentials(f"{file}: others can read it (mode {mode & 0o777:04o})", hint=f"chmod 600 {file}")
        pairs = (line.strip().partition("=") for line in text if not line.lstrip().startswith("#"))
        return {name.strip(): word.strip() for name, equals, word in pairs if equals}
