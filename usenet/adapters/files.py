"""Files that are wholly old or wholly new, directories with the right owner, and the one lock of a stack directory."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usenet.adapters import leftovers
from usenet.adapters.refusals import in_words, user_name
from usenet.domain.errors import SystemFailure, UsenetError

Owner = tuple[int, int]


def write(path: Path, content: str | bytes, *, mode: int | None = None, owner: Owner | None = None) -> bool:
    """Make `path` hold `content`, atomically and durably; True if anything changed.

    Missing parent directories are made. A symbolic link is followed: its target is replaced, the link stays.
    Without `mode` and `owner` (uid, gid) a file keeps its own; a new one gets 0644, and the running user or, when
    that is root, the owner of its directory.
    Raises SystemFailure (no space, read-only, no permission …) with the old file untouched.
    """
    return bool(write_all({path: content}, mode=mode, owner=owner))


def write_all(
    files: Mapping[Path, str | bytes], *, mode: int | None = None, owner: Owner | None = None
) -> tuple[Path, ...]:
    """Like `write` for a set: all are on the drive before the first is renamed into place; the paths that changed.

    A failure before the first rename leaves every old file. Temporary files of runs that were killed are removed.
    """
    staged: list[_Staged] = []
    for directory in {_target(path).parent for path in files}:
        leftovers.remove(directory)
    try:
        for path, content in files.items():
            with in_words(path, len(content)):
                if new := _stage(path, content, mode, owner):
                    staged.append(new)
        for new in staged:
            with in_words(new.path, 0):
                new.temporary.rename(new.target)
        for directory in {new.target.parent for new in staged}:
            sync_directory(directory)
    finally:
        for new in staged:
            new.temporary.unlink(missing_ok=True)
    return tuple(new.path for new in staged)


@dataclass(frozen=True, slots=True)
class _Staged:
    path: Path
    target: Path
    temporary: Path


def _stage(path: Path, content: str | bytes, mode: int | None, owner: Owner | None) -> _Staged | None:
    data = content.encode() if isinstance(content, str) else content
    target = _target(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise SystemFailure(f"{path} is not a file", hint=f"move it away: mv {path} {path}.old")
    mode = mode if mode is not None else (stat.S_IMODE(old.st_mode) if old else 0o644)
    if old and _same(old, mode, owner) and old.st_size == len(data) and target.read_bytes() == data:
        return None
    temporary = leftovers.temporary(target)
    temporary.unlink(missing_ok=True)
    try:
        _fill(temporary, data, mode, owner or _natural_owner(old or target.parent.stat()))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return _Staged(path, target, temporary)


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _same(old: os.stat_result, mode: int, owner: Owner | None) -> bool:
    return stat.S_IMODE(old.st_mode) == mode and (owner is None or owner == (old.st_uid, old.st_gid))


def _natural_owner(model: os.stat_result) -> Owner | None:
    """Root leaves a user's files to the user; others can't give files away."""
    return (model.st_uid, model.st_gid) if os.geteuid() == 0 else None


def _fill(temporary: Path, data: bytes, mode: int, owner: Owner | None) -> None:
    # Born with no rights for others: a secret must not be readable between open and chmod.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        if owner is not None:
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make durable which names are in a directory. OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, uid: int, gid: int, mode: int = 0o755) -> bool:
    """Make `path` and its missing parents for `uid`:`gid`; True if it was not there. What exists is left as it is.

    Each appears under its name only when owner and mode are right. Raises SystemFailure with the command that a
    person with more rights can run.
    """
    if path.is_dir():
        return False
    with in_words(path, 0):
        for missing in reversed([p for p in (path, *path.parents) if not p.is_dir()]):
            _make_one(missing, uid, gid, mode)
    return True


def _make_one(path: Path, uid: int, gid: int, mode: int) -> None:
    if path.is_symlink() or path.exists():
        raise SystemFailure(f"{path} is in the way: it is not a directory", hint=f"move it away: mv {path} {path}.old")
    temporary = leftovers.temporary(path)
    temporary.mkdir(mode=0o700)
    try:
        # Opened, so that a link which a service puts in its place meanwhile is not what we give away.
        made = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _give(made, path, uid, gid, mode)
            os.fchmod(made, mode)
        finally:
            os.close(made)
        temporary.rename(path)
    except BaseException as failure:
        with suppress(OSError):
            temporary.rmdir()
        if isinstance(failure, OSError) and path.is_dir():
            return  # somebody else made it meanwhile
        raise


def _give(made: int, path: Path, uid: int, gid: int, mode: int) -> None:
    now = os.fstat(made)
    if (now.st_uid, now.st_gid) == (uid, gid):
        return
    try:
        os.fchown(made, uid, gid)
    except PermissionError as failure:
        cure = f"sudo install -d -o {uid} -g {gid} -m {mode:04o} {path}"
        raise SystemFailure(f"only root can make {path} for user {uid}, group {gid}", hint=f"run: {cure}") from failure


@contextmanager
def lock(home: Path, verb: str) -> Iterator[None]:
    """Hold the stack directory's lock while something is changed. Not re-entrant: the outermost verb takes it.

    Raises UsenetError at once when another process holds it, naming who, since when and for what. The kernel
    releases it when the process ends, however it ends.
    """
    path = home / ".usenet" / "lock"
    with in_words(path, 0):
        there = home.stat()
        make_directory(path.parent, *_owner(there))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    with open(descriptor, "r+b") as file:  # noqa: PTH123 - a descriptor, not a path
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise _held(file.read(4096), path) from held
        if os.geteuid() == 0:
            os.fchown(descriptor, there.st_uid, there.st_gid)
        with in_words(path, 0):
            _sign(file.fileno(), _signature(verb))
        try:
            yield
        finally:
            with suppress(OSError):
                _sign(file.fileno(), b"")


def _owner(there: os.stat_result) -> tuple[int, int]:
    """User and group of what is made in a directory: the directory's, as far as this user can give them."""
    if os.geteuid() == 0:
        return there.st_uid, there.st_gid
    return os.geteuid(), there.st_gid if there.st_gid in (os.getegid(), *os.getgroups()) else os.getegid()


def require_free(home: Path) -> None:
    """Raise as `lock` does where another process holds the lock; nothing is taken or written."""
    path = home / ".usenet" / "lock"
    try:
        file = path.open("rb")
    except OSError:
        return  # nobody has held it yet, or `lock` will say what is wrong
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise _held(file.read(4096), path) from held


def _signature(verb: str) -> bytes:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"user": user_name(), "pid": os.getpid(), "since": since, "verb": verb}).encode() + b"\n"


def _sign(descriptor: int, text: bytes) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _held(signature: bytes, path: Path) -> UsenetError:
    hint = "wait until it is done, then try again"
    try:
        who = json.loads(signature)
        return UsenetError(
            f"{who['user']} (process {who['pid']}) has been changing this stack since {who['since']}: {who['verb']}",
            hint=hint,
            where=str(path),
        )
    except (ValueError, KeyError, TypeError):
        return UsenetError("another usenet is changing this stack", hint=hint, where=str(path))
