"""Directories that were there before us, and whether the services that write to them may."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from usenet.domain.plan import Grant, Plan


def warnings(plan: Plan) -> tuple[str, ...]:
    """A sentence, with the command that cures it, for each directory that its service can't write to.

    Only services that run as a user of ours from the start: the others begin as root and take what they need.
    """
    return tuple(text for grant in plan.grants.values() for text in _of(grant))


def _of(grant: Grant) -> Iterator[str]:
    uid, _, gid = grant.user.partition(":")
    if not (uid.isdigit() and gid.isdigit()) or uid == "0":
        return
    groups = {int(gid), *grant.groups}
    for bind in grant.binds:
        if bind.directory and not bind.read_only and not _writable(Path(bind.source), int(uid), groups):
            owner = shlex.join(["sudo", "chown", "-R", f"{uid}:{gid}", bind.source])
            yield f"{grant.service} runs as user {uid} and can't write to {bind.source}; make it so with: {owner}"


def _writable(path: Path, uid: int, groups: set[int]) -> bool:
    """By owner and mode; what isn't there is made by us, with the right ones."""
    try:
        found = path.stat()
    except OSError:
        return True
    if found.st_uid == uid:
        return bool(found.st_mode & 0o200)
    return bool(found.st_mode & (0o020 if found.st_gid in groups else 0o002))
