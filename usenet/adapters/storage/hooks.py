"""Programs of the user's own that run when a drive comes or goes."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from usenet.adapters import shell
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure

PATIENCE = 30.0


def run(home: Home, event: str, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run what lies in hooks/storage/<event>.d/, in the order of the names; say what it prints, and what fails.

    A program that fails, hangs or may not be run stops neither the others nor us. What it leaves running goes on.
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
    """Why a file is not run: who may write it, or put another into its place, would be who we are."""
    try:
        top, seen = home.path.stat(), path.lstat()
        trusted = {0, os.geteuid(), top.st_uid}
        inside = {one: one.lstat() for one in (path, *path.parents) if home.path in one.parents}
    except OSError as failure:
        return failure.strerror or "it can't be looked at"
    for one, its in {**inside, home.path: top}.items():
        if stat.S_ISLNK(its.st_mode):
            return f"{one} is a link"
        if its.st_uid not in trusted or _shared(its):
            return f"others may write {one}"
    if not stat.S_ISREG(seen.st_mode):
        return "it is no file"
    return "" if os.access(path, os.X_OK) else f"it is not executable: chmod +x {path}"


def _shared(seen: os.stat_result) -> bool:
    """Whether others than the owner may write to it; not where the group is the owner's alone, as is usual."""
    if seen.st_mode & stat.S_IWOTH:
        return True
    if not seen.st_mode & stat.S_IWGRP:
        return False
    try:
        owner, group = pwd.getpwuid(seen.st_uid).pw_name, grp.getgrgid(seen.st_gid)
    except KeyError:
        return True
    return group.gr_name != owner or not {owner}.issuperset(group.gr_mem)


def _run(path: Path, home: Home, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    try:
        done = shell.left((str(path),), timeout=PATIENCE, cwd=home.path, environment=environment)
    except (SystemFailure, OSError) as failure:
        say(f"hook {path.name} failed: {failure}")
        return
    for line in done.out.splitlines():
        say(f"hook {path.name}: {line}")
    if not done.ok:
        say(f"hook {path.name} failed with code {done.code}")
