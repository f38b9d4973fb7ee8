"""Records of what was measured, in <home>/.usenet: one file each, wholly old or wholly new."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, TypeVar

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.domain.hardware.benchmark import Report

BENCHMARK = "benchmark.json"
Record = TypeVar("Record")


def benchmark(home: Home) -> Report | None:
    """The last benchmark; None where nothing was measured, or the file is damaged or another version's."""
    return _read(home, BENCHMARK, Report)


def keep_benchmark(home: Home, report: Report) -> str:
    """Save a report where there is a stack; the path, empty where there is none. SystemFailure: it can't be written."""
    return _keep(home, BENCHMARK, report)


def _keep(home: Home, name: str, record: Any) -> str:
    if not home.exists:
        return ""
    path = home.state / name
    files.make_directory(path.parent, *_owner(home))
    files.write(path, json.dumps(dataclasses.asdict(record), indent=2) + "\n")
    return str(path)


def _owner(home: Home) -> tuple[int, int]:
    there = home.path.stat()
    return (there.st_uid, there.st_gid) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def _read(home: Home, name: str, kind: type[Record]) -> Record | None:
    from pydantic import TypeAdapter, ValidationError  # most verbs do without

    try:
        return TypeAdapter(kind).validate_json((home.state / name).read_bytes())
    except (OSError, ValidationError):
        return None
