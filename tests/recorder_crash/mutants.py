"""Recorders that are wrong in one place each: a sync left out, two steps exchanged, a check not made.

The first two kinds are found by themselves: every line of the recorder that syncs, and every step that follows one.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise, product
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

from usenet.recorder import commit, fragment, head, index, recovery, scan
from usenet.recorder.pending import Pending

from . import again, fuzz, plan, rot, workloads
from .enumerator import Change, Depth, Walk
from .memory import MemIO, Op
from .workloads import SCRIPTS, Story

SYNCS = ("sync", "syncdir")
DEPTH = Depth(nested=60, without=400, other=250)
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

    def hunt(self, states: int) -> str:
        """How it was found out, or "": by states of a power cut, by mutated files, by bytes kept wrongly."""
        for some in (states // 5, states) if self.name in EQUIVALENT else (states // 5, states, 5 * states):
            found = self._walk(some) or (self._read(some) if self.change is None else "")
            if found:
                return found
        return ""

    def _walk(self, states: int) -> str:
        for sector in SECTORS:
            for name in reversed(plan.NAMES):
                story, depth = self.story(name), replace(DEPTH, states=states)
                with self.patch():
                    walk = Walk(story, sector, depth, 0, plan.stale(name), enough=1, change=self.change)
                    breaches = walk.run().breaches
                if breaches:
                    return breaches[0][1]
        return ""

    def _read(self, states: int) -> str:
        base = fuzz.bases()
        with self.patch():
            for start in range(0, 12 * states, 100):
                found = fuzz.run(range(start, start + 100), base).breaches
                if found:
                    return f"files: {found[0][1]}"
            for name, kind in product(rot.NAMES, rot.KINDS):
                places = list(rot.places(name, kind))[:: 1 + 5000 // states]
                for breach in rot.breaches(name, kind, places):
                    return f"byte: {breach}"
        return ""


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
    logs = [Mutant("none").story(name).log for name in plan.NAMES]
    told = _told({op.site for log in logs for op in log})
    for site in dict.fromkeys(op.site for log in logs for op in log if op.kind in SYNCS):
        yield Mutant(f"left out: {told[site]}", skipped(site))
    pairs = dict.fromkeys((one.site, two.site) for log in logs for one, two in pairwise(log) if one.kind in SYNCS)
    for site in dict.fromkeys(two for _, two in pairs if " sync" not in two):
        yield Mutant(f"before the sync: {told[site]}", early(site))
    rows = ([op.site for op in log if op.kind not in SYNCS] for log in logs)
    for first, second in dict.fromkeys(pair for row in rows for pair in pairwise(row)):
        if first != second and second.startswith("finalise"):
            yield Mutant(f"exchanged: {told[first]}, {told[second]}", exchanged(first, second))


def _told(all_sites: set[str]) -> dict[str, str]:
    """Lines come and go: a step is called by what it does, and counted where a function does the same several times."""
    told, count = {}, Counter[str]()
    for site in sorted(all_sites):
        name = site.partition(" @")[0]
        count[name] += 1
        told[site] = f"{name} ({count[name]})" if count[name] > 1 else name
    return told


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
        Mutant("every chunk is believed", patch=_argument(recovery, "survey", trusted=1 << 31)),
        Mutant(
            "no head is made again from the index", patch=lambda: patch.object(recovery, "_from_index", lambda _: None)
        ),
    ]


def all_mutants() -> dict[str, Mutant]:
    return {mutant.name: mutant for mutant in (*steps(), *checks())}


_CACHE = "the index is a cache: whatever is in it, and without it too, the same media come back (I5)"
_SAYS = "nothing that the commit says decides about media: it explains, and is never needed (I5)"
_HOLE = "the hole lies where the live file has a free box and the finished one nothing that a table points to"
EQUIVALENT = {
    "left out: segment._begin sync .index": _CACHE,
    "left out: segment._begin sync .commit": _SAYS,
    "left out: segment.sync sync .index": _CACHE + "; the sync only makes a recovery quick",
    "before the sync: commit.write write .commit": _SAYS,
    "before the sync: finalise.finish punch .part": _HOLE,
    "before the sync: finalise.tidy unlink .index": "names of one folder change in order: when the index is gone, the "
    "rename is durable; were it not, the part is finished and needs no index",
    "before the sync: segment._make new .part": "it is another segment's file, on which this sync has no bearing",
    "exchanged: commit.write write .commit, finalise.finish write .part": _SAYS,
    "exchanged: commit.write write .commit, finalise.finish write .part (3)": _SAYS,
    "exchanged: finalise.finish write .part (2), finalise.finish punch .part": _HOLE,
    "exchanged: finalise.finish punch .part, finalise.settle rename .part": _HOLE,
    "exchanged: finalise.settle rename .part, finalise.tidy unlink .index": "the flip is durable before both: the part "
    "is finished and needs no index, under either name",
    "exchanged: finalise.tidy unlink .index, finalise.tidy unlink .commit": "neither is needed, in any order",
    "unchecked: CRC of the commit": _SAYS,
    "unchecked: a fragment's own place": "a fragment that lies elsewhere is still whole, of this segment and, by its "
    "number, in order: its place says only which of two copies counts, as after a write that went astray",
}
"""Mutants that no state can tell from the recorder, and why."""
