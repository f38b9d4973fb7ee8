"""Recorders that are wrong in one place each: a sync left out, two steps exchanged, a check not made.

The first two kinds are found by themselves: every line of the recorder that syncs, and every step that follows one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

from usenet.recorder import commit, fragment, head, index, recover, scan
from usenet.recorder.pending import Pending

from . import again, plan, workloads
from .enumerator import Change, Depth, Tally, Walk
from .memory import MemIO, Op
from .workloads import SCRIPTS, Story

SYNCS = ("sync", "syncdir")
DEPTH = Depth(states=500, nested=80, without=100, other=250)
SECTORS = (64, 512)
Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong, and how it is done: to the calls that reach the drive, or to the program."""

    name: str
    change: Change | None = None
    patch: Patch = nullcontext

    def story(self, name: str) -> Story:
        """As the mutant plays it. What a recovery has to give is what the honest one gave."""
        if name in again.NAMES:
            story = _honest(name)
        else:
            script = next(script for script in SCRIPTS if script.name == name)
            with self.patch():
                story = workloads.play(script, MemIO(sites=True))
        return _changed(story, self.change) if self.change else story

    def walk(self, states: int = DEPTH.states) -> Tally:
        """Until the first breach, or through all stories."""
        tally = Tally()
        for sector in SECTORS:
            for name in plan.NAMES:
                story = self.story(name)
                with self.patch():
                    depth = replace(DEPTH, states=states)
                    tally += Walk(story, sector, depth, 0, plan.stale(name), enough=1, change=self.change).run()
                if tally.breaches:
                    return tally
        return tally


def _honest(name: str) -> Story:
    return again.story(name, sites=True)


def _changed(story: Story, change: Change) -> Story:
    """Each promise is still made after all the calls that came before it."""
    log = change(story.log)
    places = {id(op): at for at, op in enumerate(log, 1)}
    promises = [
        (max((places.get(id(op), n) for n, op in enumerate(story.log[:at], 1)), default=0), path, promise)
        for at, path, promise in story.promises
    ]
    return replace(story, log=log, promises=promises)


# steps left out and exchanged


def sites() -> list[tuple[str, str]]:
    """(what, line) of every line that touches the drive in any story, in the order in which they come."""
    found = {}
    for name in plan.NAMES:
        for op in Mutant("none").story(name).log:
            found[op.kind, op.site] = None
    return list(found)


def skipped(site: str) -> Change:
    def change(log: list[Op]) -> list[Op]:
        return [Op("nothing") if op.kind in SYNCS and op.site == site else op for op in log]

    return change


def early(site: str) -> Change:
    """A step is done before the sync, or the syncs, that stand before it."""

    def change(log: list[Op]) -> list[Op]:
        log = list(log)
        for at, op in enumerate(log):
            if op.site == site and op.kind not in SYNCS:
                to = at
                while to and log[to - 1].kind in SYNCS:
                    to -= 1
                log.insert(to, log.pop(at))
        return log

    return change


def exchanged(first: str, second: str) -> Change:
    """A step of finalising is done before the one that it follows, and before that one's syncs."""

    def change(log: list[Op]) -> list[Op]:
        log, last = list(log), 0
        for at, op in enumerate(log):
            if op.site == second and op.kind not in SYNCS and log[last].site == first:
                log.insert(last, log.pop(at))
            last = last if op.kind in SYNCS else at
        return log

    return change


def steps() -> Iterator[Mutant]:
    """Every sync left out; every step that follows a sync done before it; steps of finalising exchanged."""
    for kind, site in sites():
        if kind in SYNCS:
            yield Mutant(f"left out: {site}", skipped(site))
    logs = [Mutant("none").story(name).log for name in plan.NAMES]
    after = (pair[1].site for log in logs for pair in pairwise(log) if pair[0].kind in SYNCS)
    for site in dict.fromkeys(after):
        if site not in {site for kind, site in sites() if kind in SYNCS}:
            yield Mutant(f"before the sync: {site}", early(site))
    rows = ([op.site for op in log if op.kind not in SYNCS] for log in logs)
    for first, second in dict.fromkeys(pair for row in rows for pair in pairwise(row)):
        if first != second and second.startswith("finalise"):
            yield Mutant(f"exchanged: {second} || {first}", exchanged(first, second))


# checks not made


class Same(int):
    """A checksum that is always the right one."""

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = int.__hash__


def _unchecked(module: ModuleType, function: str) -> Patch:
    """In one function of a module every checksum is the right one."""

    def crc32(data: bytes, value: int = 0) -> int:
        real = zlib.crc32(data, value)
        return Same(real) if sys._getframe(1).f_code.co_name == function else real

    return lambda: patch.object(module, "zlib", SimpleNamespace(crc32=crc32))


def _argument(owner: object, function: str, **fixed: object) -> Patch:
    """A function that is always called with these arguments, whatever its caller wanted."""
    real = getattr(owner, function)
    names = real.__code__.co_varnames[: real.__code__.co_argcount]

    def wrong(*given: object, **named: object) -> object:
        return real(**{**dict(zip(names, given, strict=False)), **named, **fixed})

    return lambda: patch.object(owner, function, wrong)


def _claims() -> AbstractContextManager[object]:
    """Each chunk says that all before it are durable."""
    real = Pending.chunk
    return patch.object(Pending, "chunk", lambda self, seq, off, durable: real(self, seq, off, seq - 1))


def _anywhere() -> AbstractContextManager[object]:
    """A fragment counts wherever it is found."""
    real = fragment.read

    def read(moof: bytes, off: int, nonce: int | None) -> fragment.Chunk:
        own = int.from_bytes(moof[-36:-28], "big")
        return real(moof, own, nonce)._replace(off=off)

    return patch.object(scan.fragment, "read", read)


def checks() -> list[Mutant]:
    return [
        Mutant("unchecked: CRC of a fragment's header", patch=_unchecked(fragment, "read")),
        Mutant("unchecked: CRC of a payload", patch=_unchecked(scan, "_whole")),
        Mutant("unchecked: CRC of the head (RHD1)", patch=_unchecked(head, "parse")),
        Mutant("unchecked: CRC of a record of the index", patch=_unchecked(index, "records")),
        Mutant("unchecked: CRC of the header of the index", patch=_unchecked(index, "read_header")),
        Mutant("unchecked: CRC of the commit", patch=_unchecked(commit, "decode")),
        Mutant("unchecked: a fragment's nonce", patch=_argument(scan.fragment, "read", nonce=None)),
        Mutant("unchecked: a fragment's own place", patch=_anywhere),
        Mutant(
            "unchecked: the header of a fragment that the index knows",
            patch=_argument(scan, "_whole", header_too=False),
        ),
        Mutant("the watermark claims chunks that are not durable", patch=_claims),
        Mutant("every chunk is believed", patch=_argument(recover, "survey", trusted=1 << 31)),
        Mutant(
            "no head is made again from the index", patch=lambda: patch.object(recover, "_from_index", lambda _: None)
        ),
    ]


def all_mutants() -> list[Mutant]:
    return [*steps(), *checks()]
