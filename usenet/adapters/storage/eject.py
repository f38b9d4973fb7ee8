"""Powering a drive down, so that it can be pulled."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usenet.adapters import shell
from usenet.adapters.mounts import Mounted
from usenet.domain.errors import SystemFailure

SYS, DEV = Path("/sys"), Path("/dev")
PATIENCE = 60.0


def power_down(device: str, table: tuple[Mounted, ...], sys: Path = SYS, dev: Path = DEV) -> str:
    """Write out what a whole drive (/dev/sdb) has in its cache, stop it, and take the power from its port; in words.

    Empty where this machine can't: it is no USB drive. SystemFailure when something of it is still mounted, swapped to
    or part of something else, and then nothing was done. `table`: what is mounted now.
    """
    block = sys / "class/block" / Path(device).name
    port = _port(block)
    if port is None:
        return ""
    used = {f"/dev/{name}" for name in _parts(block)}
    if held := [row for row in table if row.source in used]:
        targets = ", ".join(row.mount.target for row in held)
        raise SystemFailure(f"{device} is not powered down: {targets} is on it", hint=f"unmount it: umount {targets}")
    if above := sorted(
        one.name for name in _parts(block) for one in (sys / "class/block" / name / "holders").glob("*")
    ):
        raise SystemFailure(
            f"{device} is not powered down: {', '.join(above)} is open on it", hint="close it: cryptsetup close NAME"
        )
    neighbours = [one.name for one in _drives(port, sys) if one.name != block.name]
    with _taken(dev / block.name):
        shell.checked(("blockdev", "--flushbufs", device), timeout=PATIENCE)
        _write(block.resolve() / "device" / "delete")  # the kernel lets the drive write its own cache and stops it
    if neighbours:
        return f"{device} is stopped; its port keeps its power for {', '.join(neighbours)}"
    _write(port / "remove")
    return f"{device} is stopped and without power: it can be pulled"


@contextmanager
def _taken(device: Path) -> Iterator[None]:
    """Have a drive with its partitions to ourselves, as a mount or swap space has. SystemFailure: somebody has."""
    try:
        taken = os.open(device, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failure:
        if failure.errno == errno.EBUSY:
            raise SystemFailure(
                f"{device} is not powered down: it is in use, as swap space, part of an array, or out of our sight",
                hint="look at: cat /proc/swaps /proc/mdstat; lsblk",
            ) from failure
        raise SystemFailure(f"{device} can't be opened: {failure.strerror}", hint="run it with sudo") from failure
    try:
        yield
    finally:
        os.close(taken)


def _parts(block: Path) -> tuple[str, ...]:
    """The names of a drive and its partitions."""
    return (block.name, *(one.parent.name for one in block.resolve().glob("*/partition")))


def _port(block: Path) -> Path | None:
    """The USB device that a drive is; None for others, and for one that has no power to be taken."""
    at = block.resolve()
    if not (at / "device" / "delete").exists():
        return None
    return next((one for one in at.parents if (one / "remove").exists() and (one / "idVendor").exists()), None)


def _drives(port: Path, sys: Path) -> Iterator[Path]:
    """Every drive that hangs on a USB device: a card reader has several."""
    for one in (sys / "class/block").iterdir():
        there = one.resolve()
        if port in there.parents and not (there / "partition").exists():
            yield one


def _write(file: Path) -> None:
    try:
        file.write_text("1")
    except OSError as failure:
        raise SystemFailure(f"{file} can't be written: {failure.strerror}", hint="run it with sudo") from failure
