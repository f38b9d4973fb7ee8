"""Programs of the user's own that run when a drive comes or goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from usenet.adapters import shell
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure

PATIENCE = 30.0


def run(home: Home, event: str, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run what lies in hooks/storage/<event>.d/, in the order of the names; say what it prints, and what fails.

    A program that fails, hangs or may not be run stops neither the others nor us.
    """
    folder = home.path / "hooks" / "storage" / f"{event}.d"
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    for path in found:
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if why := _unfit(path, home):
            say(f"hook {path.name} was not run: {why}")
            continue
        _run(path, home, environment, say)


def _unfit(path: Path, home: Home) -> str:
    """Why a file is not run: whoever may write it would be who we are."""
    try:
        seen, owner = path.stat(), home.path.stat().st_uid
    except OSError as failure:
        return failure.strerror or "it can't be looked at"
    if not stat.S_ISREG(seen.st_mode):
        return "it is no file"
    if seen.st_mode & stat.S_IWOTH or seen.st_uid not in (0, os.geteuid(), owner):
        return "others may write it"
    return "" if os.access(path, os.X_OK) else f"it is not executable: chmod +x {path}"


def _run(path: Path, home: Home, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    try:
        done = shell.run((str(path),), timeout=PATIENCE, cwd=home.path, environment=environment)
    except (SystemFailure, OSError) as failure:
        say(f"hook {path.name} failed: {failure}")
        return
    for line in (*done.out.splitlines(), *done.err.splitlines()):
        say(f"hook {path.name}: {line}")
    if not done.ok:
        say(f"hook {path.name} failed with code {done.code}")
