"""The report of a bug: enough to find it, and no secret."""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from usenet import __version__
from usenet.adapters import files, secrets
from usenet.adapters.home import find
from usenet.domain.errors import UsenetError
from usenet.domain.secret import REDACTED, looks_secret

_LOGIN = re.compile(r"(?<=://)[^\s/@]+:[^\s/@]*@")


def describe(failure: BaseException, arguments: Sequence[str], given_home: str) -> str:
    """The kind of the failure and its message, without secrets."""
    said = f"{type(failure).__name__}: {failure}"
    try:
        return secrets.redact(_without(said, _without_secrets(arguments)[1]), find(given_home))
    except (UsenetError, OSError, RuntimeError):
        return type(failure).__name__


def write(failure: BaseException, arguments: Sequence[str], given_home: str) -> Path | None:
    """Save the report in the user's state directory, readable by the user only; its path, or None if that fails."""
    now = datetime.now(UTC)
    try:
        path = _directory() / f"report-{now:%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
        text = secrets.redact(_text(failure, arguments, now), find(given_home))
        files.make_directory(path.parent, os.geteuid(), os.getegid(), 0o700)
        files.write(path, text, mode=0o600)
    except (UsenetError, OSError, RuntimeError):
        return None
    return path


def _directory() -> Path:
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (named if named.is_absolute() else Path("~/.local/state").expanduser()) / "usenet"


def _text(failure: BaseException, arguments: Sequence[str], now: datetime) -> str:
    shown, hidden = _without_secrets(arguments)
    text = "\n".join(
        (
            f"usenet {__version__}",
            f"python {platform.python_version()} on {platform.platform()}",
            f"when {now.isoformat(timespec='seconds')}",
            f"command: usenet {' '.join(shown)}",
            f"program: {sys.argv[0]}",
            "",
            "".join(traceback.format_exception(failure)),
        )
    )
    return _without(text, hidden)


def _without(text: str, hidden: set[str]) -> str:
    for value in sorted(hidden, key=len, reverse=True):
        text = text.replace(value, REDACTED)
    return _LOGIN.sub(f"{REDACTED}@", text)


def _without_secrets(arguments: Sequence[str]) -> tuple[list[str], set[str]]:
    """The words without those that look like secrets, and what was taken out."""
    shown: list[str] = []
    hidden: set[str] = set()
    follows = False
    for word in arguments:
        name, equals, value = word.partition("=")
        if follows and not word.startswith("-"):
            hidden.add(word)
            shown.append(REDACTED)
            follows = False
        elif equals and looks_secret(name):
            hidden.add(value)
            shown.append(f"{name}={REDACTED}")
        else:
            shown.append(word)
            follows = looks_secret(word)
    return shown, {value for value in hidden if value}
