"""Files moved between the branches of a pool, so that a stop at any point loses nothing.

A file is copied to a name that nobody knows, made durable, read back and compared; then it gets its names on the new
branch, and only then loses those on the old one. What is under way is written down in .usenet/balance.json.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.adapters.storage import copying
from usenet.adapters.storage.leases import Alone, Busy, held
from usenet.domain.errors import SystemFailure, UsenetError
from usenet.domain.storage.balance import Item, Move
from usenet.domain.storage.marker import FILE

COPY = ".usenet-balance~"  # on the branch that gets the file
ASIDE = ".usenet-balance-{}~"  # on the branch that loses it
Roots = Mapping[str, Path]


@contextmanager
def alone(home: Home) -> Iterator[None]:
    """Be the only balance of this stack. UsenetError where there is one."""
    files.make_directory(home.state, home.path.stat().st_uid, home.path.stat().st_gid)
    with (home.state / "balance.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as other:
            raise _under_way() from other
        yield


def require_none(home: Home) -> None:
    """UsenetError while a balance moves files of this stack."""
    with suppress(FileNotFoundError), (home.state / "balance.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as other:
            raise _under_way() from other


def _under_way() -> UsenetError:
    return UsenetError(
        "files of the pool are being moved by usenet storage pool balance",
        hint="wait until it is done, or stop it with Ctrl-C: it loses nothing",
    )


def look(root: Path, branch: str) -> tuple[Item, ...]:
    """The files of a branch that can move: regular ones whose names are all on it. Nothing of ours, no links."""
    found: dict[int, tuple[os.stat_result, list[str]]] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [one for one in folders if one != "lost+found" and not Path(folder, one).is_mount()]
        for name in names:
            path = Path(folder, name)
            try:
                seen = path.lstat()
            except FileNotFoundError:  # meanwhile
                continue
            if stat.S_ISREG(seen.st_mode) and name != FILE and not name.startswith(".usenet-balance"):
                found.setdefault(seen.st_ino, (seen, []))[1].append(str(path.relative_to(root)))
    return tuple(
        Item(branch=branch, paths=tuple(sorted(paths)), size=copying.allocated(root / paths[0], seen))
        for seen, paths in found.values()
        if seen.st_nlink == len(paths)
    )


def move(one: Move, roots: Roots, kept: int, home: Home) -> str:
    """Move a file with all its names; empty when it is done, else why it stays where it is.

    SystemFailure: no room, a copy that reads differently, a drive that fails; the file is where it was.
    """
    source, target = roots[one.source], roots[one.target]
    try:
        with held(source / one.paths[0]) as file:
            before = os.fstat(file.descriptor)
            if not _unchanged(one, source, before):
                return "it has changed since it was looked at"
            if any(os.path.lexists(target / path) for path in one.paths):
                return f"there is one of this name on {one.target}"
            _room(target, one, kept)
            digest = copying.copy(file, before, target / COPY)
            file.check()
            if not _unchanged(one, source, before):
                raise Busy("it has changed meanwhile")
            _note(home, one, digest)
            _publish(one, source, target)
            _take_off(one, file, source, target)
            _journal(home).unlink()
    except Busy as busy:
        (target / COPY).unlink(missing_ok=True)
        _journal(home).unlink(missing_ok=True)
        return str(busy)
    except OSError as failure:
        with suppress(OSError):
            (target / COPY).unlink(missing_ok=True)
        raise _failed(one, failure) from failure
    return ""


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


def _publish(one: Move, source: Path, target: Path) -> None:
    """Give the copy its names."""
    for path in one.paths:
        copying.folders(source, target, Path(path).parent)
    (target / COPY).rename(target / one.paths[0])
    for path in one.paths[1:]:
        os.link(target / one.paths[0], target / path)
    _sync(target, one)


def _take_off(one: Move, file: Alone, source: Path, target: Path) -> None:
    """Take the old names away: aside first, so that who opens the file just then finds it again. Busy: as before."""
    try:
        file.check()
        for number, path in enumerate(one.paths):
            (source / path).rename(source / ASIDE.format(number))
        file.check()
    except (Busy, OSError):
        _restore(one.paths, source)
        for path in one.paths:
            (target / path).unlink()
        raise
    for number in range(len(one.paths)):
        (source / ASIDE.format(number)).unlink()
    _sync(source, one)


def _restore(paths: tuple[str, ...], source: Path) -> None:
    for number, path in enumerate(paths):
        aside = source / ASIDE.format(number)
        if os.path.lexists(aside) and not os.path.lexists(source / path):
            aside.rename(source / path)


def _sync(root: Path, one: Move) -> None:
    for folder in {root, *((root / path).parent for path in one.paths)}:
        files.sync_directory(folder)


def _journal(home: Home) -> Path:
    return home.state / "balance.json"


def _note(home: Home, one: Move, digest: str) -> None:
    told = {"paths": one.paths, "size": one.size, "source": one.source, "target": one.target, "digest": digest}
    files.write(_journal(home), json.dumps(told, indent=1) + "\n")


def recover(home: Home, roots: Roots) -> str:
    """Finish or take back the move that a stop interrupted; a sentence where a person must look, else empty.

    SystemFailure where one of its drives is not there.
    """
    try:
        told = json.loads(_journal(home).read_text())
        one = Move(paths=tuple(told["paths"]), size=told["size"], source=told["source"], target=told["target"])
    except FileNotFoundError:
        _sweep(roots)
        return ""
    if missing := {one.source, one.target} - set(roots):
        raise SystemFailure(
            f"the last balance was stopped while it moved {one.paths[0]}, and {', '.join(missing)} is not in the pool",
            hint="plug it in, then run the same again",
        )
    try:
        said = _finish(one, told["digest"], roots)
    except OSError as failure:
        raise _failed(one, failure) from failure
    _sweep(roots)
    _journal(home).unlink()
    return said


def _finish(one: Move, digest: str, roots: Roots) -> str:
    source, target = roots[one.source], roots[one.target]
    _restore(one.paths, source)
    old = [source / path for path in one.paths if os.path.lexists(source / path)]
    new = [target / path for path in one.paths if os.path.lexists(target / path)]
    if not old or not new:
        return ""  # all done, or nothing published
    with ExitStack() as opened:
        try:
            here, there = (opened.enter_context(held(path)) for path in (old[0], new[0]))
        except Busy as busy:
            raise SystemFailure(
                f"{one.paths[0]} is on two drives since a stop, and {busy}", hint="stop what uses it, then run it again"
            ) from busy
        changed = copying.digest(here.descriptor) != digest, copying.digest(there.descriptor) != digest
        if all(changed):
            return f"{one.paths[0]} is on {one.source} and {one.target}, and differs: keep the one you want"
        gone, kept, root = (new, old, source) if changed[0] else (old, new, target)
        for path in one.paths:
            if not os.path.lexists(root / path):
                os.link(kept[0], root / path)
        _sync(root, one)
        for name in gone:
            name.unlink()
    return ""


def _sweep(roots: Roots) -> None:
    for root in roots.values():
        (root / COPY).unlink(missing_ok=True)


def _failed(one: Move, failure: OSError) -> SystemFailure:
    why = failure.strerror or str(failure)
    return SystemFailure(
        f"{one.paths[0]} could not be moved from {one.source} to {one.target}: {why}",
        hint="run the same again: what was begun is finished or taken back",
    )
