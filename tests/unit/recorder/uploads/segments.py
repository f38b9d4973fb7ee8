"""Segments as a recorder leaves them: a live one that grows, ends in the head or at the tail, or is cut by a crash."""

from __future__ import annotations

import random
from pathlib import Path

from usenet.recorder.boxes.box import box

NAME = "20261121T172229.250Z.mp4"


class Growing:
    """X.mp4.part with a head of `head` bytes and chunks after it; `finish` makes it X.mp4, as a recorder does."""

    def __init__(self, directory: Path, name: str = NAME, *, head: int = 100, seed: int = 0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path, self.part = directory / name, directory / f"{name}.part"
        self._random, self.head = random.Random(seed), head
        moov = box(b"moov", self._random.randbytes(20))
        ftyp = box(b"ftyp", b"iso6\0\0\2\0iso6isommp41avc1")
        free = box(b"free", bytes(head - len(moov) - len(ftyp) - 8))
        self.part.write_bytes(ftyp + moov + free)

    def grow(self, size: int) -> Growing:
        with self.part.open("ab") as file:
            file.write(box(b"moof", self._random.randbytes(20)) + box(b"mdat", self._random.randbytes(size)))
        return self

    def cut(self, size: int) -> Growing:
        """What a power cut and a recovery do: the last bytes were not what they seemed, and are gone."""
        with self.part.open("r+b") as file:
            file.truncate(max(self.head, self.part.stat().st_size - size))
        return self

    def finish(self, *, tail: int = 0) -> Path:
        """The head is written again; with `tail`, so many bytes come at the end, and of the head only its first."""
        with self.part.open("r+b") as file:
            file.seek(32)
            file.write(self._random.randbytes(16 if tail else self.head - 32))
            file.seek(0, 2)
            file.write(self._random.randbytes(tail))
        return self.part.rename(self.path)


def finished(directory: Path, size: int, name: str = NAME, seed: int = 0) -> Path:
    """A segment that was never seen alive."""
    return Growing(directory, name, seed=seed).grow(size).finish()
