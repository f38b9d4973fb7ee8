"""What is there now of the stack's drives."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from usenet.adapters import files, shell
from usenet.adapters.home import Home
from usenet.adapters.mounts import Mounted
from usenet.adapters.storage import guards, markers
from usenet.domain.errors import SystemFailure
from usenet.domain.storage.seen import Held, Place

# A drive that slept may need half as long to spin up; one that says nothing for so long is dead.
PATIENCE = 30.0
_SYSFS = Path("/sys/dev/block")
_HELPERS = ("exfat-fuse", "ntfs-3g", "ntfs")


def stack_id(home: Home) -> str:
    """The identity of this stack directory, which its drives bear; empty before the first drive was added."""
    try:
        return (home.state / "stack-id").read_text().strip()
    except FileNotFoundError:
        return ""


def make_stack_id(home: Home) -> str:
    """The identity of this stack directory, made where there is none. Call it under the lock."""
    if not stack_id(home):
        files.write(home.state / "stack-id", secrets.token_hex(8) + "\n")
    return stack_id(home)


def drivers() -> frozenset[str]:
    """What `mount -t` understands here: filesystems of the kernel, loaded or not, and helpers."""
    known = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    release = Path("/proc/sys/kernel/osrelease").read_text().strip()
    modules = {path.name.split(".")[0] for path in Path("/lib/modules", release).glob("kernel/fs/*/*.ko*")}
    return frozenset(known | modules | {one for one in _HELPERS if shell.found(f"mount.{one}")})


def shared(data: Path, table: Sequence[Mounted]) -> bool:
    """Whether what is mounted below `data` later appears in containers: the mount that holds it is shared."""
    above = {str(data), *map(str, data.parents)}
    holding = max((len(row.mount.target) for row in table if row.mount.target in above), default=0)
    last = [row for row in table if row.mount.target in above and len(row.mount.target) == holding]
    return bool(last) and "shared" in last[-1].mount.propagation


def bound(data: Path, table: Sequence[Mounted]) -> bool:
    """Whether `data` is a mountpoint on the device that its parent is on: bound to itself, as `Share` does."""
    devices = {row.mount.target: row.device for row in table}
    parent = max((str(p) for p in data.parents if str(p) in devices), key=len, default="")
    return str(data) in devices and devices[str(data)] == devices.get(parent)


def parts() -> frozenset[str]:
    """Mountpoints at which not all of a filesystem is seen: a directory that was bound there, or a subvolume."""
    lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    uppermost = {guards.plain(row[4]): row[3] for row in (line.split(" ", 5) for line in lines)}
    return frozenset(target for target, root in uppermost.items() if root != "/")


def places(
    data: Path,
    names: Mapping[str, bool],
    table: Iterable[Mounted],
    parts: frozenset[str] = frozenset(),
    *,
    patience: float | None = None,
    wake: bool = True,
    dead: Collection[str] = (),
) -> dict[str, Place]:
    """What is at <data>/drives/NAME, for `names` and for whatever else is mounted there.

    `names`: name → whether it is a drive, whose device is asked for a block, or a directory. What gives no answer for
    PATIENCE seconds is dead. Without `wake` no device is asked that would have to spin up, and of what gives no answer
    within `patience` seconds nobody can tell. Those of `dead` are known to be dead, and not asked.
    """
    limit = PATIENCE if wake else patience or markers.PATIENCE
    root = data / "drives"
    there: dict[str, Mounted] = {}
    for row in table:  # the later lies over the earlier
        path = Path(row.mount.target)
        if path.parent == root and row.source != guards.SOURCE:
            there[path.name] = row

    def look(name: str) -> Place:
        on = there.get(name)
        if on is None:
            return Place(guarded=guards.guarded(root / name))
        part = on.mount.target in parts
        held = Held(source=on.source, read_only="ro" in on.mount.options, part=part)
        if name in dead:
            return Place(held=replace(held, alive=False))
        return Place(held=_asked(held, on, limit, device=names.get(name, False), wake=wake))

    everything = tuple(dict.fromkeys((*names, *there)))
    # At the same time: those that hang cost their time-out once.
    with ThreadPoolExecutor(max(len(everything), 1)) as pool:
        return dict(zip(everything, pool.map(look, everything), strict=True))


def device(word: str, known: Iterable[str]) -> str:
    """That of the `known` devices to which `word` is another way, such as /dev/disk/by-id/…; else `word`."""
    if not word.startswith("/dev/"):
        return word
    meant = Path(word).resolve()
    return next((one for one in known if Path(one).resolve() == meant), word)


def is_directory(path: str, patience: float | None = None) -> bool | None:
    """Whether there is such a directory; None where it does not answer, as that of a server that is gone."""
    try:
        return shell.run(("test", "-d", path), timeout=patience or markers.PATIENCE).ok
    except SystemFailure:
        return None


def directories(paths: Sequence[str], patience: float | None = None) -> tuple[frozenset[str], frozenset[str]]:
    """Those that are there, and those that don't answer; all asked at the same time."""
    with ThreadPoolExecutor(max(len(paths), 1)) as pool:
        answers = dict(zip(paths, pool.map(lambda path: is_directory(path, patience), paths), strict=True))
    return frozenset(p for p, here in answers.items() if here), frozenset(p for p in paths if answers[p] is None)


def _asked(held: Held, row: Mounted, patience: float, *, device: bool, wake: bool) -> Held:
    if device and _is_another(row):
        return replace(held, alive=False)
    end = time.monotonic() + patience
    marker, alive = markers.look(Path(row.mount.target), patience)
    if alive and device and (wake or not _spins(row.source)):
        alive = _reads(row.source, max(end - time.monotonic(), 0))
    if alive is None and patience < PATIENCE:
        return replace(held, marker=marker, unsure="it has not answered yet: it sleeps, or is broken")
    return replace(held, marker=marker, alive=bool(alive))


def _is_another(row: Mounted) -> bool:
    """Whether the device that has the name now is not the one that was mounted, as after pulling and plugging in."""
    if row.device.startswith("0:"):  # made up by the filesystem, as btrfs and FUSE do
        return False
    try:
        now = Path(row.source).stat().st_rdev
    except OSError:
        return True
    return f"{os.major(now)}:{os.minor(now)}" != row.device


def _spins(device: str) -> bool:
    """Whether a question might wake the drive; the disk knows that of its partitions."""
    try:
        number = Path(device).stat().st_rdev
        place = (_SYSFS / f"{os.major(number)}:{os.minor(number)}").resolve()
        queue = next(one for one in (place / "queue", place.parent / "queue") if one.is_dir())
        return (queue / "rotational").read_text().strip() != "0"
    except (OSError, StopIteration):
        return True


def _reads(device: str, patience: float) -> bool | None:
    """Whether the device itself gives a block, past every cache; None where it has not answered in time."""
    ask = ("dd", f"if={device}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct", "status=none")
    try:
        done = shell.run(ask, timeout=patience)
    except SystemFailure:
        return None
    return done.ok or markers.closed(done)
