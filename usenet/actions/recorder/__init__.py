"""What a person does with recordings: look at them, finish, check and cut them, record one, measure a drive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usenet.actions.places import Home
from usenet.adapters import settings
from usenet.domain.errors import UsenetError
from usenet.domain.settings import data_root
from usenet.recorder.errors import RecorderError


@contextmanager
def told() -> Iterator[None]:
    """The recorder's failures as ours: the same sentence, the same cure, the same exit code."""
    try:
        yield
    except RecorderError as error:
        failure = UsenetError(error.message, hint=error.hint)
        failure.code = error.code
        raise failure from error


def directory(home: Home) -> Path:
    """Where the stack's recordings are: `<data>/recordings`. ConfigError where there is no stack directory."""
    return Path(data_root(settings.load(home).data, str(home.path))) / "recordings"
