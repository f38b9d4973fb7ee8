"""Rung by the kernel when a block device or a mount below a directory changes.

What is heard is only a reason to look: no event is believed, so that a lost, a doubled or a forged one does no harm.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from usenet.domain.errors import SystemFailure
from usenet.domain.storage.lines import escaped

UDEV = Path("/run/udev/control")
MOUNTS = Path("/proc/self/mountinfo")
QUIET, SETTLED = 0.02, 0.2  # seconds: a drive comes with its partitions, each an event of its own
_PROTOCOL, _KERNEL = 15, 1  # NETLINK_KOBJECT_UEVENT, and its group of the kernel's own events


@dataclass(frozen=True, slots=True)
class Uevent:
    """One event of a device; `device` is its node's path, empty where it has none."""

    action: str
    subsystem: str
    device: str


class Source(Protocol):
    """Where events of block devices come from."""

    def fileno(self) -> int: ...

    def drain(self) -> list[Uevent]:
        """What came since the last time, without waiting; one without a device where some were missed."""

    def close(self) -> None: ...


MISSED = Uevent("change", "block", "")


class Kernel:
    """The kernel's own events, for machines where udev does not run: the device is there, nothing is known of it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _PROTOCOL)
        self._socket.bind((0, _KERNEL))

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> list[Uevent]:
        found: list[Uevent] = []
        while True:
            try:
                message = self._socket.recv(65536)
            except BlockingIOError:
                return found
            except OSError:  # more came than there was room for
                found.append(MISSED)
                continue
            event = parse(message)
            if event and event.subsystem == "block":
                found.append(event)

    def close(self) -> None:
        self._socket.close()


def parse(message: bytes) -> Uevent | None:
    """A message of the kernel; None where it is none."""
    head, *lines = message.split(b"\0")
    if b"@" not in head:
        return None
    told = dict(line.decode(errors="replace").split("=", 1) for line in lines if b"=" in line)
    name = told.get("DEVNAME", "")
    return Uevent(told.get("ACTION", ""), told.get("SUBSYSTEM", ""), f"/dev/{name}" if name else "")


class Udev:
    """udev's events, which come when it has read what is on the device."""

    def __init__(self) -> None:
        import pyudev

        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="udev")
        self._monitor.filter_by("block")
        self._monitor.start()

    def fileno(self) -> int:
        return int(self._monitor.fileno())

    def drain(self) -> list[Uevent]:
        found: list[Uevent] = []
        try:
            while (device := self._monitor.poll(timeout=0)) is not None:
                found.append(Uevent(device.action or "", device.subsystem or "", device.device_node or ""))
        except OSError:
            found.append(MISSED)
        return found

    def close(self) -> None:
        """The socket goes with the monitor."""


def source(udev: Path = UDEV) -> Source:
    """The events of this machine: udev's where it runs, else the kernel's. SystemFailure where neither can be had."""
    try:
        return Udev() if udev.exists() else Kernel()
    except (OSError, ImportError) as failure:
        raise SystemFailure(
            f"the kernel's events can't be heard: {failure}", hint="run it on the machine itself, as root"
        ) from failure


class Bell:
    """Rings when a block device changes that `concerns` us, or a mount below `data`."""

    def __init__(self, data: str, events: Source, mounts: int, concerns: Callable[[Uevent], bool]) -> None:
        self._below = escaped(data).encode()
        self._events, self._mounts, self._concerns = events, mounts, concerns
        self.begin()
        self._poll = select.poll()
        self._poll.register(events.fileno(), select.POLLIN)
        self._poll.register(mounts, select.POLLPRI)

    def begin(self) -> None:
        """Call it before a look: what changes from now on rings, even if it changes back to what was before."""
        self._table = self._relevant()

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it rang. What follows within a moment is heard as one."""
        if not self._heard(seconds):
            return False
        until = time.monotonic() + SETTLED
        while time.monotonic() < until and self._heard(QUIET):
            pass
        return True

    def _heard(self, seconds: float) -> bool:
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._mounts:
                if self._relevant() != self._table:
                    return True
            elif any(self._concerns(event) for event in set(self._events.drain())):
                return True
        return False

    def _relevant(self) -> tuple[bytes, ...]:
        """The mounts below the data root; those of containers that come and go are no business of ours."""
        lines = _whole(self._mounts).splitlines()
        return tuple(line for line in lines if line.split(b" ", 5)[4].startswith(self._below))


def _whole(descriptor: int) -> bytes:
    """All of one of the kernel's tables, of which each read gives a page at most."""
    parts: list[bytes] = []
    while part := os.pread(descriptor, 2**16, sum(map(len, parts))):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def listen(data: str, concerns: Callable[[Uevent], bool]) -> Iterator[Bell]:
    """A bell for the stack with this data root, for the devices that concern it."""
    events = source()
    mounts = os.open(MOUNTS, os.O_RDONLY)
    try:
        yield Bell(data, events, mounts, concerns)
    finally:
        os.close(mounts)
        with suppress(OSError):
            events.close()
