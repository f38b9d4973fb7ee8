"""A drive leaves the stack, and may be powered down after that."""

from __future__ import annotations

from usenet.actions.storage import membership
from usenet.actions.storage.change import Changed, Say, apply, walk
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts, settings
from usenet.adapters.home import Home
from usenet.adapters.storage import eject as power
from usenet.domain.errors import SystemFailure
from usenet.domain.storage import adding
from usenet.domain.storage.converge import converge, mark, unmark
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.steps import Step, Unmount


def remove(home: Home, name: str, *, eject: bool = False, dry_run: bool = False, say: Say) -> Changed:
    """Take a drive out of the stack: unmounted first, then forgotten. Its mountpoint stays guarded.

    With `eject` a USB drive is powered down after that; a note says whether it could be.

    ValidationError: no such drive. SystemFailure names who holds a file open; nothing was changed then.
    """
    home.require()
    if dry_run:
        return _planned(observe(home), name)
    with files.lock(home.path, f"storage remove {name}"):
        shelf = observe(home)
        first, after = _leaving(shelf, name)
        with membership.without(home, name, say=say):
            walk(first, shelf, say)
            settings.together(home, {f"storage.drives.{name}": None, **membership.forgetting(home, name)})
        walk(after, shelf, say)
        done = apply(home, say=say)
    notes = (_ejected(shelf.seen.offer(shelf.drives[name].uuid)),) if eject else ()
    return Changed(name=name, steps=(*first, *after, *done.steps), notes=notes, findings=done.findings)


def _planned(shelf: Shelf, name: str) -> Changed:
    first, after = _leaving(shelf, name)
    rest = {n: d for n, d in shelf.drives.items() if n != name}
    others = (step for step in converge(rest, shelf.seen).steps if step not in first)
    return Changed(name=name, steps=(*membership.leaving(shelf, name), *first, *after, *others))


def _ejected(offer: Offer | None) -> str:
    """What became of the wish to power a drive down; it has left the stack in any case."""
    if offer is None:
        return "there is nothing to power down"
    try:
        told = power.power_down(offer.drive.path, mounts.look())
    except SystemFailure as failure:
        return f"{failure.message}; {failure.hint}"
    return told or f"{offer.drive.path} is no USB drive: it keeps its power, and can stay where it is"


def _leaving(shelf: Shelf, name: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """What is done to a drive that is there, before it is forgotten and after. ValidationError: there is none."""
    if name not in shelf.drives:
        raise adding.absent(name, shelf.drives)
    held, drive = shelf.seen.places[name].held, shelf.drives[name]
    if not (held and held.alive):
        return (), ()
    # fstab mounts whatever has the UUID: the marker may be that of a stack that took the drive over.
    ours = held.marker and held.marker.whose == (shelf.seen.stack, drive.uuid) and not held.read_only
    own = mark(name, drive, shelf.seen) if ours else None
    return (Unmount(target=shelf.seen.target(name)),), (unmark(own),) if own else ()
