"""The directory tree in which downloads can be linked into the library: below the data root, or below a drive."""

from __future__ import annotations

import os
from pathlib import Path

from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.binds import data_directories
from usenet.domain.errors import ValidationError
from usenet.domain.steps import MakeDirectories
from usenet.domain.storage import adding, health
from usenet.domain.storage.seen import within

MODE = 0o2775


def layout(home: Home, drive: str = "", *, dry_run: bool = False) -> MakeDirectories | None:
    """Make what is missing of the tree; what that was or would be, None where nothing is missing.

    ValidationError: there is no such drive, nothing can be written to it, or it is not for media. SystemFailure: only
    root can give the directories to the user of the stack.
    """
    shelf = observe(home.require())
    paths = _tree(shelf, drive) if drive else data_directories(shelf.seen.data)
    step = missing(shelf, paths)
    if step and not dry_run:
        with files.lock(home.path, "storage layout"):
            make(step)
    return step


def missing(shelf: Shelf, paths: tuple[str, ...]) -> MakeDirectories | None:
    """The step that makes those that are not there."""
    wanted = tuple(path for path in paths if not Path(path).is_dir())
    return MakeDirectories(wanted, shelf.seen.uid, shelf.seen.gid, MODE) if wanted else None


def permitted(step: MakeDirectories) -> bool:
    """Whether who runs us can make them as they are to be."""
    above = {next(one for one in Path(path).parents if one.exists()) for path in step.paths}
    groups = {os.getegid(), *os.getgroups()}
    ours = os.geteuid() == step.uid and step.gid in groups and all(os.access(one, os.W_OK | os.X_OK) for one in above)
    return ours or os.geteuid() == 0


def make(step: MakeDirectories) -> None:
    """Make the directories. Call it under the lock."""
    for path in step.paths:
        files.make_directory(Path(path), step.uid, step.gid, step.mode)


def _tree(shelf: Shelf, name: str) -> tuple[str, ...]:
    drive = shelf.drives.get(name)
    if drive is None:
        raise adding.absent(name, shelf.drives)
    state, why = health.state(drive, name, shelf.seen)
    if drive.role != "media":
        raise ValidationError(f"{name} is for {drive.role}: the tree is for media", hint="see: usenet storage status")
    if state != "mounted":
        raise ValidationError(f"nothing can be made on {name}: it is {state}" + (f", {why}" if why else ""))
    root = shelf.seen.target(name)
    return tuple(path for path in data_directories(root) if not within(path, f"{root}/drives"))
