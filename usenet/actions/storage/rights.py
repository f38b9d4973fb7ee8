"""What a plain user may not do: the same command, once more through sudo."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure


def missing() -> bool:
    """Whether who runs us may not mount."""
    return os.geteuid() != 0


def command(home: str, words: Sequence[str], *, answers: bool) -> list[str]:
    """The command line that does the same as root; sudo asks for no password where nobody could `answer`."""
    quiet = () if answers else ("--non-interactive",)
    # -P: what lies in the working directory must not run as root.
    return ["sudo", *quiet, "--", sys.executable, "-P", "-m", "usenet", "--home", home, *words]


def take(command_: Sequence[str]) -> int:
    """Run it; its exit code. SystemFailure where there is no sudo."""
    if not shell.found("sudo"):
        raise refused(command_, "there is no sudo on this machine")
    return shell.hand_over(command_)


def refused(command_: Sequence[str], why: str) -> SystemFailure:
    """The failure to raise where nothing is done, with what root would run."""
    line = shlex.join(command_[command_.index("--") + 1 :])
    return SystemFailure(f"only root may do this, and {why}", hint=f"run as root: {line}")
