"""Drives that were left in the middle of writing, told before they are mounted. Nothing is mended here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from usenet.actions.storage.shelf import Shelf
from usenet.adapters.storage import marks
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.converge import Finding
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.unclean import finding


def look(name: str, offer: Offer | None) -> tuple[Finding, ...]:
    """That one drive was left so; nothing where it is mounted anywhere: that marks it too."""
    if offer is None or offer.filesystem is None or offer.filesystem.mounts:
        return ()
    return (finding(name, offer.type, offer.device),) if marks.look(offer.device, offer.type) else ()


def of(shelf: Shelf, names: Collection[str]) -> Iterator[Finding]:
    """The same of those drives of the stack that are plugged in, all asked at once."""
    there = {name: shelf.seen.offer(drive.uuid) for name, drive in shelf.drives.items() if name in names}
    with ThreadPoolExecutor(max(len(there), 1)) as pool:
        for found in pool.map(lambda name: look(name, there[name]), there):
            yield from found


@contextmanager
def explaining(left: Sequence[Finding]) -> Iterator[None]:
    """Where the machine refuses a drive that was left so, it is told with the machine's own words."""
    try:
        yield
    except SystemFailure as failure:
        if not left:
            raise
        raise SystemFailure(f"{failure.message}; {left[0].what}", where=failure.where, hint=left[0].cure) from failure
