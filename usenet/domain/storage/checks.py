"""What can be wrong with the storage of a stack, in words, and the repairs that are ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import commonpath

from usenet.domain.storage import kinds
from usenet.domain.storage.converge import Converged, drive_of
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.seen import Seen
from usenet.domain.storage.steps import BindDirectory, Detach, Guard, MountDrive, Persist, Share, Step, Unmount

FIX = "usenet storage check --fix"
_PASSED_ON = frozenset({"rslave", "slave", "rshared", "shared"})
DOWNLOADS = ("torrents", "usenet/complete")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideBind:
    """One bind of a running container."""

    source: str
    target: str
    writable: bool
    propagation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A directory of downloads and one of media inside a container, between which a file should be linked."""

    source: str
    target: str


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
    for one in found.findings:
        yield Problem(about=one.drive, what=one.what, cure=one.cure)


def _wrong(step: Step, seen: Seen) -> str:  # noqa: PLR0911 - one for each step
    match step:
        case Share():
            return "it is a private mount: what is mounted below it later does not appear in containers"
        case Guard(path=path):
            held = seen.places.get(path.rpartition("/")[2])
            return "" if held and held.held else "its empty mountpoint is not guarded: services would write into it"
        case MountDrive() | BindDirectory():
            return "it is there and not mounted"
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
        place = seen.places.get(name)
        if drive.uuid and not drive.read_only and place and place.held and place.held.alive and not place.held.marker:
            again = f"if it is the right drive: usenet storage add {drive.uuid} --name {name}"
            yield Problem(about=name, what="it has no marker: it was emptied, or is a copy", cure=again)


def of_binds(service: str, binds: Iterable[InsideBind], drives: str) -> Iterator[Problem]:
    """Binds in which drives don't appear that are mounted later. `drives`: <data>/drives."""
    for bind in binds:
        if within(drives, bind.source) and bind.propagation not in _PASSED_ON:
            yield Problem(
                about=service,
                what=f"drives that are mounted later do not appear in its {bind.target} "
                f"(propagation {bind.propagation or 'private'})",
                cure=f"usenet services up {service}",
            )


def unseen(
    service: str, binds: Sequence[InsideBind], inside: Mapping[str, str], mounted: Mapping[str, str]
) -> Iterator[Problem]:
    """Drives that are mounted on the machine and not, or as something else, in a container.

    `inside`: mountpoint → device there; `mounted`: mountpoint on the machine → device.
    """
    for target, device in mounted.items():
        bind = _covering(binds, target, by_source=True)
        if bind is None:
            continue
        there = bind.target.rstrip("/") + target[len(bind.source.rstrip("/")) :]
        if inside.get(there) != device:
            what = "an earlier drive" if there in inside else "an empty directory"
            cure = f"usenet services restart {service}"
            yield Problem(about=service, what=f"{there} is {what} there: it runs since before the mount", cure=cure)


def pairs(binds: Sequence[InsideBind], bases: Iterable[str]) -> tuple[Pair, ...]:
    """What is to be linked in a container that may write both sides. `bases`: roots of data trees inside, as /data."""
    both = (Pair(source=f"{base}/{down}", target=f"{base}/media") for base in bases for down in DOWNLOADS)
    return tuple(one for one in both if _writes(binds, one.source) and _writes(binds, one.target))


def _writes(binds: Sequence[InsideBind], path: str) -> bool:
    bind = _covering(binds, path)
    return bind is not None and bind.writable


def _covering(binds: Sequence[InsideBind], path: str, *, by_source: bool = False) -> InsideBind | None:
    def root(bind: InsideBind) -> str:
        return bind.source if by_source else bind.target

    return max((b for b in binds if within(path, root(b))), key=lambda b: len(root(b)), default=None)


def of_link(
    service: str, pair: Pair, said: str, binds: Sequence[InsideBind], holding: Mapping[str, str]
) -> Problem | None:
    """Why no file can be linked between the two; None where it can. `holding`: mountpoint → what, on the machine."""
    if not said:
        return None
    if "ross-device" not in said:
        return Problem(
            about=service,
            what=f"it can't link a file of {pair.source} into {pair.target}: {said}",
            cure=f"look at both: docker exec {service} ls -ld {pair.source} {pair.target}",
        )
    why, cure = _apart(service, pair, binds, holding)
    what = f"a file of {pair.source} can't be linked into {pair.target}, imports are copies: {why}"
    return Problem(about=service, what=what, cure=cure)


def _apart(service: str, pair: Pair, binds: Sequence[InsideBind], holding: Mapping[str, str]) -> tuple[str, str]:
    one, other = _covering(binds, pair.source), _covering(binds, pair.target)
    if one is None or other is None or one != other:
        return "they are two mounts inside", f"give {service} one mount of the whole data root"
    left, right = (_holder(one.source + path[len(one.target) :], holding) for path in (pair.source, pair.target))
    if left != right:
        return f"one is on {left}, the other on {right}", "put both below one mount of this machine"
    return "the filesystem can't, or keeps each file where its directory is", "see: usenet storage status"


def _holder(path: str, holding: Mapping[str, str]) -> str:
    target = max((one for one in holding if within(path, one)), key=len, default="/")
    return f"{holding.get(target, '')} ({target})".strip()


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


def keeps_owners(type_: str) -> bool:
    """Whether files on a filesystem of this type have an owner each."""
    return not any("owners" in cost for cost in kinds.costs(type_))


def within(path: str, root: str) -> bool:
    """Whether `path` is `root` or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")
