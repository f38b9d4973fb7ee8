"""Directories and files given to a user, in a process of its own: a drive that hangs holds whoever asks it.

`python -m usenet.adapters.storage.giving count DATA PATH UID GID` prints how many files and directories at and below
PATH, on its filesystem, that user can't write to; `give` gives just those to the user; `one`, with a mode, PATH alone.

Services write below DATA, and may put a link there at any moment. So each directory is entered by way of the one it
is in, no link below DATA is followed, and what is changed is what was looked at, whatever has its name by then.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from usenet.domain.storage.marker import FILE

ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
DEEPEST = 4000  # more than what may be open at once, which ends it in words

Wanted = Callable[[os.stat_result], bool]
Failed = Callable[[str], None]


def main(words: Sequence[str]) -> int:
    """Do it; 1 with the first failure on stderr where something could not be looked at or given."""
    what, data, path, uid, gid, *mode = words
    failures: list[str] = []
    try:
        top = enter(data, path)
        if what == "one":
            _give(top, int(uid), int(gid), int(mode[0], 8))
        else:
            count = _every(top, int(uid), int(gid), failures.append, give=what == "give")
            os.write(1, str(count).encode())
    except OSError as failure:
        failures.append(f"{path}: {failure.strerror}")
    os.write(2, "".join(failures[:1]).encode(errors="surrogateescape"))
    return 1 if failures else 0


def enter(data: str, path: str) -> int:
    """A descriptor of the directory `path`, `data` or below it. OSError where it is a link, or one is on the way."""
    at = os.open(data, ENTER & ~os.O_NOFOLLOW)
    for name in Path(path).relative_to(data).parts:
        above, at = at, os.open(name, ENTER, dir_fd=at)
        os.close(above)
    return at


def walk(at: int, wanted: Wanted, failed: Failed, device: int = 0) -> Iterator[int]:
    """A descriptor of each thing `wanted` at and below `at`, on one filesystem; good until the next.

    Without links, our marker, and lost+found with what is in it. What is gone meanwhile is left out; `failed` gets a
    line for what can't be looked at.
    """
    seen = os.fstat(at)
    if stat.S_ISLNK(seen.st_mode) or (device and seen.st_dev != device):
        return
    if wanted(seen):
        yield at
    for name in _names(at, failed) if stat.S_ISDIR(seen.st_mode) else ():
        one = _opened(at, name, wanted, failed)
        if one is not None:
            yield from walk(one, wanted, failed, seen.st_dev)
            os.close(one)


def _names(at: int, failed: Failed) -> list[str]:
    try:
        return [name for name in os.listdir(at) if name not in (FILE, "lost+found")]
    except OSError as failure:
        failed(f"{_path(at).readlink()}: {failure.strerror}")
        return []


def _opened(at: int, name: str, wanted: Wanted, failed: Failed) -> int | None:
    """What has a name in the directory `at`, if it is a directory or wanted."""
    try:
        seen = os.stat(name, dir_fd=at, follow_symlinks=False)
        if stat.S_ISDIR(seen.st_mode):
            return os.open(name, ENTER, dir_fd=at)
        return os.open(name, HOLD, dir_fd=at) if wanted(seen) else None
    except FileNotFoundError:
        return None
    except OSError as failure:
        failed(f"{_path(at).readlink()}/{name}: {failure.strerror}")
        return None


def _every(top: int, uid: int, gid: int, failed: Failed, *, give: bool) -> int:
    count = 0
    for one in walk(top, lambda seen: not _writable(seen, uid, gid), failed):
        count += 1
        try:
            if give:
                _give(one, uid, gid)
        except OSError as failure:
            failed(f"{_path(one).readlink()}: {failure.strerror}")
    return count


def _writable(seen: os.stat_result, uid: int, gid: int) -> bool:
    """Whether the user or its group may write to it."""
    mode = seen.st_mode
    by_user, by_group = seen.st_uid == uid and mode & stat.S_IWUSR, seen.st_gid == gid and mode & stat.S_IWGRP
    return bool(by_user or by_group or mode & stat.S_IWOTH)


def _give(one: int, uid: int, gid: int, mode: int | None = None) -> None:
    """Give it, by its descriptor; without a `mode` just what its owner needs is added."""
    os.chown(_path(one), uid, gid)
    seen = os.fstat(one)
    if mode is None and not _writable(seen, uid, gid):
        enters = stat.S_ISDIR(seen.st_mode) or seen.st_mode & 0o111
        mode = seen.st_mode & 0o7777 | (0o700 if enters else 0o600)
    if mode is not None:
        _path(one).chmod(mode)


def _path(one: int) -> Path:
    """A way to what is open that no rename can turn elsewhere."""
    return Path("/proc/self/fd", str(one))


if __name__ == "__main__":
    sys.setrecursionlimit(DEEPEST)
    sys.exit(main(sys.argv[1:]))
