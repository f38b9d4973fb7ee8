"""The mark by which a filesystem says that it was left in the middle of writing, read from its device."""

from __future__ import annotations

from usenet.adapters import shell
from usenet.adapters.storage import guards
from usenet.domain.errors import SystemFailure
from usenet.domain.storage import unclean

PATIENCE = 10.0  # a drive that slept spins up first


def look(device: str, type_: str) -> bool | None:
    """Whether a filesystem that is not mounted was left in the middle of writing; nothing is written or mounted.

    None where nobody can tell: it is mounted, which marks it as well, keeps no mark, or this user can't read it.
    """
    if not unclean.known(type_):
        return None
    try:
        first = _read(device, 0, unclean.FIRST)
        where = unclean.beyond(type_, first)
        found = unclean.unclean(type_, first, _read(device, *where) if where else b"")
    except SystemFailure:
        return None
    # Asked last: it may have been mounted since.
    return None if device in guards.mounted().values() else found


def _read(device: str, at: int, size: int) -> bytes:
    """By a program, which can be left alone where a dying drive keeps it."""
    said = shell.checked(("od", "-An", "-v", "-tx1", "-j", str(at), "-N", str(size), device), timeout=PATIENCE)
    return bytes.fromhex(said)
