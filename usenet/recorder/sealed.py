"""A part that is finished but for its name: how to see that it is, and, with `deep`, that it tells the truth."""

from __future__ import annotations

import contextlib
import struct
from typing import Final

from . import head
from .errors import Damaged
from .head import FLIP, GUARD, Head
from .io import IO
from .movie import FTYP, final_moov
from .scan import Survey

_LONGEST: Final = 16 << 20  # no head is longer
_MVHD: Final = struct.pack(">I4s", 120, b"mvhd")  # what a flip to the tail overwrites behind the header of the moov


def moov_at(io: IO, part: int, start: bytes) -> int | None:
    """Where the final moov lies, if the flip has happened, told by more than its four letters: that moov is there."""
    with contextlib.suppress(Damaged):
        life = head.life(start)
        size, at = io.size(part), FLIP
        if life == "sealed-head":
            at += int.from_bytes(start[FLIP : FLIP + 4], "big")
        elif life == "sealed-tail":
            at += int.from_bytes(start[FLIP + 8 : FLIP + 16], "big")
        else:
            return None
        if at + GUARD > size:
            return None
        length, kind = struct.unpack(">I4s", io.pread(part, 8, at))
        return at if kind == b"moov" and 8 <= length <= size - at else None
    return None


def live(io: IO, part: int) -> Head:
    """The head as it was before the flip. Damaged if its CRC says that this is not it."""
    start = io.pread(part, _LONGEST, 0)
    if head.life(start) == "sealed-head":
        length = int.from_bytes(start[FLIP : FLIP + 4], "big") - GUARD
        rest = start[FLIP + 8 :]
    else:
        length = start.find(b"freeRHD1") - 4 - FLIP
        rest = _MVHD + start[FLIP + 16 :]
    if length < 16:
        raise Damaged("the head of the finished segment is not as it was written")
    return head.parse(start[:FLIP] + struct.pack(">I4s", length, b"moov") + rest)


def true(io: IO, part: int, told: Head, found: Survey, at: int) -> bool:
    """Whether the moov at `at`, and the head before it, are what the chunks that were `found` make of them."""
    gaps = [(gap.at_ms, gap.ms) for gap in found.gaps]
    moov = final_moov(FTYP + told.init, found.tables, gaps=gaps)
    if at == told.moov_off:
        flip, moov = told.flip, moov + head.mdat_header(io.size(part) - at - len(moov))
    else:
        flip = head.tail_flip(at)
    return io.pread(part, len(moov), at) == moov and io.pread(part, FLIP + len(flip), 0) == FTYP + flip
