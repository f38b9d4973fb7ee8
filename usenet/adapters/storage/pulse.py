"""Whether mounted drives still answer, without waking those that sleep.

A drive is asked only when somebody used it since the last time: one at rest stays at rest.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

OVERDUE = 40.0  # seconds, more than any question takes: a drive that slept needs half a minute
_SYSFS = Path("/sys/dev/block")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """What tells one start of the machine from the next."""
    return _BOOT.read_text().strip()


def tokens(devices: Iterable[str], directories: Iterable[str] = ()) -> dict[str, str]:
    """Device or directory → what tells one plugging-in, and one start of the machine, from the next; those there.

    The `directories` are known to be there, and are not asked: one on a server that is gone would not answer.
    """
    here = boot()
    found = {one: f"{here} {one} {_sequence(one)}" for one in devices if os.path.exists(one)}  # noqa: PTH110 - text
    return found | {one: f"{here} {one}" for one in directories}


def _sequence(device: str) -> str:
    """The kernel's count of disks at the time this one came; empty on kernels without it."""
    number = _number(device)
    if number:
        place = (_SYSFS / number).resolve()
        for folder in (place, place.parent):  # a partition has that of its disk
            with suppress(OSError):
                return (folder / "diskseq").read_text().strip()
    return ""


def _number(device: str) -> str:
    try:
        seen = os.stat(device)  # noqa: PTH116 - text
    except OSError:
        return ""
    return f"{os.major(seen.st_rdev)}:{os.minor(seen.st_rdev)}" if seen.st_rdev else ""


@dataclass(slots=True)
class _Drive:
    """`seen`: the device's counters when it was last known to answer."""

    number: str
    seen: tuple[str, ...] | None
    asked: float = 0.0
    answer: list[bool] = field(default_factory=list)


class Pulse:
    """The drives that are mounted; `ask` tells whether one answers, and may take its time."""

    def __init__(self, ask: Callable[[str], bool]) -> None:
        self._ask = ask
        self._drives: dict[str, _Drive] = {}

    def follow(self, devices: Mapping[str, str], doubtful: Collection[str] = ()) -> None:
        """Let these be the drives: name → device, empty for a directory. Of them the `doubtful` are asked at once;
        who is being asked already is not asked twice.
        """
        before, self._drives = self._drives, {}
        for name, device in devices.items():
            number, old = _number(device) if device else "", before.get(name)
            if old and old.asked and old.number == number:
                self._drives[name] = old
            elif number or name in doubtful:
                self._drives[name] = _Drive(number, None if name in doubtful else _counters(number))

    def silent(self) -> frozenset[str]:
        """The drives that are gone or do not answer any more; waits for none."""
        return frozenset(name for name, drive in self._drives.items() if self._is_silent(name, drive))

    def _is_silent(self, name: str, drive: _Drive) -> bool:
        if drive.asked:
            if not drive.answer and time.monotonic() - drive.asked <= OVERDUE:
                return False
            drive.asked, well = 0.0, bool(drive.answer) and drive.answer.pop()
            drive.seen = _counters(drive.number) if drive.number else ()  # with our own question in it
            return not well
        now = _counters(drive.number) if drive.number else ()
        if now is None:
            return True
        if now != drive.seen:
            drive.asked, drive.answer = time.monotonic(), []
            # The end of the program does not wait for a thread that waits for a drive.
            threading.Thread(target=self._question, args=(name, drive.answer), daemon=True).start()
        return False

    def _question(self, name: str, answer: list[bool]) -> None:
        answer.append(self._ask(name))


def _counters(number: str) -> tuple[str, ...] | None:
    """What was read, written and waits; None where the device is gone."""
    try:
        return tuple((_SYSFS / number / "stat").read_text().split())
    except OSError:
        return None
