"""Where the samples lie, in a moov that is there already: moved without making its tables again."""

from __future__ import annotations

import sys
from array import array

from .boxes.box import boxes, find


def moved(moov: bytes, by: int) -> bytes:
    """The same moov with `by` added to every offset in its co64 boxes. As long as before."""
    out = bytearray(moov)
    whole = find(moov, "moov")
    for trak in boxes(moov, whole.body, whole.end) if whole else ():
        table = find(moov, "mdia/minf/stbl/co64", trak.body, trak.end) if trak.kind == b"trak" else None
        if table is not None:
            offsets = _swapped(array("Q", moov[table.body + 8 : table.end]))
            out[table.body + 8 : table.end] = _swapped(array("Q", (each + by for each in offsets))).tobytes()
    return bytes(out)


def _swapped(values: array[int]) -> array[int]:
    if sys.byteorder == "little":
        values.byteswap()
    return values
