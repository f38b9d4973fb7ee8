"""Many drives: ten thousand times pulled and plugged in again in the model, and two dozen for real."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.drives import _unmount
from bench.scratch import Stack
from bench.timing import Figure, Series, ratio, run, timed

if TYPE_CHECKING:
    from bench.figures import Round


def many(now: Round) -> Iterator[Figure]:
    """The decisions for 64 drives, and 24 loop drives that are mounted again as after a start of the machine."""
    yield _model(200 if now.quick else 10_000)
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        print("left out: many drives for real: they need root and loop devices")
        return
    yield from _real(now, 3 if now.quick else 24)


def _model(cycles: int) -> Figure:
    from tests.unit import storage_model

    began = time.perf_counter()
    _, done = storage_model.cycles(64, cycles)
    spent = time.perf_counter() - began
    words = f"{done} cycles, {spent / done * 1000:.2f} ms each"
    return Figure("model: 64 drives", Series((spent,)), "none: decisions alone", None, spent, words)


def _troubled(now: Round, stack: Stack) -> Iterator[Figure]:
    """How soon `storage status` is there with one drive more that does not answer, and after that was pulled out."""
    from tests.integration.drives import Cable

    cable = Cable(now.scratch.folder / "cable")
    cable.connect()
    image = cable.root / "real" / "cable.img"
    with image.open("wb") as made:
        made.truncate(16 * 2**20)
    run(["mkfs.ext4", "-q", "-E", "root_owner=1000:1000", str(image)])
    device = run(["losetup", "--find", "--show", str(cable.end / image.name)])[1].strip()
    status = timed(stack.usenet("storage", "status"))
    try:
        run(stack.usenet("storage", "add", device, "--name", "cable"))
        well = Series(tuple(status() for _ in range(now.times(5, 2))))
        with cable.silent():
            silent = Series(tuple(status() for _ in range(now.times(5, 2))))
        cable.pull()
        pulled = Series(tuple(status() for _ in range(now.times(5, 2))))
    finally:
        cable.pull()
        _unmount(stack.home / "data" / "drives" / "cable")
        run(["losetup", "--detach", device])
    for name, found in (("a drive hangs", silent), ("a drive was pulled", pulled)):
        slowest = max(found.seconds)
        words, reached = "≤ 2000 ms", slowest <= 2
        yield Figure(
            f"storage status, {name}",
            found,
            "the same while it was well",
            well,
            slowest,
            f"slowest {slowest * 1000:.0f} ms",
            words,
            reached,
        )


def _real(now: Round, count: int) -> Iterator[Figure]:
    from usenet.adapters.home import Home
    from usenet.adapters.storage import fstab, guards, look

    stack = now.scratch.stack((1,), checked=False)
    data, devices = stack.home / "data", []
    data.mkdir()
    run(["mount", "--bind", str(data), str(data)])
    try:
        run(["mount", "--make-rshared", str(data)])
        for number in range(count):
            image = now.scratch.folder / f"many{number}.img"
            with image.open("wb") as made:
                made.truncate(16 * 2**20)
            run(["mkfs.ext4", "-q", "-E", "root_owner=1000:1000", str(image)])
            devices.append(run(["losetup", "--find", "--show", str(image)])[1].strip())
            run(stack.usenet("storage", "add", devices[-1], "--name", f"many{number}"))
        places = [data / "drives" / f"many{number}" for number in range(count)]
        run(["umount", *map(str, places)])
        ours = timed(stack.usenet("storage", "check", "--fix"))()
        run(["umount", *map(str, places)])
        began = time.perf_counter()
        for device, place in zip(devices, places, strict=True):
            run(["mount", device, str(place)])
        hand = time.perf_counter() - began
        status = timed(stack.usenet("storage", "status"))()
        anchor = f"mount, {count} times by hand"
        yield ratio(f"check --fix, {count} drives", Series((ours,)), anchor, Series((hand,)))
        yield ratio(f"storage status, {count} drives", Series((status,)), anchor, Series((hand,)))
        yield from _troubled(now, stack)
    finally:
        _unmount(data)
        if known := look.stack_id(Home(stack.home)):
            fstab.write(known, ())
        for device in devices:
            run(["losetup", "--detach", device])
        for place in (data / "drives").glob("*"):
            guards.release(place)
