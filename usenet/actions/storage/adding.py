"""A drive, or a directory of this machine, joins the stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.actions import catalog
from usenet.actions.storage import membership, settling, unclean
from usenet.actions.storage.change import Changed, Say, apply, walk
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, settings, stack
from usenet.adapters.home import Home
from usenet.adapters.storage import look, markers, mounting, tree
from usenet.adapters.storage.mounting import Found
from usenet.domain import mounts as holders
from usenet.domain.binds import sees_drives
from usenet.domain.errors import ConfigError, ValidationError
from usenet.domain.storage import adding, kinds
from usenet.domain.storage.converge import Finding, converge, give, mark
from usenet.domain.storage.intent import BranchSettings, DriveSettings, Role
from usenet.domain.storage.marker import read
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be added: a device, UUID, label or directory, and how. `name` empty: its label, made to fit.

    What is None stays as usenet.yaml has it, where the drive is in the stack already; see adding.choices.
    """

    drive: str
    name: str = ""
    role: Role | None = None
    needed: bool | None = None
    read_only: bool | None = None
    adopt: bool = False


def add(home: Home, wish: Wish, *, dry_run: bool = False, say: Say) -> Changed:
    """Let a drive, or a directory of this machine, join the stack; what was done.

    ValidationError: it can't be used, overlaps, is another's. SystemFailure: the machine's own words; what was done
    before that is finished by the next run.
    """
    home.require()
    if dry_run:
        files.require_free(home.path)  # to look at a drive it is mounted for a moment, which would be in another's way
        return _planned(_meant(observe(home), wish))
    with files.lock(home.path, f"storage add {wish.drive}"):
        meant = _meant(observe(home), wish)
        first = _first(meant, replace(meant.shelf.seen, stack=look.make_stack_id(home)))
        with unclean.explaining(meant.left):
            walk(first, meant.shelf, say)
            if not meant.known:
                told = {f"storage.drives.{meant.name}": meant.drive.model_dump(exclude_defaults=True)}
                settings.together(home, {**told, **membership.joining(home, meant.name, meant.drive)})
            done = apply(home, say=say, must=meant.name)
    notes = (*meant.notes, *_owner(meant.drive, meant.shelf.seen.target(meant.name), meant.shelf.seen))
    return Changed(name=meant.name, steps=(*first, *done.steps), notes=notes, findings=done.findings)


def _planned(meant: _Meant) -> Changed:
    seen = meant.shelf.seen
    there = replace(seen, directories=seen.directories | {meant.drive.path})
    drives = {**meant.shelf.drives, meant.name: meant.drive}
    planned = converge(drives, there)
    pool = meant.shelf.settings.storage.pool
    if pool and not meant.known and membership.joining(meant.shelf.home, meant.name, meant.drive):
        pool = pool.model_copy(update={"drives": {**pool.drives, meant.name: BranchSettings()}})
    pooled = settling.foreseen(meant.shelf, pool, drives, planned.steps)
    steps = (*_first(meant, seen), *planned.steps, *pooled.steps)
    return Changed(name=meant.name, steps=steps, notes=meant.notes, findings=(*planned.findings, *pooled.findings))


def _first(meant: _Meant, seen: Seen) -> tuple[Step, ...]:
    """What is done to the drive itself, out of sight, before it is anybody's."""
    marked = mark(meant.name, meant.drive, seen)
    needed = marked is not None and read(marked.marker) != meant.found.marker
    given = give(meant.name, meant.drive, seen) if meant.found.fresh else None
    return (*([marked] if marked and needed else []), *([given] if given else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """What a wish means on this machine. `known`: usenet.yaml says it already; `found`: what is on the drive.

    `left`: that it was left in the middle of writing.
    """

    shelf: Shelf
    name: str
    drive: DriveSettings
    known: bool
    found: Found
    notes: tuple[str, ...]
    left: tuple[Finding, ...]


def _meant(shelf: Shelf, wish: Wish) -> _Meant:
    word = look.device(wish.drive, (one.device for one in shelf.seen.offers))
    # Where a directory of a drive is bound, that directory is meant.
    offer = None if (word.rstrip("/") or word) in shelf.seen.parts else adding.find(word, shelf.seen.offers)
    called, drive = _called(shelf, offer, wish)
    known = adding.joined(shelf.drives, called, drive)
    left = unclean.look(called, offer)  # before a look mounts it
    found = _look(offer, shelf.seen) if offer else Found(marker=markers.look(Path(drive.path))[0])
    adding.check_marker(found.marker, shelf.seen.stack, called, adopt=wish.adopt)
    notes = (*adding.notes(drive, shelf.seen, _readers(shelf)), *(f"{one.what}; {one.cure}" for one in left))
    return _Meant(shelf=shelf, name=called, drive=drive, known=known, found=found, notes=notes, left=left)


def _called(shelf: Shelf, offer: Offer | None, wish: Wish) -> tuple[str, DriveSettings]:
    """The name of a drive and what usenet.yaml is to keep of it."""
    if offer:
        adding.check_drive(offer, shelf.host, shelf.drives)
        same = next((name for name, one in shelf.drives.items() if one.uuid == offer.uuid), "")
        role, needed, read_only = adding.choices(shelf.drives.get(same), wish.role, wish.needed, wish.read_only)
        new = adding.settings(offer, role, read_only=read_only, needed=needed)
        proposals: Sequence[str] = (offer.label, offer.drive.model, adding.short(offer.uuid))
    else:
        if not look.is_directory(wish.drive):
            raise ValidationError(
                f"{wish.drive} is no directory and no drive", hint="see all with: usenet storage list --all"
            )
        path = str(Path(wish.drive).resolve())
        holding = holders.holding(shelf.host, path)
        adding.check_directory(path, shelf.seen, str(shelf.home.path), shelf.drives, holding[0] if holding else None)
        same = next((name for name, one in shelf.drives.items() if one.path == path), "")
        role, needed, read_only = adding.choices(shelf.drives.get(same), wish.role, wish.needed, wish.read_only)
        kind = holding[0].type if holding else ""
        new = DriveSettings(path=path, type=kind, role=role, needed=needed, read_only=read_only)
        proposals = (Path(path).name,)
    return adding.name(wish.name or same, proposals, shelf.drives), new


def _readers(shelf: Shelf) -> tuple[str, ...]:
    """The services that see drives: those of the stack that was written, without what was left out of it."""
    known, _ = catalog.load(shelf.home.path)
    try:
        written = frozenset(stack.load(shelf.home).services)
    except ConfigError:  # nothing was ever started
        written = frozenset(known)
    return tuple(
        one for one in shelf.settings.enabled if one in written & known.keys() and sees_drives(known[one].service)
    )


def _look(offer: Offer, seen: Seen) -> Found:
    """What is on a drive, wherever it can be seen; a plain user sees nothing of one that is not mounted."""
    own = next((place.held for place in seen.places.values() if place.held and place.held.source == offer.device), None)
    if own:
        return Found(marker=own.marker)
    if elsewhere := seen.elsewhere(offer):
        return mounting.found(Path(elsewhere))
    kind = kinds.driver(offer.type, seen.drivers)
    if not kind:
        raise ValidationError(kinds.missing(offer.type), where=offer.device)
    given = kinds.options(offer.type, kind, uid=seen.uid, gid=seen.gid, umask=seen.umask, read_only=True)
    return mounting.peek(offer.device, kind, given)


def _owner(drive: DriveSettings, target: str, seen: Seen) -> tuple[str, ...]:
    """A sentence where the services may not write to a drive that is meant for them: a new one is root's."""
    entry = None if drive.read_only else tree.look([target])[target]
    if entry is None or entry.uid == seen.uid or not kinds.owners(drive.type):
        return ()
    return (f"its directory belongs to {entry.uid}:{entry.gid}: let services write with usenet storage check --fix",)
