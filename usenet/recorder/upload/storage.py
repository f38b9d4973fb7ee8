"""What an object storage must be able to do for an upload, and what can go wrong with it. There is no way to delete."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import RecorderError, Unreachable
from .crc32c import crc32c


class Refused(RecorderError):
    """The storage answered, and the answer is no: credentials, rights, quota, no such bucket. A person must act."""

    code = 4


class Gone(RecorderError):
    """The storage knows nothing of this upload: it was completed, aborted or forgotten."""


class Wrong(Unreachable):
    """What the storage has is not what was sent. Sending it again may help."""


class Taken(RecorderError):
    """Something else already has this name over there, and it is not overwritten."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Checksums of the bytes of one part. `crc` (CRC-32C) is there only for a storage that asks for it."""

    size: int
    sha256: bytes
    md5: bytes
    crc: int | None = None


def sums(data: bytes, *, crc: bool = False) -> Sums:
    """All checksums that a storage may ask for."""
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    return Sums(len(data), hashlib.sha256(data).digest(), md5, crc32c(data) if crc else None)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the storage took: what it is, and the token by which the storage calls it."""

    number: int
    sums: Sums
    token: str


@dataclass(frozen=True, slots=True)
class Found:
    """An object as the storage tells of it when asked anew: checksums by their kind."""

    size: int
    checksums: dict[str, str]


class Storage(Protocol):
    """One bucket or container. Every call is one request, is not tried again by itself, and raises nothing but
    Unreachable (try later), Refused, Gone or Wrong. None of them, nor a repr, nor a log line ever holds a secret."""

    name: str
    smallest: int  # bytes that every part but the last must have
    most: int  # parts of one object
    crc: bool  # whether `Sums.crc` is needed

    def begin(self, key: str) -> str:
        """Open an upload under `key` and say what it is called. Nothing can be seen under `key` before `complete`."""

    def part(self, key: str, upload: str, number: int, data: bytes, told: Sums) -> str:
        """Store one part (from 1), in any order; the same number again replaces it. The storage checks it against
        `told` by itself: Wrong if it got something else. The answer is the part's token."""

    def parts(self, key: str, upload: str) -> set[tuple[int, int, str]]:
        """What is there of an upload: number, size and token of each part. Gone if there is no such upload."""

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make these parts, and no others, the object, at once or not at all."""

    def abort(self, key: str, upload: str) -> None:
        """Forget an upload that was not completed. Not an error if there is none."""

    def stat(self, key: str) -> Found | None:
        """The object as it is there now, asked anew; None if there is none."""

    def agrees(self, found: Found, parts: Sequence[Sums]) -> bool:
        """Whether the storage's own size and checksum are those of an object made of `parts`. False if untold."""


def hint_for(status: int) -> str:
    """What a person can do about an HTTP status by which a storage refuses."""
    if status in (401, 403):
        return "look at the credentials, their rights on this bucket, and this machine's clock"
    if status == 404:
        return "make the bucket first, or correct its name"
    return "look at the storage's quota and settings"


def failure(name: str, what: str, status: int, code: str = "") -> RecorderError:
    """The error for an HTTP status that is none of success: worth another try, or not."""
    told = f"{name}: {what}: {status} {code}".rstrip()
    if status >= 500 and status not in (501, 507):
        return Unreachable(told)
    if status in (408, 425, 429):
        return Unreachable(told)
    return Refused(told, hint=hint_for(status))
