"""Who may ask: whoever holds the token of a file that only the recorder's account can read."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from usenet.recorder.sidecar.reading import ConfigError

_SHORTEST = 16


class Token:
    """What has to be told with every question. Never printed."""

    __slots__ = ("_told",)

    def __init__(self, text: str) -> None:
        self._told = text.encode()

    def allows(self, header: str) -> bool:
        """Whether an Authorization header is `Bearer` and the token, compared in a time that tells nothing."""
        kind, _, given = header.partition(" ")
        same = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), self._told)
        return kind.lower() == "bearer" and same


def token(path: Path) -> Token:
    """The token in a file; where there is none, one is made, mode 0600. ConfigError where others could read it."""
    try:
        return Token(_read(path))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigError(f"{path}: the token can't be read: {error.strerror}", hint="set token_file") from error
    made = secrets.token_urlsafe(32)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(made + "\n")
            file.flush()
            os.fsync(handle)
    except OSError as error:
        raise ConfigError(
            f"{path}: no token is there, and none can be made: {error.strerror}",
            hint="set token_file to a file in a directory that the recorder's account may write to",
        ) from error
    return Token(made)


def _read(path: Path) -> str:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        about = os.fstat(handle)
        text = os.read(handle, 4096).decode(errors="replace").strip()
    finally:
        os.close(handle)
    if stat.S_IMODE(about.st_mode) & 0o077:
        raise ConfigError(f"{path}: others may read the token", hint=f"chmod 600 {path}")
    if len(text) < _SHORTEST:
        raise ConfigError(
            f"{path}: the token is shorter than {_SHORTEST} characters",
            hint="delete the file, and a new one is made at the next start",
        )
    return text
