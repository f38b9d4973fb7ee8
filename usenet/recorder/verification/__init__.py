"""Whether a file is what it should be: its boxes, its tables, its checksums, and what another parser says of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import Damaged
from ..io import IO, Files
from ..reader import At, Mp4, Source, scan
from ..reader.ours import Ours, find
from . import chunks, other, tables
from .findings import Finding, Findings
from .walk import Walk

__all__ = ["Finding", "Verdict", "verify"]

Kind = Literal["live", "finished", "sealed", "other"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok`: nothing is wrong. `checked` and `skipped` say in sentences what was looked at and what was not, `notes`
    what is worth knowing and no fault: a torn end of a file that is being written, chunks that a recovery left out.

    `kind`: live (X.mp4.part that is written, or was when the power failed), finished, sealed (finished but for its
    name), or other: an MP4 that is no segment of ours. `tracks`: (kind, samples, seconds) of each.
    """

    path: Path
    kind: Kind
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    checked: tuple[str, ...]
    skipped: tuple[str, ...]
    tracks: tuple[tuple[str, int, float], ...]
    chunks: int
    bytes: int

    @property
    def ok(self) -> bool:
        return not self.findings


def verify(path: Path | str, *, deep: bool = False, io: IO | None = None) -> Verdict:
    """Looks at all of its structure; with `deep` at every byte of media too. FileNotFoundError if it isn't there.

    A file that can't be read is a finding, not an error.
    """
    io = io or Files()
    handle = io.open(os.fspath(path), "read")
    try:
        return _verify(Path(path), io, handle, deep)
    finally:
        io.close(handle)


def _verify(path: Path, io: IO, handle: int, deep: bool) -> Verdict:
    findings, size = Findings(), io.size(handle)

    def fetch(offset: int, length: int) -> bytes:
        return io.pread(handle, length, offset)

    source = Source(fetch, size)
    movie: Mp4 | None = None
    found = chunks.Chunks()
    kind: Kind = "other"
    try:
        ours, kind = _ours(source, path, findings)
        movie = _structure(source, kind, findings)
        if ours is not None:
            found = chunks.check(io, handle, ours, movie, findings, deep=deep)
            _told(found, findings, deep)
        if movie is not None:
            other.check(movie, fetch, findings)
    except OSError as error:
        findings.add(None, f"the drive does not give the file back: {error.strerror or error}")
    listed = tuple(
        (track.kind, len(track), (track.samples.end - track.samples.start) / track.timescale)
        for track in (movie.tracks if movie else ())
    )
    return Verdict(
        *(path, kind, findings.finish(), tuple(findings.notes), tuple(findings.checked), tuple(findings.skipped)),
        *(listed, found.count, size),
    )


def _ours(source: Source, path: Path, findings: Findings) -> tuple[Ours | None, Kind]:
    """What only a segment of ours has; a damaged head is a finding where the file shows that it should have one."""
    part = path.name.endswith(".part")
    try:
        ours = find(source)
    except Damaged as error:
        if part or b"freeRHD1" in source.read(0, min(source.size, 1 << 20)):
            findings.add(0, error.message)
        return None, "live" if part else "other"
    if ours.life == "live":
        return ours, "live"
    return ours, "sealed" if part else "finished"


def _structure(source: Source, kind: Kind, findings: Findings) -> Mp4 | None:
    """Boxes and tables; None when they are too damaged to be read."""
    live = kind == "live"
    walk = Walk(source, findings)
    walk.file(torn=live)
    findings.checked.append(f"{walk.boxes} boxes: size, place and order")
    try:
        movie = scan(source, torn=live)
    except At as error:
        findings.add(error.offset, error.message)
        return None
    tables.check(movie, findings)
    findings.checked.append(f"the tables of {sum(map(len, movie.tracks))} samples in {len(movie.tracks)} tracks")
    return movie


def _told(found: chunks.Chunks, findings: Findings, deep: bool) -> None:
    findings.checked.append(f"the checksums of the headers of {found.count} chunks")
    if not deep:
        findings.skipped.append("the checksums of the media data: only deep looks at them")
        return
    findings.checked.append(f"the checksums of all media data, and {found.compared} samples against their chunks")
    if found.left_out:
        findings.notes.append(
            f"{found.left_out} samples are in the file and not in its tables: a recovery left them out"
        )
