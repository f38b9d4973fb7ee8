"""Owner and mode of directories and of what is in them, asked of processes that may hang without us."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from usenet.adapters import shell
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.checks import Entry
from usenet.domain.storage.marker import FILE

PATIENCE = 3.0
LONGEST = 300.0  # to look at every file of a drive


def look(paths: Sequence[str]) -> dict[str, Entry | None]:
    """Each path, None for one that is no directory. SystemFailure when they don't answer in time."""
    if not paths:
        return {}
    done = shell.run(("stat", "--format=%u %g %f %n", "--", *paths), timeout=PATIENCE)
    found: dict[str, Entry | None] = dict.fromkeys(paths)
    for line in done.out.splitlines():
        uid, gid, mode, path = line.split(" ", 3)
        if int(mode, 16) & 0o170000 == 0o040000:
            found[path] = Entry(uid=int(uid), gid=int(gid), mode=int(mode, 16) & 0o7777)
    return found


def fresh(root: str) -> bool:
    """Whether a filesystem is as mkfs made it: root's, with nothing but an empty lost+found, and our marker.

    The marker may be one that a run that was killed did not finish.
    """
    entry = look([root])[root]
    if entry is None or (entry.uid, entry.gid) != (0, 0):
        return False
    mkfs = ("!", "(", "-name", "lost+found", "-type", "d", ")", "!", "-name", FILE, "!", "-name", f".{FILE}.*~")
    done = shell.run(("find", root, "-mindepth", "1", "-maxdepth", "2", *mkfs, "-print", "-quit"), timeout=PATIENCE)
    return done.ok and not done.out


def foreign(root: str, uid: int, gid: int, *, data: str) -> int:
    """How many files and directories below `root`, on its filesystem, that user can't write to. SystemFailure.

    `root` is `data` or below it; here and below, no link that is below `data` is followed.
    """
    return int(_ask("count", data, root, str(uid), str(gid), patience=LONGEST))


def own_below(root: str, uid: int, gid: int, *, data: str) -> None:
    """Give all that `foreign` counts to the user. SystemFailure."""
    _ask("give", data, root, str(uid), str(gid), patience=LONGEST * 4)


def own(path: str, uid: int, gid: int, mode: int, *, data: str) -> None:
    """Give one directory to the user. SystemFailure."""
    _ask("one", data, path, str(uid), str(gid), f"{mode:04o}", patience=PATIENCE * 4)


def _ask(*words: str, patience: float) -> str:
    done = shell.run((sys.executable, "-P", "-m", "usenet.adapters.storage.giving", *words), timeout=patience)
    if not done.ok:
        said = (done.err.strip() or "it said nothing").splitlines()[-1]
        raise SystemFailure(said, hint="only root can look at every file: run it with sudo" if os.geteuid() else "")
    return done.out
