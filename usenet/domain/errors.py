"""The few kinds of failure that a person can do something about."""

from __future__ import annotations

# The hint of what only root may do; a person sees the whole command line in its place.
AS_ROOT = "run it with sudo"


class UsenetError(Exception):
    """A failure with its place and its cure; `code` becomes the exit code.

    `where` is a place such as `usenet.yaml:14: services/sonarr/port` and is printed before the message.
    """

    code: int = 1

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(UsenetError):
    """The words typed do not fit."""

    code = 2


class ValidationError(UsenetError):
    """What was asked for contradicts itself or the catalog."""

    code = 3


class ConfigError(UsenetError):
    """A settings file can't be read or does not mean anything."""

    code = 4


class SystemFailure(UsenetError):
    """The machine, the engine, a drive or a permission is in the way."""

    code = 5


class Interrupted(UsenetError):
    """A person pressed Ctrl-C."""

    code = 130
