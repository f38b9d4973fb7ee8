"""What running services see of the drives, and whether what they download can be linked there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from usenet.actions import ours
from usenet.actions.storage.shelf import Shelf
from usenet.adapters import engine, stack
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import inside
from usenet.domain.errors import ConfigError, SystemFailure
from usenet.domain.storage import inside as faults
from usenet.domain.storage import kinds
from usenet.domain.storage.checks import Problem
from usenet.domain.storage.intent import POOL


def look(
    shelf: Shelf, table: Sequence[Mounted], usable: Sequence[str], *, dry_run: bool = False
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """What is wrong inside, and what could not be looked at. `usable`: drives that can be written to now.

    `dry_run`: no file is linked there.
    """
    try:
        running = _running(shelf)
    except SystemFailure as failure:
        return (), (f"no look inside services: {failure.message}",)
    if not running:
        return (), ()
    with ThreadPoolExecutor(min(len(running), 16)) as pool:
        found = pool.map(lambda one: _service(shelf, table, usable, *one, link=not dry_run), running.items())
        problems, notes = zip(*found, strict=True)
    left_out = ("whether services can link files was not tried: for that some are made",) if dry_run else ()
    return tuple(p for each in problems for p in each), (*(n for each in notes for n in each), *left_out)


def _running(shelf: Shelf) -> dict[str, Mapping[str, Any]]:
    """Service → its running container, inspected."""
    try:
        project = stack.load(shelf.home).project
    except ConfigError:  # nothing was ever started
        return {}
    there = {name: one.id for name, one in ours.containers(shelf.home, project).items() if one.state == "running"}
    seen = engine.inspect_all(there.values())
    return {name: seen[id_] for name, id_ in there.items() if id_ in seen}


def _service(
    shelf: Shelf, table: Sequence[Mounted], usable: Sequence[str], name: str, seen: Mapping[str, Any], *, link: bool
) -> tuple[list[Problem], list[str]]:
    binds = inside.binds(seen)
    drives = f"{shelf.seen.data}/drives"
    problems = list(faults.of_binds(name, binds, drives))
    mounted = {shelf.seen.target(one) for one in usable}
    devices = {row.mount.target: row.device for row in table if row.mount.target in mounted}
    there = inside.mounts(int(seen["State"]["Pid"]))
    if there is not None:
        problems += faults.unseen(name, binds, there, devices)
    pairs = faults.pairs(binds, ("/data", *(f"/data/drives/{one}" for one in _linking(shelf, usable))))
    if not (pairs and link):
        return problems, []
    user = "" if seen["Config"].get("User") else f"{shelf.seen.uid}:{shelf.seen.gid}"
    try:
        said = inside.link(seen["Id"], user, pairs)
    except SystemFailure as failure:
        return problems, [f"{name}: {failure.message}"]
    holding = {row.mount.target: row.source for row in table}
    found = (faults.of_link(name, pair, text, binds, holding) for pair, text in said.items())
    return [*problems, *(one for one in found if one)], []


def _linking(shelf: Shelf, usable: Sequence[str]) -> Iterator[str]:
    """Drives and the pool, where a file can have two names."""
    yield from (name for name in usable if kinds.hardlinks(shelf.drives[name].type))
    pool = shelf.seen.places.get(POOL)
    if pool and pool.held and pool.held.alive:
        yield POOL
