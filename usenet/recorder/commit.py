"""The small file beside a live segment that says what is being done with it. Nothing in it is needed to save media.

Two slots, each in a physical sector of its own, are written in turn; the whole one with the highest generation counts.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from .errors import Damaged
from .io import IO
from .lease import Lease

VERSION: Final = 1
SLOT: Final = 4096
MAGIC: Final = b"RCMT"

State = Literal["recording", "sealing", "flipped", "done", "poisoned"]

_head = struct.Struct(">4sHHQ")  # magic, version, length of the JSON behind, generation
_u32 = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Commit:
    """What is known of a segment while it isn't finished. `plan`, `recovery`: what was about to be done, for people."""

    state: State
    nonce: str
    reserve: int
    lease: Lease
    flush: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    poison_from: int = 0  # the first chunk that a failing drive may have lost
    recovery: dict[str, Any] = field(default_factory=dict)
    generation: int = 0


def encode(commit: Commit) -> bytes:
    """One slot."""
    said = asdict(commit)
    generation = said.pop("generation")
    body = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    if _head.size + len(body) + 4 > SLOT:
        raise ValueError("the commit does not fit into its slot")
    slot = _head.pack(MAGIC, VERSION, len(body), generation) + body
    return (slot + _u32.pack(zlib.crc32(slot))).ljust(SLOT, b"\0")


def decode(slot: bytes) -> Commit:
    """Damaged if it is not whole, or not in a form that this program knows."""
    if len(slot) < _head.size + 4:
        raise Damaged("the commit is cut off")
    magic, version, length, generation = _head.unpack_from(slot)
    end = _head.size + length
    if (
        magic != MAGIC
        or version > VERSION
        or end + 4 > len(slot)
        or _u32.unpack_from(slot, end)[0] != zlib.crc32(slot[:end])
    ):
        raise Damaged("the commit is not as it was written")
    try:
        said = json.loads(slot[_head.size : end])
        return Commit(**{**said, "lease": Lease(**said["lease"])}, generation=generation)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"the commit says what it should not: {error}") from None


def write(io: IO, handle: int, commit: Commit) -> Commit:
    """Into the slot that is not the last one; the caller syncs where it matters. Returns what was written."""
    later = replace(commit, generation=commit.generation + 1)
    io.pwrite(handle, encode(later), later.generation % 2 * SLOT)
    return later


def read(io: IO, handle: int) -> Commit | None:
    """The newest whole slot; None if there is none."""
    found = []
    for at in (0, SLOT):
        try:
            found.append(decode(io.pread(handle, SLOT, at)))
        except Damaged:
            continue
    return max(found, key=lambda each: each.generation, default=None)
