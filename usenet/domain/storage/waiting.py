"""Which services wait while drives are away: those that would take an empty directory for an empty library."""

from __future__ import annotations

from collections.abc import Mapping

from usenet.domain.binds import sees_drives
from usenet.domain.service import Service
from usenet.domain.storage.intent import DriveSettings

# Whoever sees drives looks for media on them, or moves downloads there.
_WAITED_FOR = ("media", "downloads")


def waiting(
    services: Mapping[str, Service], drives: Mapping[str, DriveSettings], away: Mapping[str, str]
) -> dict[str, str]:
    """Service → why it waits. `away`: drive → why it is not there.

    A pool-dependent service that sees drives waits for each that is needed; all others run.
    """
    missed = {name: why for name, why in away.items() if drives[name].needed and drives[name].role in _WAITED_FOR}
    if not missed:
        return {}
    reason = "; ".join(f"it waits for the drive {name}: {why}" for name, why in sorted(missed.items()))
    return {n: reason for n, service in services.items() if service.role == "pool-dependent" and sees_drives(service)}
