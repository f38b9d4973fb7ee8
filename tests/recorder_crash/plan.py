"""Which stories are looked at, on which sectors, how far: in every run of the tests, and once in a while in full."""

from __future__ import annotations

from functools import cache

from . import again, workloads
from .enumerator import Depth, Walk
from .states import Limits
from .workloads import SCRIPTS, Story

SECTORS = (64, 256, 512)
QUICK, FULL = Limits(), Limits(exhaustive=10, random=40)
FULL_STATES = 1_000_000
NAMES = (*(script.name for script in SCRIPTS), *again.NAMES)


def planned(name: str, sector: int) -> int:
    """How many states every run of the tests looks at: no more than there are."""
    if name in again.NAMES:
        return {64: 80, 256: 36, 512: 12}[sector]
    return 4_000 if sector < 512 else 600


PLANNED = {(name, sector): planned(name, sector) for name in NAMES for sector in SECTORS}


@cache
def story(name: str) -> Story:
    if name in again.NAMES:
        return again.story(name)
    return workloads.play(next(script for script in SCRIPTS if script.name == name))


@cache
def stale(name: str) -> dict[str, bytes]:
    """An older recording of the same script, whose blocks the drive has given to the new one."""
    if name in again.NAMES:
        return {}
    script = next(script for script in SCRIPTS if script.name == name)
    return workloads.kept(workloads.play(script, nonce=7))


def walk(name: str, sector: int, depth: Depth, seed: int) -> Walk:
    return Walk(story(name), sector, depth, seed, stale(name))
