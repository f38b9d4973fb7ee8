"""Which programs are run, for those who want to see it."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from usenet.adapters import shell


def watch(tell: Callable[[str], None]) -> None:
    """From now on call `tell` with each command line before it is run, quoted for a shell."""
    shell.watch(lambda arguments: tell(shlex.join(arguments)))
