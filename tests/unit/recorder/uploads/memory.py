"""A storage in memory that forgives nothing, and a disk: both fail, or end the process, at any call that is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from usenet.recorder.errors import Unreachable
from usenet.recorder.io import Files, Mode
from usenet.recorder.upload.storage import Found, Gone, Part, Sums, Wrong, sums

SMALLEST = 64
Trouble = Callable[[str], None]


class Kill(BaseException):
    """The process ended here."""


class Memory:
    """`trouble` is asked before (`call`) and after (`call done`) each request and may raise."""

    smallest, most, crc = SMALLEST, 40, True

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.open: dict[str, tuple[str, dict[int, tuple[bytes, str]]]] = {}
        self.trouble: Trouble = lambda call: None
        self.calls: list[str] = []
        self.told: Callable[[Found], Found] = lambda found: found
        self._split: dict[str, list[Sums]] = {}
        self._ids = 0

    def _asked(self, call: str) -> None:
        self.calls.append(call)
        self.trouble(call)

    def begin(self, key: str) -> str:
        self._asked("begin")
        self._ids += 1
        self.open[f"u{self._ids}"] = (key, {})
        self.trouble("begin done")
        return f"u{self._ids}"

    def part(self, key: str, upload: str, number: int, data: bytes, told: Sums) -> str:
        self._asked(f"part {number}")
        parts = self._parts(key, upload)
        assert 1 <= number <= self.most
        assert data
        if sums(data, crc=True) != told:
            raise Wrong("these are other bytes")
        token = hashlib.sha1(data).hexdigest()
        parts[number] = (data, token)
        self.trouble(f"part {number} done")
        return token

    def parts(self, key: str, upload: str) -> set[tuple[int, int, str]]:
        self._asked("parts")
        return {(number, len(data), token) for number, (data, token) in self._parts(key, upload).items()}

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        self._asked("complete")
        have = self._parts(key, upload)
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        for part in parts:
            if part.number not in have or have[part.number][1] != part.token:
                raise Wrong(f"part {part.number} is not here")
        assert all(part.sums.size >= self.smallest for part in parts[:-1])
        assert key not in self.objects, "an object was overwritten"
        self.objects[key] = b"".join(have[part.number][0] for part in parts)
        self._split[key] = [sums(have[part.number][0], crc=True) for part in parts]
        del self.open[upload]
        self.trouble("complete done")

    def abort(self, key: str, upload: str) -> None:
        self._asked("abort")
        self.open.pop(upload, None)
        self.trouble("abort done")

    def stat(self, key: str) -> Found | None:
        self._asked("stat")
        if key not in self.objects:
            return None
        return self.told(Found(len(self.objects[key]), {"parts": repr(self._split.get(key, "none of ours"))}))

    def agrees(self, found: Found, parts: Sequence[Sums]) -> bool:
        return found == Found(sum(part.size for part in parts), {"parts": repr(list(parts))})

    def _parts(self, key: str, upload: str) -> dict[int, tuple[bytes, str]]:
        if upload not in self.open or self.open[upload][0] != key:
            raise Gone("no such upload")
        return self.open[upload][1]


class Disk(Files):
    """This machine's files, never really synced. A kill in the middle of a write leaves `torn` bytes of it."""

    def __init__(self) -> None:
        self.trouble: Trouble = lambda call: None
        self.torn = 0

    def pwrite(self, handle: int, data: bytes, offset: int) -> None:
        try:
            self.trouble("pwrite")
        except Kill:
            super().pwrite(handle, data[: self.torn % (len(data) + 1)], offset)
            raise
        super().pwrite(handle, data, offset)

    def allocate(self, handle: int, offset: int, length: int) -> None:
        self.trouble("allocate")
        super().allocate(handle, offset, length)

    def sync(self, handle: int) -> None:
        self.trouble("sync")
        self.trouble("sync done")

    def syncdir(self, directory: str) -> None:
        self.trouble("syncdir")

    def unlink(self, path: str) -> None:
        self.trouble("unlink")
        super().unlink(path)

    def open(self, path: str, mode: Mode) -> int:
        self.trouble("open")
        return super().open(path, mode)


def quiet(call: str) -> None:
    """No trouble."""


class Counting:
    """Trouble at the n-th call from now: `act` is done once, then there is peace."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self._left, self._act = at, act

    def __call__(self, call: str) -> None:
        self._left -= 1
        if self._left == -1:
            self._act()


def kill() -> None:
    raise Kill


def unreachable() -> None:
    raise Unreachable("no answer")


class Clock:
    """A time that passes only when it is waited for."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def journals(root: Path) -> list[Path]:
    return sorted(root.rglob("*.upload"))
