"""Records of what was measured, in <home>/.usenet: one file each, wholly old or wholly new."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from usenet.adapters import files
from usenet.adapters.home import Home
from usenet.adapters.refusals import in_words
from usenet.domain.hardware.benchmark import Report
from usenet.domain.hardware.proof import Record

BENCHMARK = "benchmark.json"
VERIFIED = "verified.json"
Kept = TypeVar("Kept")


@contextmanager
def changing(home: Home) -> Iterator[None]:
    """Alone among those who change a record: it is read, changed and written inside. Waits for others, which is short.

    It is not the lock of the stack, which a start of services may hold for minutes: what was measured would be lost.
    """
    if not home.exists:
        yield
        return
    with in_words(home.path, 0):
        descriptor = os.open(home.path, os.O_RDONLY | os.O_DIRECTORY)  # it is there for everyone, and stays
    try:
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def benchmark(home: Home) -> Report | None:
    """The last benchmark; None where nothing was measured, or the file is damaged or another version's."""
    return _read(home, BENCHMARK, Report)


def keep_benchmark(home: Home, report: Report) -> str:
    """Save a report where there is a stack; the path, empty where there is none. SystemFailure: it can't be written."""
    return _keep(home, BENCHMARK, report)


def verified(home: Home) -> tuple[Record, ...]:
    """What `hardware verify` found of cards, the last time for each service; empty as in `benchmark`."""
    found = _read(home, VERIFIED, Verified)
    return found.records if found else ()


def keep_verified(home: Home, records: tuple[Record, ...]) -> str:
    """Save what was found. As `keep_benchmark`."""
    return _keep(home, VERIFIED, Verified(records))


@dataclass(frozen=True, slots=True)
class Verified:
    """The file of `verified`."""

    records: tuple[Record, ...]
    schema: Literal[1] = 1


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


def _read(home: Home, name: str, kind: type[Kept]) -> Kept | None:
    from pydantic import TypeAdapter, ValidationError  # most verbs do without

    try:
        return TypeAdapter(kind).validate_json((home.state / name).read_bytes())
    except (OSError, ValidationError):
        return None
