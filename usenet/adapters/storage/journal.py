"""The move of a file that is under way, written down in .usenet/balance.json."""

from __future__ import annotations

import json
from pathlib import Path

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.storage.balance import Move


def note(home: Home, one: Move, digest: str) -> None:
    """Write down that the copy of a file is whole, and that its names are about to change."""
    told = {"paths": one.paths, "size": one.size, "source": one.source, "target": one.target, "digest": digest}
    files.write(_path(home), json.dumps(told, indent=1) + "\n")


def read(home: Home) -> tuple[Move, str] | None:
    """The move that a stop interrupted, and the checksum of its file; None where there is none."""
    try:
        told = json.loads(_path(home).read_text())
    except FileNotFoundError:
        return None
    one = Move(paths=tuple(told["paths"]), size=told["size"], source=told["source"], target=told["target"])
    return one, told["digest"]


def forget(home: Home) -> None:
    """The move is ended."""
    _path(home).unlink(missing_ok=True)


def _path(home: Home) -> Path:
    return home.state / "balance.json"
