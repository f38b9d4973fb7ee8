"""What can be wrong with the storage of a stack, in words, and the repairs that are ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import commonpath

from usenet.domain.storage.converge import Converged, Finding, drive_of, unsure
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.seen import Place, Seen
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Guard,
    MountDrive,
    MountPool,
    Persist,
    SetPool,
    Share,
    Step,
    Unmount,
)

FIX = "usenet storage check --fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong. `about`: a drive, a service or a path."""

    about: str
    what: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A directory as it is."""

    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """Give one directory, and nothing in it, to the user of the stack."""

    path: str
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnBelow:
    """Give the `entries` files and directories below `path` that the user of the stack can't write to, to that user."""

    path: str
    uid: int
    gid: int
    entries: int


Repair = Own | OwnBelow


def describe(repair: Repair) -> str:
    """One line for a person."""
    match repair:
        case Own(path=path, uid=uid, gid=gid, mode=mode):
            return f"give {path}, not what is in it, to {uid}:{gid} with mode {mode:04o}"
        case OwnBelow(path=path, uid=uid, gid=gid, entries=entries):
            return f"give {entries} files and directories below {path} to {uid}:{gid}"


def of_steps(found: Converged, seen: Seen) -> Iterator[Problem]:
    """What is wrong where steps would have to be taken, and what none of them can mend."""
    for step in found.steps:
        if what := _wrong(step, seen):
            yield Problem(about=drive_of(step, seen) or seen.data, what=what, cure=FIX)
    yield from of_findings(found.findings)


def of_findings(found: Iterable[Finding]) -> Iterator[Problem]:
    """What no step mends."""
    return (Problem(about=one.drive, what=one.what, cure=one.cure) for one in found)


def _wrong(step: Step, seen: Seen) -> str:  # noqa: PLR0911 - one for each step
    match step:
        case Share():
            return "it is a private mount: what is mounted below it later does not appear in containers"
        case Guard(path=path):
            held = seen.places.get(path.rpartition("/")[2])
            return "" if held and held.held else "its empty mountpoint is not guarded: services would write into it"
        case MountDrive() | BindDirectory():
            return "it is there and not mounted"
        case MountPool():
            return "it is not mounted"
        case SetPool():
            return "it consists of other drives, or puts new files elsewhere, than usenet.yaml says"
        case Unmount():
            return "it is mounted otherwise than usenet.yaml says"
        case Detach(because=because):
            return because
        case Persist():
            return (
                "/etc/fstab has other mounts of this stack than usenet.yaml: after a start of the machine they differ"
            )
        case _:
            return ""


def of_markers(drives: Mapping[str, DriveSettings], seen: Seen) -> Iterator[Problem]:
    """Drives that are mounted without a marker, where converging lets them be."""
    for name, drive in drives.items():
        held = seen.places.get(name, Place()).held
        if held is None or held.marker or not held.alive or unsure(drive, held, seen):
            continue
        if drive.uuid and not drive.read_only:
            again = f"if it is the right drive: usenet storage add {drive.uuid} --name {name}"
            yield Problem(about=name, what="it has no marker: it was emptied, or is a copy", cure=again)


def of_mounts(silent: Mapping[str, str]) -> Iterator[Problem]:
    """Mounts below the data root, of nobody's drives, whose device is gone or which don't answer: target → why."""
    for target, why in silent.items():
        cure = f"take it away: sudo umount -l {target}"
        yield Problem(about=target, what=f"what is mounted there {why}", cure=cure)


def of_directories(
    found: Mapping[str, Entry | None], *, uid: int, gid: int, umask: str
) -> tuple[tuple[Problem, ...], tuple[Own, ...]]:
    """Directories of the data tree with a wrong owner or mode, or missing (None); and what gives them the right one."""
    least = 0o2750 if int(umask, 8) & 0o020 else 0o2770
    problems, repairs = [], []
    if missing := [path for path, entry in found.items() if entry is None]:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        what = f"directories are missing: {', '.join(missing[:3])}{more}"
        problems.append(Problem(about=commonpath(missing), what=what, cure="usenet storage layout"))
    for path, entry in found.items():
        if entry and (wrong := _owned(entry, uid, gid, least)):
            problems.append(Problem(about=path, what=wrong, cure=FIX))
            repairs.append(Own(path=path, uid=uid, gid=gid, mode=entry.mode | least))
    return tuple(problems), tuple(repairs)


def _owned(entry: Entry, uid: int, gid: int, least: int) -> str:
    if (entry.uid, entry.gid) != (uid, gid):
        return f"it belongs to {entry.uid}:{entry.gid}, the services run as {uid}:{gid}"
    if entry.mode & least != least:
        return f"its mode is {entry.mode:04o}: the services need at least {least:04o}"
    return ""
