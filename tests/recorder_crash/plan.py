"""Which stories are looked at, on which sectors, how far: in every run of the tests, and once in a while in full."""

from __future__ import annotations

from functools import cache

from . import again, workloads
from .enumerator import Depth, Walk
from .states import Limits
from .workloads import SCRIPTS, Story

SECTORS = (64, 256, 512)
QUICK, FULL = Limits(), Limits(exhaustive=10, random=40)
QUICK_STATES, FULL_STATES = 2_000, 40_000
NAMES = (*(script.name for script in SCRIPTS), *again.NAMES)


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
