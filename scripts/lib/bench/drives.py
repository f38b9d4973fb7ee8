"""How soon a drive that is plugged in can be seen inside a container that runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.scratch import Stack
from bench.timing import Figure, Series, in_turns, run

if TYPE_CHECKING:
    from bench.figures import Round

FILE = "lost+found"
PATIENCE = 60.0


def storage(now: Round) -> Iterator[Figure]:
    """From plugging a drive in to its files inside a container: by `storage add`, and by losetup and mount by hand."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        print("left out: storage: it needs root and loop devices")
        return
    stack = now.scratch.stack((1,), checked=False)
    with _shelf(stack, now.scratch.folder / "drive.img") as shelf:
        found = in_turns({"hand": shelf.by_hand, "ours": shelf.by_us}, now.times(50, 4))
        mounts = Series(tuple(shelf.mounts[-len(found["ours"].seconds) :]))
    # A person waits here, for all that is looked at before; how soon the watch shows a known drive is its own figure.
    yield _late("attach, storage add → visible", found["ours"], found["hand"], None)
    yield _late("mount → visible inside", mounts, found["hand"], 0.1)
    stack.clear()


def _late(name: str, measured: Series, hand: Series, goal: float | None) -> Figure:
    """The 95th of a hundred is what the goal speaks of, if there is one, beside the median."""
    late = statistics.quantiles(measured.seconds, n=20)[-1]
    shown = f"p50 {measured.median * 1000:.1f}, p95 {late * 1000:.1f} ms"
    words, reached = ("", None) if goal is None else (f"p95 ≤ {goal * 1000:.0f} ms", late <= goal)
    return Figure(name, measured, "losetup, mount by hand → visible", hand, late, shown, words, reached)


@dataclass
class _Shelf:
    """One drive of a stack, and how a container sees it. `mounts`: from the mount to its being seen inside."""

    stack: Stack
    image: Path
    inside: Path
    mounts: list[float] = field(default_factory=list)

    def by_hand(self) -> float:
        place = self.stack.home / "data" / "hand"
        place.mkdir(exist_ok=True)
        began = time.perf_counter()
        device = self._plug()
        run(["mount", device, str(place)])
        seen = _until(self.inside / "hand" / FILE)
        run(["umount", str(place)])
        run(["losetup", "--detach", device])
        return seen - began

    def by_us(self) -> float:
        outside = self.stack.home / "data" / "drives" / "bench" / FILE
        began = time.perf_counter()
        device = self._plug()
        adding = subprocess.Popen(
            self.stack.usenet("storage", "add", device, "--name", "bench"), stdout=subprocess.DEVNULL
        )
        mounted = _until(outside)
        seen = _until(self.inside / "drives" / "bench" / FILE)
        if adding.wait(PATIENCE):
            raise RuntimeError(f"usenet storage add ended with {adding.returncode}")
        self.mounts.append(seen - mounted)
        run(self.stack.usenet("storage", "remove", "bench"))
        run(["losetup", "--detach", device])
        return seen - began

    def _plug(self) -> str:
        return run(["losetup", "--find", "--show", str(self.image)])[1].strip()


def _until(path: Path) -> float:
    """When the path was there."""
    until = time.perf_counter() + PATIENCE
    while not path.exists():
        if time.perf_counter() > until:
            raise RuntimeError(f"{path} did not appear")
    return time.perf_counter()


@contextmanager
def _shelf(stack: Stack, image: Path) -> Iterator[_Shelf]:
    """The stack runs, on a data root that is shared; what is mounted below it is taken away at the end."""
    from usenet.adapters.home import Home
    from usenet.adapters.storage import fstab, guards, look

    (service,) = (stack.home / "services").iterdir()
    service.write_text(service.read_text().replace('"wants": {', '"wants": {"data": "write", '))
    with image.open("wb") as made:
        made.truncate(64 * 2**20)
    run(["mkfs.ext4", "-q", str(image)])
    data = stack.home / "data"
    data.mkdir()
    run(["mount", "--bind", str(data), str(data)])
    try:
        run(["mount", "--make-rshared", str(data)])
        run(stack.usenet("services", "up"))
        process = run(["docker", "inspect", "-f", "{{.State.Pid}}", *run(stack.compose("ps", "-q"))[1].split()])[1]
        yield _Shelf(stack, image, Path("/proc", process.strip(), "root/data"))
    finally:
        stack.clear()
        _unmount(data)
        if known := look.stack_id(Home(stack.home)):
            fstab.write(known, ())
        for device in run(["losetup", "--noheadings", "--output", "NAME", "--associated", str(image)])[1].split():
            run(["losetup", "--detach", device])
        guards.release(data / "drives" / "bench")


def _unmount(data: Path) -> None:
    mounted = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for target in sorted((one for one in mounted if f"{one}/".startswith(f"{data}/")), reverse=True):
        if subprocess.run(["umount", "--lazy", target], capture_output=True).returncode:
            print(f"{target} is still mounted", file=sys.stderr)
