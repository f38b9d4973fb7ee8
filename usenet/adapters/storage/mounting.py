"""Mounts made and taken away. Each function can be called again without harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from usenet.adapters import files, refusals, shell
from usenet.adapters.storage import guards, holders, markers, tree
from usenet.domain.errors import SystemFailure, ValidationError
from usenet.domain.storage import kinds
from usenet.domain.storage.marker import Marker, read
from usenet.domain.storage.steps import BindDirectory, Give, Mark, MountDrive, Unmark

# On a tmpfs: nothing is left of it after a crash of the machine.
HIDDEN = Path("/run/usenet/mounts")
PATIENCE = 60.0


def share(path: Path, uid: int, gid: int) -> None:
    """Make `path` a shared mount of its own, with what is mounted below it; the directory too where it is missing."""
    files.make_directory(path, uid, gid, 0o2775)
    if not holds(path):
        _mount("--rbind", str(path), str(path))
    _mount("--make-rshared", str(path))


def mark(step: Mark) -> None:
    """Write the marker, out of sight. SystemFailure when the drive is full, read-only or dead."""
    with _opened(step) as place:
        markers.write(place, step.marker)


def unmark(step: Unmark) -> None:
    """Take the marker away, out of sight; one that is another's stays: the drive is another, or another stack's now."""
    with _opened(step) as place:
        there, alive = markers.look(place)
        wanted = read(step.marker)
        if not alive or (there and wanted and there.whose == wanted.whose):
            markers.remove(place)


def give(step: Give) -> None:
    """Give the top directory to the services, out of sight, if it is still as it was made; else leave it."""
    with _opened(step) as place:
        if tree.fresh(str(place)):
            tree.own(str(place), step.uid, step.gid, step.mode, data=str(place))


@contextmanager
def _opened(step: Mark | Give | Unmark) -> Iterator[Path]:
    with _hidden(step.name) as place:
        if step.type:
            _mount("-t", step.type, "-o", ",".join(step.options), step.source, str(place))
        else:
            _mount("--bind", step.source, str(place))
        yield place


def show_drive(step: MountDrive) -> None:
    """Mount a drive out of sight, and show it at its place only if its marker is right; see MountDrive.

    ValidationError: it bears another's marker, or none where there should be one. SystemFailure: mount's own words.
    """
    with _hidden(step.name) as place:
        _mount("-t", step.type, "-o", ",".join(step.options), step.device, str(place))
        _check(place, step)
        _show(place, Path(step.target), read_only="ro" in step.options)


def show_directory(step: BindDirectory) -> None:
    """Show a directory of this machine at a drive's place as well; otherwise as `show_drive`."""
    with _hidden(step.name) as place:
        _show(Path(step.source), place, read_only=step.read_only)
        _check(place, step)
        _show(place, Path(step.target), read_only=step.read_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is on a drive: its marker, and whether it is `fresh`, with nothing else in it and root's."""

    marker: Marker | None = None
    fresh: bool = False


def found(root: Path) -> Found:
    """What is on the drive that is mounted at `root`. SystemFailure: it does not answer, and may be anybody's."""
    marker, alive = markers.look(root, PATIENCE)
    if not alive:
        raise SystemFailure(f"{root} can't be read", hint="look at: dmesg | tail")
    return Found(marker=marker, fresh=tree.fresh(str(root)))


def peek(device: str, kind: str, options: tuple[str, ...]) -> Found:
    """What is on a drive that is not mounted, without a write to it; for a plain user nothing, root looks again.

    SystemFailure: mount's own words.
    """
    if os.geteuid() != 0:
        return Found()
    shown = device in guards.mounted().values()
    unwritten = kinds.unwritten(kind)
    plain = tuple(one for one in options if one not in ("ro", "rw", *unwritten))
    quiet = (*(() if shown else unwritten), *plain)
    with _hidden(f"peek-{Path(device).name}") as place:
        try:
            _mount("-t", kind, "-o", ",".join(("ro", *quiet)), device, str(place))
        except SystemFailure:
            if not shown:
                raise
            # A part of it is mounted, and all mounts of a filesystem are either read-only or not.
            _mount("-t", kind, "-o", ",".join(("rw", *plain)), device, str(place))
        return found(place)


def _check(place: Path, step: MountDrive | BindDirectory) -> None:
    there, alive = markers.look(place)
    wanted = read(step.marker)
    if not alive:
        raise SystemFailure(f"{step.name} was mounted and can't be read", hint="look at: dmesg | tail")
    if wanted is None:
        return
    again = f"usenet storage add … --name {step.name}"
    if there is None:
        raise ValidationError(
            f"{step.name} has no marker: it was emptied, or is another drive with the same UUID",
            hint=f"look at it; if it is the right one: {again}",
        )
    if there.whose != wanted.whose:
        raise ValidationError(
            f"the marker on {step.name} is another stack's or another drive's ({there.name})",
            hint=f"if it is yours now, take it over: {again} --adopt",
        )


def _show(source: Path, target: Path, *, read_only: bool) -> None:
    if holds(target):
        return
    _mount("--bind", str(source), str(target))
    if read_only:
        _mount("-o", "remount,bind,ro", str(target))


def holds(target: Path) -> bool:
    """Whether something other than a guard is mounted on `target`."""
    return guards.uppermost(target) not in ("", guards.SOURCE)


def unmount(target: Path) -> None:
    """Write everything out, then unmount. SystemFailure names who holds a file open on it; nothing was done then."""
    if not holds(target):
        return
    shell.checked(("sync", "--file-system", str(target)), timeout=PATIENCE * 10)
    done = shell.run(("umount", str(target)), timeout=PATIENCE)
    if not done.ok:
        who = holders.of(target)
        raise SystemFailure(
            f"{target} is in use" + (f" by {', '.join(map(str, who))}" if who else f": {done.err.strip()}"),
            hint="stop what uses it, then try again; nothing was unmounted",
        )


def detach(target: Path) -> None:
    """Take the mount away at once, though files on it may be open."""
    while holds(target):
        shell.checked(("umount", "--lazy", str(target)), timeout=PATIENCE)


def tidy() -> None:
    """Take away what runs that were killed left out of sight."""
    for place in HIDDEN.iterdir() if HIDDEN.is_dir() and os.geteuid() == 0 else ():
        if not Path("/proc", place.name.rpartition(".")[2]).is_dir():
            _remove(place)


@contextmanager
def _hidden(name: str) -> Iterator[Path]:
    """A private directory to mount on; what is mounted there goes at the end, and what a killed run left goes first."""
    tidy()
    place = HIDDEN / f"{name}.{os.getpid()}"  # two stacks may give two drives one name
    with refusals.in_words(place, 0):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield place
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    _clear(place)
    with suppress(OSError):
        place.rmdir()


def _clear(place: Path) -> None:
    """Unmount all of it. Another run may tidy the same place at this moment: then it is away, and all is well."""
    while holds(place):
        if shell.run(("umount", str(place)), timeout=PATIENCE).ok:
            continue
        try:
            shell.checked(("umount", "--lazy", str(place)), timeout=PATIENCE)
        except SystemFailure:
            if holds(place):
                raise


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        raise SystemFailure("only root can mount", hint="run it with sudo")
    done = shell.run(("mount", *arguments), timeout=PATIENCE)
    if not done.ok:
        why = (done.err.strip() or f"mount ended with code {done.code}").splitlines()[0]
        raise SystemFailure(why.removeprefix("mount: "), hint="look at: dmesg | tail")
