"""Which drive a person means, what it is to be called, and whether it may join the stack."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from posixpath import basename
from unicodedata import category, normalize

from usenet.domain import mounts
from usenet.domain.errors import ValidationError
from usenet.domain.host import Filesystem, Host
from usenet.domain.storage import kinds
from usenet.domain.storage.intent import DRIVE_NAME, POOL, DriveSettings, Role, of_the_machine
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Seen


def find(word: str, offers: Sequence[Offer]) -> Offer | None:
    """The one filesystem that a device, UUID, label or mountpoint names; None for another path.

    ValidationError where it names none, more than one, or one that can't be used.
    """
    wanted = word.rstrip("/") or word
    found = next((hits for rank in range(4) if (hits := [o for o in offers if wanted in _names(o)[rank]])), [])
    usable = [one for one in found if not one.why]
    if len(usable) == 1:
        return usable[0]
    if len(usable) > 1:
        devices = " and ".join(one.device for one in usable)
        raise ValidationError(f"{word!r} can be {devices}", hint="name one by its device or its UUID")
    if found:
        raise ValidationError(
            f"{found[0].device} can't be used: it {found[0].why}", hint="see: usenet storage list --all"
        )
    if ("/" in word or word in (".", "..")) and not word.startswith("/dev/"):
        return None
    known = {name.lower(): name for one in offers for names in _names(one) for name in names}
    near = [known[one] for one in get_close_matches(word.lower(), known, n=2)]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValidationError(f"there is no drive {word!r}", hint=f"{meant}see all with: usenet storage list --all")


def _names(offer: Offer) -> tuple[set[str], ...]:
    """What a filesystem may be called, the surest first: a label can be any other's device or UUID."""
    mounted = {mount.target for mount in offer.filesystem.mounts} if offer.filesystem else set()
    return {*offer.devices}, {offer.uuid} - {""}, mounted, {offer.label, *map(basename, offer.devices)} - {""}


def absent(called: str, drives: Collection[str]) -> ValidationError:
    """The failure where the stack has no drive of that name."""
    hint = f"there is: {', '.join(drives)}" if drives else "no drive is in the stack; see: usenet storage list"
    return ValidationError(f"there is no drive {called!r} in the stack", hint=hint)


def name(wished: str, proposals: Sequence[str], taken: Collection[str]) -> str:
    """The name of a new drive: the one wished for, or the first proposal made to fit and unlike the others."""
    if wished:
        if not re.fullmatch(DRIVE_NAME, wished):
            raise ValidationError(
                f"a drive can't be called {wished!r}",
                hint="use small letters, digits and -, at most 32 of them, such as films-2",
            )
        if wished == POOL:
            raise ValidationError(f"no drive can be called {POOL}", hint=f"{POOL} is where drives are seen as one")
        return wished
    proposal = next((slug for one in proposals if (slug := _slug(one))), "drive")
    numbered = (proposal, *(f"{proposal[:28]}-{n}" for n in range(2, 1000)))
    return next(one for one in numbered if one not in (*taken, POOL))


def short(uuid: str) -> str:
    """As much of a UUID as a person reads; that of a FAT is short."""
    return uuid if len(uuid) < 10 else uuid[:8]


def _slug(text: str) -> str:
    plain = "".join(c for c in normalize("NFKD", text.casefold()) if not category(c).startswith("M"))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-")


def joined(drives: Mapping[str, DriveSettings], called: str, new: DriveSettings) -> bool:
    """Whether the drive is in the stack already, as it is asked for.

    ValidationError where its name, or the drive under another name, is.
    """
    if old := drives.get(called):
        if (old.uuid, old.path) != (new.uuid, new.path):
            raise ValidationError(
                f"{called} is another drive of this stack already", hint="give this one another name with --name"
            )
        return old == new
    for other, one in drives.items():
        if (one.uuid, one.path) == (new.uuid, new.path):
            raise ValidationError(f"this drive is in the stack already, as {other}", hint=f"use it: {other}")
    return False


def choices(
    old: DriveSettings | None, role: Role | None, needed: bool | None, read_only: bool | None
) -> tuple[Role, bool, bool]:
    """What of a drive is a person's to say: as given; else as usenet.yaml has it; else media, needed, written to."""
    return (
        role or (old.role if old else "media"),
        needed if needed is not None else old is None or old.needed,
        read_only if read_only is not None else old is not None and old.read_only,
    )


def settings(offer: Offer, role: Role, *, read_only: bool, needed: bool = True) -> DriveSettings:
    """What usenet.yaml keeps of a drive."""
    ro, serial = read_only or offer.drive.read_only or not kinds.written(offer.type), offer.drive.serial
    return DriveSettings(uuid=offer.uuid, serial=serial, type=offer.type, role=role, needed=needed, read_only=ro)


def check_directory(
    path: str, seen: Seen, home: str, drives: Mapping[str, DriveSettings], held: Filesystem | None
) -> None:
    """ValidationError where a directory can't stand for a drive: it overlaps the stack, or another drive of it."""
    others = {seen.data: "the data root", home: "the stack directory"}
    others |= {one.path: f"the drive {called}" for called, one in drives.items() if one.path and one.path != path}
    if any(category(c) in ("Cc", "Cs", "Zl", "Zp") for c in path):
        raise ValidationError(f"{path!r} can't be written into fstab", hint="give it a name without line breaks")
    if of_the_machine(path):
        raise ValidationError(f"{path} belongs to the machine itself", hint="name a directory on the drive")
    for other, what in others.items():
        if _overlap(path, other):
            raise ValidationError(
                f"{path} and {what} {other} overlap", hint="name a directory that neither holds it nor lies in it"
            )
    for called, one in drives.items():
        if held and held.uuid and held.uuid == one.uuid:
            raise ValidationError(f"{path} lies on the drive {called} of this stack", hint=f"use it: {called}")
    if held is None:
        raise ValidationError(f"nobody could see on which filesystem {path} lies", hint="look at: findmnt -T " + path)


def check_drive(offer: Offer, host: Host, drives: Mapping[str, DriveSettings]) -> None:
    """ValidationError where a directory of the drive is in the stack already: its files would be there twice."""
    for called, one in drives.items():
        held = mounts.holding(host, one.path) if one.path else None
        if held and held[0].uuid == offer.uuid:
            raise ValidationError(
                f"{one.path} on this drive is in the stack already, as {called}",
                hint=f"remove that first: usenet storage remove {called}",
            )


def _overlap(one: str, other: str) -> bool:
    a, b = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return a.startswith(b) or b.startswith(a)


def check_marker(marker: Marker | None, stack: str, called: str, *, adopt: bool) -> None:
    """ValidationError where the drive belongs to another stack and nobody said to take it over."""
    if marker and marker.stack != stack and not adopt:
        raise ValidationError(
            f"this drive belongs to another stack, as {marker.name}",
            hint=f"remove it there first, or take it over: usenet storage add … --name {called} --adopt",
        )


_LATER = "/etc/fstab does not mount what {} lies on: after a start of the machine the agent shows it, or services up"


def notes(new: DriveSettings, seen: Seen, readers: Sequence[str]) -> tuple[str, ...]:
    """What a person should know before: who will see it, and what the filesystem costs."""
    who = ", ".join(readers) or "no service that is on"
    wrong = () if seen.shared else ("containers that run now see it after: usenet services up",)
    stays = not new.path or replace(seen, directories=seen.directories | {new.path}).stays(new.path)
    later = () if stays else (_LATER.format(new.path),)
    return (f"seen by: {who}", *wrong, *later, *kinds.costs(new.type))
