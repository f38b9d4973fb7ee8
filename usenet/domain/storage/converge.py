"""From what is mounted to what usenet.yaml wants: the steps between, and what can't be mended by any.

Every verb that changes the drives writes usenet.yaml and then takes these steps, so that a run that was killed anywhere
is finished by the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from usenet.domain.storage import kinds
from usenet.domain.storage.intent import POOL, DriveSettings
from usenet.domain.storage.lines import Drives, escaped, is_pool, lines_of, options_of
from usenet.domain.storage.marker import Marker, text
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Give,
    Guard,
    Mark,
    MountDrive,
    Persist,
    Share,
    Step,
    Unmark,
    Unmount,
)

_OPEN = 0o2775  # as the directories of the data tree


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
        if name in drives or name == POOL or not place.held:
            continue
        if _left(name, place.held, seen):
            steps += _release(seen.target(name), place.held)
        else:
            findings.append(_strange(name, place.held, seen))
    for name, drive in drives.items():
        needed, wrong = _one(name, drive, seen)
        steps += needed
        findings += wrong
    lines = (*lines_of(drives, seen), *(line for line in seen.lines if is_pool(line)))
    if lines != seen.lines:
        steps.append(Persist(lines=lines))
    return Converged(tuple(steps), tuple(findings))


def drive_of(step: Step, seen: Seen) -> str:
    """The name of the drive that a step is about; empty for one that is about all of them."""
    path = getattr(step, "target", "") or getattr(step, "path", "")
    root = f"{seen.data}/drives/"
    return path.removeprefix(root) if path.startswith(root) else ""


def _left(name: str, held: Held, seen: Seen) -> bool:
    """Whether what is mounted at the place of no drive was a drive of this stack: its marker says so, or our lines."""
    if held.marker:
        return held.marker.stack == seen.stack
    target = escaped(seen.target(name))
    return any(line.split(" ")[1:2] == [target] for line in seen.lines)


def _strange(name: str, held: Held, seen: Seen) -> Finding:
    whose = "another stack's" if held.marker else "no drive of this stack"
    there = seen.target(name)
    cure = f"if it may go: sudo umount {there}; a directory that is mounted elsewhere can be added to the stack"
    return Finding(drive=name, what=f"at {there} is {whose}", cure=f"look at: findmnt {there}" if held.marker else cure)


def _release(target: str, held: Held) -> Iterator[Step]:
    yield Unmount(target=target) if held.alive else Detach(target=target, because="it does not answer")
    yield Guard(path=target)


def _one(name: str, drive: DriveSettings, seen: Seen) -> tuple[list[Step], list[Finding]]:
    place, target = seen.places.get(name, Place()), seen.target(name)
    held = place.held
    away = _away(name, drive, seen)
    gone = _gone(drive, held, seen) if held else ""
    steps: list[Step] = []
    findings = [away] if away else []
    if gone:
        steps.append(Detach(target=target, because=gone))
    elif held and drive.read_only and not held.read_only and not away:
        steps.append(Unmount(target=target))
    elif held:
        if why := unsure(drive, held, seen):
            return [], [Finding(drive=name, what=why, cure="look again in a while, or as root")]
        if drive.uuid and seen.unread(held):
            findings = []  # its marker says that it is the one
        if held.read_only and not drive.read_only:
            findings.append(Finding(drive=name, what="nothing can be written to it now", cure="look at: dmesg | tail"))
        return [], findings
    if steps or not place.guarded:
        steps.append(Guard(path=target))
    if not away:
        steps.append(_attach(name, drive, seen))
    return steps, findings


def _away(name: str, drive: DriveSettings, seen: Seen) -> Finding | None:
    """Why the drive can't be mounted now; None where it can."""
    if not drive.path:
        return _not_one(name, drive, seen)
    if drive.path in seen.silent:
        return Finding(drive=name, what=f"{drive.path} has not answered yet", cure="look again in a while")
    there = drive.path in seen.directories
    return None if there else Finding(drive=name, what=f"{drive.path} is not there", cure=f"mount it: {drive.path}")


def _not_one(name: str, drive: DriveSettings, seen: Seen) -> Finding | None:
    """Why no filesystem, or more than one, is the drive that is meant, or the one can't be mounted."""
    twins = seen.twins(drive.uuid)
    if not twins and seen.blind:
        return Finding(drive=name, what="only root can see whether it is plugged in", cure="look as root")
    if not twins:
        return Finding(drive=name, what="it is not plugged in", cure="plug it in; it is mounted when it is there")
    if len(twins) > 1:
        return Finding(
            drive=name,
            what=f"{' and '.join(one.device for one in twins)} have the same UUID: which is meant, nobody can tell",
            cure="take the copy away, or give it another UUID",
        )
    offer = twins[0]
    if offer.why:
        return Finding(drive=name, what=f"{offer.device} {offer.why}")
    if not kinds.driver(offer.type, seen.drivers):
        return Finding(drive=name, what=kinds.missing(offer.type))
    return None


def unsure(drive: DriveSettings, held: Held, seen: Seen) -> str:
    """Why nobody can tell whether what is mounted at a drive's place is right; empty where one can."""
    unread = drive.uuid and not held.marker and not seen.twins(drive.uuid) and seen.unread(held)
    return held.unsure or ("only root can see which drive it is" if unread else "")


def _gone(drive: DriveSettings, held: Held, seen: Seen) -> str:
    """Why what is mounted at a drive's place must go; empty where it is right, or nobody can tell."""
    if drive.uuid and (changed := _moved(drive, held, seen)):
        return changed
    if not held.alive or unsure(drive, held, seen):
        return "" if held.alive else "it does not answer"
    if drive.uuid and held.part and drive.type != "btrfs":  # whose default may be a subvolume
        return "it is a directory of the drive, not all of it"
    if drive.read_only or not seen.stack:  # the one bears no marker that must be ours; the other knows of none
        return ""
    if held.marker is None:
        # Somebody may have deleted it. That the drive is the one, only its serial tells then, where it has one.
        mounted = (one.drive for one in seen.twins(drive.uuid) if held.source in one.devices)
        same = drive.serial and any(one.serial == drive.serial for one in mounted)
        return "" if same else "it has no marker"
    return "its marker is another drive's" if held.marker.whose != (seen.stack, drive.uuid) else ""


def _moved(drive: DriveSettings, held: Held, seen: Seen) -> str:
    twins = seen.twins(drive.uuid)
    if not twins:
        return "" if seen.unread(held) else "the drive is gone"
    mounted = next((one for one in twins if held.source in one.devices), None)
    if mounted is None:
        return f"the drive is {twins[0].device} now"
    right = [one for one in twins if drive.serial and one.drive.serial == drive.serial]
    # A copy that is plugged in beside the drive does no harm; one that was there first at boot does.
    return f"it is a copy: the drive is {right[0].device}" if right and mounted not in right else ""


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
        name=name, source=offer.device, type=kind, options=options_of(drive, offer.type, kind, seen), marker=marker
    )


def give(name: str, drive: DriveSettings, seen: Seen) -> Give | None:
    """The step that lets services write to an empty drive; None where files have no owner, or nothing is written."""
    if not (drive.uuid and seen.uid and kinds.owners(drive.type)) or not (like := mark(name, drive, seen)):
        return None
    source, kind, options = like.source, like.type, like.options
    return Give(name=name, source=source, type=kind, options=options, uid=seen.uid, gid=seen.gid, mode=_OPEN)


def unmark(step: Mark) -> Unmark:
    """What undoes a mark."""
    return Unmark(name=step.name, source=step.source, type=step.type, options=step.options, marker=step.marker)


def _marker(name: str, drive: DriveSettings, seen: Seen) -> str:
    return "" if drive.read_only else text(Marker(stack=seen.stack, name=name, uuid=drive.uuid))


def _attach(name: str, drive: DriveSettings, seen: Seen) -> Step:
    target, marker = seen.target(name), _marker(name, drive, seen)
    offer = seen.offer(drive.uuid)
    source = seen.elsewhere(offer) if offer else drive.path
    if offer is None or source:
        return BindDirectory(name=name, source=source, target=target, read_only=drive.read_only, marker=marker)
    kind = kinds.driver(offer.type, seen.drivers)
    options = options_of(drive, offer.type, kind, seen)
    return MountDrive(name=name, device=offer.device, type=kind, options=options, target=target, marker=marker)
