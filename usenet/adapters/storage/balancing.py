"""Files moved between the branches of a pool, so that a stop at any point loses nothing.

A file is copied to a name that nobody knows, made durable, read back and compared; then it gets its names on the new
branch, and only then loses those on the old one. What is under way is written down in .usenet/balance.json.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.adapters.storage import copying, journal, names
from usenet.adapters.storage.leases import Alone, Busy, held
from usenet.adapters.storage.names import COPY, GONE, Steady
from usenet.adapters.storage.recovering import failed
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.balance import Item, Move
from usenet.domain.storage.marker import FILE

Roots = Mapping[str, Path]


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only balance of this stack. UsenetError where there is one."""
    files.make_directory(home.state, home.path.stat().st_uid, home.path.stat().st_gid)
    with (home.state / "balance.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as other:
            raise UsenetError(
                "files of the pool are being moved by usenet storage pool balance",
                hint="wait until it is done, or stop it with Ctrl-C: it loses nothing",
            ) from other
        yield


def look(root: Path, branch: str) -> tuple[Item, ...]:
    """The files of a branch that can move: regular ones whose names are all on it. Nothing of ours, no links.

    SystemFailure: the drive fails.
    """
    found: dict[int, tuple[os.stat_result, list[str]]] = {}
    for folder, folders, called in os.walk(root):
        folders[:] = [one for one in folders if one != "lost+found" and not Path(folder, one).is_mount()]
        for path in (Path(folder, name) for name in called):
            try:
                seen = path.lstat()
            except FileNotFoundError:  # meanwhile
                continue
            except OSError as failure:
                raise SystemFailure(f"{path}: {failure.strerror}", hint="see: usenet storage health") from failure
            if stat.S_ISREG(seen.st_mode) and path.name != FILE and not path.name.startswith(".usenet-balance"):
                found.setdefault(seen.st_ino, (seen, []))[1].append(str(path.relative_to(root)))
    return tuple(
        Item(branch=branch, paths=tuple(sorted(paths)), size=copying.allocated(root / paths[0], seen))
        for seen, paths in found.values()
        if seen.st_nlink == len(paths)
    )


def move(one: Move, roots: Roots, kept: int, home: Home) -> str:
    """Move a file with all its names; empty when it is done, else why it stays where it is.

    SystemFailure: no room, a copy that reads differently, a drive that fails. The file is where it was then, or on
    both drives, which `recover` ends.
    """
    source, target = roots[one.source], roots[one.target]
    digest = ""
    try:
        steady = Steady((source, target))
        try:
            with _opened(source / one.paths[0]) as file:
                digest = _copy(one, file, source, target, kept)
                journal.note(home, one, digest)
                _change_names(one, file, source, target, steady)
        except (Busy, *GONE) as left:
            steady.check()
            (target / COPY).unlink(missing_ok=True)
            journal.forget(home)
            return str(left) if isinstance(left, Busy) else "it has changed meanwhile"
    except OSError as failure:
        if not digest:  # a whole copy stays: its source may be the drive that fails
            with suppress(OSError):
                (target / COPY).unlink(missing_ok=True)
        raise failed(one, failure) from failure
    journal.forget(home)
    return ""


@contextmanager
def _opened(path: Path) -> Iterator[Alone]:
    """A file that is held; Busy where it is none any more."""
    if not path.is_file() or path.is_symlink():
        raise Busy("it is gone")
    with held(path) as file:
        yield file


def _copy(one: Move, file: Alone, source: Path, target: Path, kept: int) -> str:
    """Copy the file to the name that nobody knows; its checksum."""
    before = os.fstat(file.descriptor)
    if not _unchanged(one, source, before):
        raise Busy("it has changed since it was looked at")
    if any(os.path.lexists(target / path) for path in one.paths):
        raise Busy(f"there is one of this name on {one.target}")
    _room(target, one, kept)
    digest = copying.copy(file, before, target / COPY)
    for path in one.paths:
        copying.folders(source, target, Path(path).parent)
    file.check()
    if not _unchanged(one, source, before):
        raise Busy("it has changed meanwhile")
    return digest


def _unchanged(one: Move, source: Path, before: os.stat_result) -> bool:
    seen = [os.lstat(source / path) for path in one.paths]
    same = ("st_ino", "st_dev", "st_nlink", "st_size", "st_mtime_ns", "st_ctime_ns")
    return before.st_nlink == len(seen) and all(getattr(s, k) == getattr(before, k) for s in seen for k in same)


def _room(target: Path, one: Move, kept: int) -> None:
    free = shutil.disk_usage(target).free
    if free < one.size + kept:
        raise SystemFailure(
            f"no room for {one.paths[0]} on {one.target}: {one.size} bytes and {kept} kept free, {free} are there",
            hint="make room, then run the same again",
        )


def _change_names(one: Move, file: Alone, source: Path, target: Path, steady: Steady) -> None:
    """Give the names to the copy, and take them from the file. Busy, and GONE: they are as before."""
    made = os.open(target / COPY, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)  # so that it stays the same to fstat
    try:
        before = os.fstat(made)
        try:
            names.publish(target, one.paths)
            names.take(source, one.paths, file)
        except (Busy, *GONE):
            steady.check()
            _take_back(one, before, target)
            raise
    finally:
        os.close(made)


def _take_back(one: Move, made: os.stat_result, target: Path) -> None:
    """Take the names from the copy again; what others put there stays. SystemFailure where somebody uses the copy."""
    ours = [path for path in one.paths if _is(target / path, made)]
    if not ours:
        return
    try:
        with held(target / ours[0]) as copy:
            now = os.fstat(copy.descriptor)
            if (now.st_size, now.st_mtime_ns) != (made.st_size, made.st_mtime_ns):
                raise Busy("it was written to")
            names.take(target, ours, copy)
    except Busy as busy:
        raise SystemFailure(
            f"{one.paths[0]} is on {one.source} and {one.target}, and {busy}",
            hint="stop what uses it, then run the same again",
        ) from busy


def _is(path: Path, file: os.stat_result) -> bool:
    return os.path.lexists(path) and os.path.samestat(path.lstat(), file)
