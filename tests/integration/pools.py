"""Pools of a test: drives that join a stack, a pool over them, and what the machine itself says of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from tests.integration import drives
from tests.integration.conftest import Stack
from tests.integration.drives import Bench, Loop, call, share
from tests.waiting import wait

POOL = "/data/drives/pool"


@contextmanager
def pool_home(bench: Bench, make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A stack without services, whose data root is shared. Everybody can go there: mergerfs does so as the user."""
    folder = Path(mkdtemp(prefix="ut-", dir="/tmp"))
    folder.chmod(0o755)
    stack = bench.keep(make_stack())
    stack.home = folder
    try:
        share(stack)
        stack.settings({})
        yield stack
    finally:
        drives.clear(stack)
        # Never into a drive that is mounted still, where everything would be removed too.
        if not any(target.startswith(f"{folder}/") for target in drives.mounted()):
            shutil.rmtree(folder)


def place(home: Stack, name: str = "pool") -> Path:
    return home.home / "data" / "drives" / name


def join(home: Stack, *loops: Loop) -> list[str]:
    """Add drives to the stack, as d0, d1, …; their names."""
    names = [f"d{number}" for number in range(len(loops))]
    for name, loop in zip(names, loops, strict=True):
        home.run("storage", "add", loop.device, "--name", name)
        place(home, name).chmod(0o777)
    return names


def create(home: Stack, *names: str, min_free: str = "1M") -> None:
    home.run("storage", "pool", "create", *names, "--min-free", min_free)
    for name in home.json("config", "get", "storage.pool")["drives"]:
        (place(home, name) / "media").mkdir(exist_ok=True)
        (place(home, name) / "media").chmod(0o777)


def branches(home: Stack) -> dict[str, str]:
    """Drive → mode, as the mounted pool says itself."""
    told = os.getxattr(place(home) / ".mergerfs", "user.mergerfs.branches").decode()
    return {Path(path).name: mode for path, _, mode in (one.rpartition("=") for one in told.split(":"))}


def line(home: Stack) -> list[str]:
    """The drives of the pool in fstab."""
    found = [one for one in drives.fstab.PATH.read_text().splitlines() if f" {place(home)} fuse.mergerfs " in one]
    return [Path(path.rpartition("=")[0]).name for one in found for path in one.split(" ")[0].split(":")]


def crash(home: Stack) -> None:
    """Kill the mergerfs of this pool."""
    found = [one for one in Path("/proc").iterdir() if one.name.isdecimal() and _serves(one, place(home))]
    assert found, "no mergerfs runs for this pool"
    for process in found:
        os.kill(int(process.name), signal.SIGKILL)
    wait(lambda: not any(_serves(one, place(home)) for one in found), lambda: "the mergerfs of this pool goes on")


def _serves(process: Path, pool: Path) -> bool:
    """Whether a process is the mergerfs of a pool; one that ends while it is looked at is none."""
    with suppress(OSError):
        words = (process / "cmdline").read_bytes().split(b"\0")  # empty from its end on
        return words[0].endswith(b"mergerfs") and str(pool).encode() in words
    return False


def beneath(home: Stack) -> list[str]:
    """The files that lie on the disk of the machine, below the drives and the pool that are mounted over it."""
    with TemporaryDirectory() as under:
        call("mount", "--bind", str(home.home), under)
        try:
            return sorted(str(path.relative_to(under)) for path in Path(under, "data").rglob("*") if path.is_file())
        finally:
            call("umount", under)
