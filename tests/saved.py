"""Saved trees of files, put back into a folder, and the facts beside them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
FACTS = TESTS / "facts"


def names(tool: str) -> list[str]:
    return sorted(path.stem for path in (FACTS / tool).glob("*.json"))


def facts(tool: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FACTS / tool / f"{name}.json").read_text(encoding="utf-8"))
    return found


def plant(tree: dict[str, Any], root: Path) -> Path:
    """Write `{path: text, path: {"link": target}}` below `root`."""
    for path, content in tree.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            place.write_text(content, encoding="utf-8")
        else:
            place.symlink_to(content["link"])
    return root


def program(folder: Path, name: str, script: str) -> None:
    """An executable that stands in for a tool; `script` is the body of a shell script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def only_path(folder: Path) -> str:
    """A PATH with the stand-ins first."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
