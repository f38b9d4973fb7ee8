"""Which services wait while drives are away: those that would take an empty directory for an empty library."""

from __future__ import annotations

from collections.abc import Mapping

from usenet.domain.binds import sees_drives
from usenet.domain.service import Service
from usenet.domain.storage.intent import POOL, DriveSettings, StorageSettings

# Whoever sees drives looks for media on them, or moves downloads there.
_WAITED_FOR = ("media", "downloads")


def needed(storage: StorageSettings) -> frozenset[str]:
    """The drives that services wait for, and the pool if it shows one of them."""
    drives = {n for n, drive in storage.drives.items() if drive.needed and drive.role in _WAITED_FOR}
    return frozenset(drives | {POOL} if storage.pool and drives & storage.pool.drives.keys() else drives)


def waiting(
    services: Mapping[str, Service], drives: Mapping[str, DriveSettings], away: Mapping[str, str]
) -> dict[str, str]:
    """Service → why it waits. `away`: drive, or the pool, → why it is not there.

    A pool-dependent service that sees drives waits for each that is needed, and the pool; all others run.
    """
    needed = {POOL, *(n for n, drive in drives.items() if drive.needed and drive.role in _WAITED_FOR)}
    missed = {name: why for name, why in away.items() if name in needed}
    if not missed:
        return {}
    words = {name: "the pool" if name == POOL else f"the drive {name}" for name in missed}
    reason = "; ".join(f"it waits for {words[name]}: {why}" for name, why in sorted(missed.items()))
    return {n: reason for n, service in services.items() if service.role == "pool-dependent" and sees_drives(service)}
