"""Whether a recording has a copy elsewhere that was verified, by what the upload wrote down beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from usenet.recorder.upload import journal, layout


def uploaded(recording: Path) -> bool:
    """True only for the very file whose copy a storage confirmed; one that changed since counts as not uploaded."""
    stamp = journal.Stamp.of(recording)
    return any(journal.peek(one).verified == stamp for one in journals(recording))


def journals(recording: Path) -> Iterator[Path]:
    """What is written down of each copy of a recording."""
    yield from recording.parent.glob(f"{recording.name}.*{layout.JOURNAL}")
