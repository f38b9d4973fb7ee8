"""What can go wrong in the recorder, in a sentence: what, where, what to do."""

from __future__ import annotations


class RecorderError(Exception):
    """A failure that a person can do something about; `hint` says what, `code` is a command's exit code."""

    code = 1

    def __init__(self, message: str, *, hint: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class BadSample(RecorderError):
    """A sample that no file can hold: an unknown track, times that run backwards, no bytes. Nothing was written."""

    code = 3


class Damaged(RecorderError):
    """A file holds something else than what was written, or is none of ours."""

    code = 3


class TooNew(Damaged):
    """A later version of this program wrote it: nothing is wrong with it, and nothing must be done to it."""


class Busy(RecorderError):
    """Another recorder, or another recovery, holds this segment."""


class Full(RecorderError):
    """No room: on the drive, or in what the disk budget leaves."""

    code = 5


class Poisoned(RecorderError):
    """The drive failed to keep what it was given: this segment takes no more, its end is not to be trusted."""

    code = 5


class Unreachable(RecorderError):
    """A source, or a storage, did not answer as it should. Trying again may help."""
