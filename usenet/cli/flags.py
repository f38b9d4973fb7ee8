"""The global flags of this run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from usenet.domain.errors import Interrupted


class Flags:
    """What holds for the whole run, as long as nothing else was given. `home`: empty when not given."""

    dry_run: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    yes: bool = False
    home: str = ""


FLAGS = Flags()
NAMES = tuple(Flags.__annotations__)


@contextmanager
def interruptible() -> Iterator[None]:
    """Around a verb: Ctrl-C ends it as a failure of the house."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted("interrupted", hint="nothing is half-written; the same command goes on from here") from stop
