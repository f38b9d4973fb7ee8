"""Whether a pool takes new files at all: mergerfs refuses each while no drive has more room than is to stay free."""

from __future__ import annotations

from collections.abc import Iterable

from usenet.adapters import mounts
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.pool import no_room


def full(branches: Iterable[str], min_free: int) -> tuple[Finding, ...]:
    """That every new file fails, where that is so; `branches` as mergerfs writes them. Nothing if a drive is silent."""
    taking = [path for path, _, mode in (one.rpartition("=") for one in branches) if mode == "RW"]
    try:
        sizes = [(size, free) for size, _, free in map(mounts.usage, taking)]
    except SystemFailure:
        return ()
    return no_room(sizes, min_free)
