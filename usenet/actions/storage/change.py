"""What changes the drives of a stack: usenet.yaml first, then the steps that make it so.

A run that is killed anywhere is finished by the next one that changes something.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from usenet.actions import catalog
from usenet.actions.storage import membership, settling
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters import files, mounts, settings
from usenet.adapters.home import Home
from usenet.adapters.storage import eject as power
from usenet.adapters.storage import fstab, guards, look, markers, mounting, tree
from usenet.domain import mounts as holders
from usenet.domain.binds import sees_drives
from usenet.domain.errors import SystemFailure, UsenetError, ValidationError
from usenet.domain.storage import adding, kinds
from usenet.domain.storage.checks import keeps_owners
from usenet.domain.storage.converge import Converged, Finding, converge, drive_of, mark, unmark
from usenet.domain.storage.intent import POOL, DriveSettings, Role
from usenet.domain.storage.marker import Marker, read
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Guard,
    Mark,
    MountDrive,
    Persist,
    Share,
    Step,
    Unmark,
    Unmount,
    commands,
)

Say = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a verb did or would do: steps in their order, sentences for a person, and what stays wrong."""

    name: str = ""
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be added: a device, UUID, label or directory, and how. `name` empty: its label, made to fit."""

    drive: str
    name: str = ""
    role: Role = "media"
    needed: bool = True
    read_only: bool = False
    adopt: bool = False


def add(home: Home, wish: Wish, *, dry_run: bool = False, say: Say) -> Changed:
    """Let a drive, or a directory of this machine, join the stack; what was done.

    ValidationError: it can't be used, overlaps, is another's. SystemFailure: the machine's own words; what was done
    before that is finished by the next run.
    """
    home.require()
    shelf = observe(home)
    offer = adding.find(look.device(wish.drive, (one.device for one in shelf.seen.offers)), shelf.seen.offers)
    called, new = _meant(shelf, offer, wish)
    known = adding.joined(shelf.drives, called, new)
    marker = _peek(offer, shelf.seen) if offer else markers.look(Path(new.path))[0]
    adding.check_marker(marker, shelf.seen.stack, called, adopt=wish.adopt)
    notes = adding.notes(new, shelf.seen, _readers(shelf))
    if dry_run:
        marks = [one for one in [mark(called, new, shelf.seen)] if one and read(one.marker) != marker]
        seen = replace(shelf.seen, directories=shelf.seen.directories | {new.path})
        planned = converge({**shelf.drives, called: new}, seen)
        return Changed(name=called, steps=(*marks, *planned.steps), notes=notes, findings=planned.findings)
    with files.lock(home.path, f"storage add {called}"):
        seen = replace(shelf.seen, stack=look.make_stack_id(home))
        if (marked := mark(called, new, seen)) and read(marked.marker) != marker:
            say(marked)
            mounting.mark(marked)
        if not known:
            told = {f"storage.drives.{called}": new.model_dump(exclude_defaults=True)}
            settings.together(home, {**told, **membership.joining(home, called, new)})
        done = apply(home, say=say, must=called)
    notes = (*notes, *_owner(new, seen.target(called), seen))
    return Changed(name=called, steps=done.steps, notes=notes, findings=done.findings)


def _owner(drive: DriveSettings, target: str, seen: Seen) -> tuple[str, ...]:
    """A sentence where the services may not write to a drive that is meant for them: a new one is root's."""
    entry = None if drive.read_only else tree.look([target])[target]
    if entry is None or entry.uid == seen.uid or not keeps_owners(drive.type):
        return ()
    return (f"its directory belongs to {entry.uid}:{entry.gid}: let services write with usenet storage check --fix",)


def _meant(shelf: Shelf, offer: Offer | None, wish: Wish) -> tuple[str, DriveSettings]:
    """The name of a drive and what usenet.yaml is to keep of it."""
    if offer:
        adding.check_drive(offer, shelf.host, shelf.drives)
        new = adding.settings(offer, wish.role, read_only=wish.read_only, needed=wish.needed)
        proposals: Sequence[str] = (offer.label, offer.drive.model, offer.uuid)
    else:
        if not look.is_directory(wish.drive):
            raise ValidationError(
                f"{wish.drive} is no directory and no drive", hint="see all with: usenet storage list --all"
            )
        path = str(Path(wish.drive).resolve())
        holding = holders.holding(shelf.host, path)
        adding.check_directory(path, shelf.seen, str(shelf.home.path), shelf.drives, holding[0] if holding else None)
        new = DriveSettings(
            path=path,
            type=holding[0].type if holding else "",
            role=wish.role,
            needed=wish.needed,
            read_only=wish.read_only,
        )
        proposals = (Path(path).name,)
    same = next((n for n, d in shelf.drives.items() if (d.uuid, d.path) == (new.uuid, new.path)), "")
    return adding.name(wish.name or same, proposals, shelf.drives), new


def _readers(shelf: Shelf) -> tuple[str, ...]:
    known, _ = catalog.load(shelf.home.path)
    return tuple(name for name in shelf.settings.enabled if name in known and sees_drives(known[name].service))


def _peek(offer: Offer, seen: Seen) -> Marker | None:
    own = next((place.held for place in seen.places.values() if place.held and place.held.source == offer.device), None)
    if own:
        return own.marker
    if elsewhere := seen.elsewhere(offer):
        return markers.look(Path(elsewhere))[0]
    kind = kinds.driver(offer.type, seen.drivers)
    if not kind:
        raise ValidationError(kinds.missing(offer.type), where=offer.device)
    given = kinds.options(offer.type, kind, uid=seen.uid, gid=seen.gid, umask=seen.umask, read_only=True)
    return mounting.peek(offer.device, kind, given)


def apply(home: Home, *, say: Say, must: str = "", leave: Collection[str] = ()) -> Converged:
    """Take the steps from what is mounted to what usenet.yaml wants. Call it under the lock.

    What fails for one drive is a finding, and the others go on; for the drive `must`, and for what is no drive's, it
    is raised. The drives `leave`, or the pool, are not mounted, though they could be.
    """
    mounting.tidy()
    shelf = observe(home)
    planned = converge(shelf.drives, shelf.seen)
    failed: dict[str, Finding] = {}
    for step in planned.steps:
        name = drive_of(step, shelf.seen)
        if name in failed or (name in leave and isinstance(step, MountDrive | BindDirectory)):
            continue
        say(step)
        try:
            _take(step, shelf)
        except UsenetError as failure:
            if name in ("", must):
                raise
            failed[name] = Finding(drive=name, what=failure.message, cure=failure.hint)
    settled = settling.settle(shelf, say=say, mount=POOL not in leave)
    return Converged((*planned.steps, *settled.steps), (*planned.findings, *failed.values(), *settled.findings))


def _walk(steps: Sequence[Step], shelf: Shelf, say: Say) -> None:
    for step in steps:
        say(step)
        _take(step, shelf)


def _take(step: Step, shelf: Shelf) -> None:
    match step:
        case Share(path=path):
            mounting.share(Path(path), shelf.seen.uid, shelf.seen.gid)
        case Guard(path=path):
            guards.guard(Path(path))
        case Mark():
            mounting.mark(step)
        case Unmark():
            mounting.unmark(step)
        case MountDrive():
            mounting.show_drive(step)
        case BindDirectory():
            mounting.show_directory(step)
        case Unmount(target=target):
            mounting.unmount(Path(target))
        case Detach(target=target):
            mounting.detach(Path(target))
        case Persist(lines=lines):
            fstab.write(shelf.seen.stack, lines)


def remove(home: Home, name: str, *, eject: bool = False, dry_run: bool = False, say: Say) -> Changed:
    """Take a drive out of the stack: unmounted first, then forgotten. Its mountpoint stays guarded.

    With `eject` a USB drive is powered down after that; a note says whether it could be.

    ValidationError: no such drive. SystemFailure names who holds a file open; nothing was changed then.
    """
    home.require()
    shelf = observe(home)
    if name not in shelf.drives:
        there = ", ".join(shelf.drives) or "none"
        raise ValidationError(f"there is no drive {name!r} in the stack", hint=f"there is: {there}")
    first, after = _leaving(shelf, name)
    rest = {n: d for n, d in shelf.drives.items() if n != name}
    if dry_run:
        others = (step for step in converge(rest, shelf.seen).steps if step not in first)
        return Changed(name=name, steps=(*membership.leaving(shelf, name), *first, *after, *others))
    with files.lock(home.path, f"storage remove {name}"):
        with membership.without(home, name, say=say):
            _walk(first, shelf, say)
            settings.together(home, {f"storage.drives.{name}": None, **membership.forgetting(home, name)})
        _walk(after, shelf, say)
        done = apply(home, say=say)
    notes = (_ejected(shelf.seen.offer(shelf.drives[name].uuid)),) if eject else ()
    return Changed(name=name, steps=(*first, *after, *done.steps), notes=notes, findings=done.findings)


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
    """What is done to a drive that is there, before it is forgotten and after."""
    held = shelf.seen.places[name].held
    if not (held and held.alive):
        return (), ()
    own = mark(name, shelf.drives[name], shelf.seen) if held.marker and not held.read_only else None
    return (Unmount(target=shelf.seen.target(name)),), (unmark(own),) if own else ()


def command_lines(steps: Sequence[Step]) -> list[list[str]]:
    """The commands that steps stand for."""
    return [list(one) for step in steps for one in commands(step)]
