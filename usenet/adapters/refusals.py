"""What the system refuses when a file is written, in words and with a cure."""

from __future__ import annotations

import errno
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usenet.domain.errors import SystemFailure


@contextmanager
def in_words(path: Path, size: int) -> Iterator[None]:
    """Around what writes `size` bytes at `path`: a refusal is a SystemFailure that says what a person can do."""
    try:
        yield
    except OSError as failure:
        raise _failure(failure, path, size) from failure


def _failure(failure: OSError, path: Path, size: int) -> SystemFailure:
    directory = next((p for p in path.parents if p.is_dir()), Path("/"))
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(directory).free
        return SystemFailure(
            f"no space left to write {path}: {size} bytes are needed, {free} are free",
            hint=f"make room, then run the same again: df -h {directory}",
        )
    if failure.errno == errno.EROFS:
        return SystemFailure(f"{path} is on a read-only filesystem", hint=f"look at: findmnt -T {directory}")
    if failure.errno in (errno.EACCES, errno.EPERM):
        return SystemFailure(
            f"user {user_name()} may not write {path}",
            hint=f"run it with sudo, or take the directory: sudo chown {user_name()} {directory}",
        )
    reason = os.strerror(failure.errno) if failure.errno else str(failure)
    return SystemFailure(f"{path} can't be written: {reason}", hint=f"look at: ls -ld {directory}")


def user_name() -> str:
    """The name of the user who runs us, or the number where there is no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
