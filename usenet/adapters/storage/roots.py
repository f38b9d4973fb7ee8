"""Directories for media on the drives, and the record of the root folders that we added to services."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from usenet.adapters import files, shell
from usenet.adapters.home import Home
from usenet.adapters.storage.markers import PATIENCE
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.storage.roots import Added

RECORD = "sync.json"


def kinds_on(drive: Path) -> frozenset[str]:
    """The directories below media/ of a drive; none where there is no such directory or the drive does not answer."""
    try:
        # Another process looks, so that a drive that hangs stops that one and not us.
        done = shell.run(("ls", "-1LpU", "--", str(drive / "media")), timeout=PATIENCE)
    except SystemFailure:
        return frozenset()
    return frozenset(line[:-1] for line in done.out.splitlines() if line.endswith("/"))


def make(path: str, uid: int, gid: int, mode: int) -> None:
    """Make a directory on a drive that is there, and those above it. SystemFailure where that can't be."""
    files.make_directory(Path(path), uid, gid, mode)


def remembered(home: Home) -> tuple[Added, ...]:
    """What we added at some time; empty where nothing was. ConfigError where the record is damaged."""
    path = home.state / RECORD
    try:
        return tuple(Added(**one) for one in json.loads(path.read_bytes())["added"])
    except FileNotFoundError:
        return ()
    except OSError as failure:
        raise SystemFailure(f"{path} can't be read: {failure.strerror}", hint="run it with sudo") from failure
    except (ValueError, KeyError, TypeError) as damage:
        raise ConfigError(
            f"{path} is damaged",
            hint=f"without it no root folder of before is ever removed; move it away: mv {path} {path}.old",
        ) from damage


def remember(home: Home, added: Sequence[Added]) -> None:
    """Write down what we added, and nothing else."""
    if added or (home.state / RECORD).exists():
        text = json.dumps({"version": 1, "added": [asdict(one) for one in added]}, indent=2, ensure_ascii=False)
        files.write(home.state / RECORD, text + "\n")
