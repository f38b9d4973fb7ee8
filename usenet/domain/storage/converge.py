"""From what is mounted to what usenet.yaml wants: the steps between, and what can't be mended by any.

Every verb that changes the drives writes usenet.yaml and then takes these steps, so that a run that was killed anywhere
is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from usenet.domain.storage import kinds
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.marker import Marker, text
from usenet.domain.storage.seen import Held, Place, Seen
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
)

Drives = Mapping[str, DriveSettings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A drive that is not as it should be, and what a person can do."""

    drive: str
    what: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Converged:
    """Steps in their order, and what stays wrong after them."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]


def converge(drives: Drives, seen: Seen) -> Converged:
    """The steps from `seen` to `drives`."""
    steps: list[Step] = []
    findings: list[Finding] = []
    if drives and not seen.shared:
        steps.append(Share(path=seen.data))
    for name, place in sorted(seen.places.items()):
        if name not in drives and place.held:
            steps.append(_release(seen.target(name), place.held))
    for name, drive in drives.items():
        place = seen.places.get(name, Place())
        away = _away(name, drive, seen)
        gone = _gone(drive, place, seen)
        if gone:
            steps.append(Detach(target=seen.target(name), because=gone))
        if not place.guarded and (gone or not place.held):
            steps.append(Guard(path=seen.target(name)))
        if away:
            findings.append(away)
        elif gone or not place.held:
            steps.append(_attach(name, drive, seen))
    lines = tuple(_lines(drives, seen))
    if lines != seen.lines:
        steps.append(Persist(lines=lines))
    return Converged(tuple(steps), tuple(findings))


def _release(target: str, held: Held) -> Step:
    return Unmount(target=target) if held.alive else Detach(target=target, because="it does not answer")


def _away(name: str, drive: DriveSettings, seen: Seen) -> Finding | None:
    """Why the drive can't be mounted now; None where it can."""
    if drive.path:
        there = drive.path in seen.directories
        return None if there else Finding(drive=name, what=f"{drive.path} is not there", cure=f"mount it: {drive.path}")
    twins = [one.device for one in seen.offers if one.uuid == drive.uuid]
    if not twins:
        return Finding(drive=name, what="it is not plugged in", cure="plug it in; it is mounted when it is there")
    if len(twins) > 1:
        return Finding(
            drive=name,
            what=f"{' and '.join(twins)} have the same UUID, and nobody can tell which one is meant",
            cure="take the copy away, or give it another UUID",
        )
    offer = seen.offer(drive.uuid)
    if offer and offer.why:
        return Finding(drive=name, what=f"{offer.device} {offer.why}")
    kind = offer.type if offer else drive.type
    if not kinds.driver(kind, seen.drivers):
        return Finding(drive=name, what=kinds.missing(kind))
    return None


def _gone(drive: DriveSettings, place: Place, seen: Seen) -> str:
    """Why what is mounted at a drive's place must go; empty where it is right or nothing is mounted."""
    held = place.held
    if held is None:
        return ""
    if drive.uuid:
        offer = seen.offer(drive.uuid)
        if offer is None or offer.device != held.source:
            return "the drive is gone" if offer is None else f"the drive is {offer.device} now"
    if not held.alive:
        return "it does not answer"
    marker = held.marker
    if marker and (marker.stack, marker.uuid) != (seen.stack, drive.uuid):
        return "its marker is another drive's"
    return ""


def mark(name: str, drive: DriveSettings, seen: Seen) -> Mark | None:
    """The step that makes a drive this stack's; None for one that nothing is written to, or that is away."""
    marker = _marker(name, drive, seen)
    offer = seen.offer(drive.uuid)
    if not marker or not (offer or drive.path):
        return None
    source = seen.elsewhere(offer) if offer else drive.path
    if offer is None or source:
        return Mark(name=name, source=source, type="", options=(), marker=marker)
    kind = kinds.driver(offer.type, seen.drivers)
    return Mark(
        name=name, source=offer.device, type=kind, options=_options(drive, offer.type, kind, seen), marker=marker
    )


def unmark(step: Mark) -> Unmark:
    """What undoes a mark."""
    return Unmark(name=step.name, source=step.source, type=step.type, options=step.options)


def _marker(name: str, drive: DriveSettings, seen: Seen) -> str:
    return "" if drive.read_only else text(Marker(stack=seen.stack, name=name, uuid=drive.uuid))


def _attach(name: str, drive: DriveSettings, seen: Seen) -> Step:
    target, marker = seen.target(name), _marker(name, drive, seen)
    offer = seen.offer(drive.uuid)
    source = seen.elsewhere(offer) if offer else drive.path
    if offer is None or source:
        return BindDirectory(name=name, source=source, target=target, read_only=drive.read_only, marker=marker)
    kind = kinds.driver(offer.type, seen.drivers)
    options = _options(drive, offer.type, kind, seen)
    return MountDrive(name=name, device=offer.device, type=kind, options=options, target=target, marker=marker)


def _options(drive: DriveSettings, type_: str, kind: str, seen: Seen) -> tuple[str, ...]:
    return kinds.options(
        type_, kind, uid=seen.uid, gid=seen.gid, umask=seen.umask, read_only=drive.read_only or type_ == "hfsplus"
    )


def _lines(drives: Drives, seen: Seen) -> Iterator[str]:
    """One line of fstab for each drive, present or not; `nofail`, so that no drive stops a machine from starting."""
    root = escaped(seen.data)
    share = f"{root} {root} none rbind,rshared,nofail 0 0"
    if drives and (not seen.shared or seen.bound or share in seen.lines):
        yield share
    for name, drive in drives.items():
        target = escaped(seen.target(name))
        if drive.path:
            mode = ["ro"] if drive.read_only else []
            options = ["bind", *mode, "nofail", f"x-systemd.requires-mounts-for={escaped(drive.path)}"]
            yield f"{escaped(drive.path)} {target} none {','.join(options)} 0 0"
            continue
        kind = kinds.driver(drive.type, seen.drivers) or drive.type
        options = [*_options(drive, drive.type, kind, seen), "nofail", "x-systemd.device-timeout=5s"]
        yield f"UUID={drive.uuid} {target} {kind} {','.join(options)} 0 0"


def escaped(path: str) -> str:
    """A path as fstab writes it."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\#" else c for c in path)
