"""The last steps, the same for a recorder that closes and a recovery that cleans up: a live file becomes a plain MP4.

The final moov is durable before the eight bytes are written that make it count, and these before the file gets its
name. A crash between any two steps leaves a file that plays, and `recover` goes on from there.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from .errors import Busy
from .head import FLIP, MDAT, Head, mdat_header, tail_flip
from .io import IO
from .movie import FTYP, final_moov
from .scan import Survey


def finish(io: IO, part: int, path: str, head: Head, found: Survey) -> Path:
    """Steps 4.3 to 4.9 of docs/recorder-format.md, for a live part whose `found` samples are to be its content."""
    if io.size(part) > found.data_end:
        io.truncate(part, found.data_end)
    gaps = [(gap.at_ms, gap.ms) for gap in found.gaps]
    moov = final_moov(FTYP + head.init, found.tables, gaps=gaps)
    if len(moov) <= head.room:
        mdat = head.moov_off + len(moov)
        io.pwrite(part, moov + mdat_header(found.data_end - mdat), head.moov_off)
        io.sync(part)
        io.pwrite(part, head.flip, FLIP)
        io.sync(part)
        with contextlib.suppress(OSError):  # XFS needs room to give room back: what stays allocated harms nobody
            io.punch(part, mdat + MDAT, head.data_start - mdat - MDAT)
    else:
        io.pwrite(part, moov, found.data_end)
        io.sync(part)
        io.pwrite(part, tail_flip(found.data_end), FLIP)
        io.sync(part)
    return settle(io, path)


def settle(io: IO, path: str) -> Path:
    """A part that is flipped, and durably so, gets its name; what lay beside it goes. Busy if the name is taken."""
    folder = str(Path(path).parent)
    try:
        io.rename(f"{path}.part", path)
    except FileExistsError:
        raise Busy(
            f"{path} is there already, and {path}.part is finished too",
            hint=f"compare the two; move one away, then: usenet recorder recover {path}",
        ) from None
    io.syncdir(folder)
    tidy(io, path)
    return Path(path)


def tidy(io: IO, path: str) -> None:
    """Remove what only a live segment needs; what a drive does not let go of now, the next recovery removes."""
    for beside in ("index", "commit"):
        with contextlib.suppress(OSError):
            io.unlink(f"{path}.{beside}")
