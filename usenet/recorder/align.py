"""A run cut so that it begins where decoding can begin."""

from __future__ import annotations

import struct

from .fragment import ALL_SYNC, FIRST_SYNC, NO_SYNC, SOME_SYNC, Run


def from_sync(run: Run) -> tuple[int, Run | None]:
    """How many bytes are skipped, and the run from its first sync sample on; None when it has none."""
    if run.sync in {ALL_SYNC, FIRST_SYNC}:
        return 0, run
    if run.sync == NO_SYNC:
        return 0, None
    flags = [bool(run.marks[at >> 3] & (0x80 >> (at & 7))) for at in range(run.samples)]
    first = flags.index(True) if True in flags else -1
    if first < 0:
        return 0, None
    skipped = sum(struct.unpack(f">{first}I", run.sizes[: 4 * first]))
    if run.deltas:
        base = run.base + sum(struct.unpack(f">{first}I", run.deltas[: 4 * first]))
    else:
        base = run.base + first * run.delta
    marks = bytearray((run.samples - first + 7) // 8)
    for at, flag in enumerate(flags[first:]):
        marks[at >> 3] |= 0x80 >> (at & 7) if flag else 0
    at = 4 * first
    rest = (run.sizes[at:], run.deltas[at:], run.cts[at:], SOME_SYNC, bytes(marks))
    return skipped, Run(run.track, base, run.samples - first, run.delta, *rest)
