"""Drives with a filesystem that can lose power: what a test mounts, and what is gone again at its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import drive

# Type → how it is made, and on how many MiB.
MAKERS = {
    "ext4": (("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"), 96),
    "xfs": (("mkfs.xfs", "-q"), 320),
    "btrfs": (("mkfs.btrfs", "-q"), 256),
}
SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
SECTOR = {"ext4": 512, "xfs": 4096, "btrfs": 4096}
"""What a power cut leaves whole: XFS (in a directory) and Btrfs (in its superblock) don't survive torn 4 KiB."""
KEEP = (0.0, 0.0, 0.3, 0.7, 1.0)


def call(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def _mounted() -> list[str]:
    """Where something is mounted; a dead filesystem is told here too."""
    return [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]


@dataclass
class Disk:
    """A filesystem on a loop device. `way` says how it loses power.

    shutdown: the filesystem is told to drop what it has not written (FS_IOC_SHUTDOWN without a log flush).
    cache: the drive beneath it has a volatile write cache and loses a random part of what was not flushed.
    """

    kind: str
    way: str
    folder: Path
    device: str = ""
    process: subprocess.Popen[str] | None = None
    options: str = "noatime"
    cuts: list[str] = field(default_factory=list)

    @property
    def at(self) -> Path:
        """Where it is mounted."""
        return self.folder / "at"

    def make(self, megabytes: int = 0) -> None:
        maker, usual = MAKERS[self.kind]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.at.mkdir(exist_ok=True)
        with (self.folder / "image").open("wb") as image:
            image.truncate((megabytes or usual) << 20)
        call(*maker, str(self.folder / "image"))

    def up(self) -> None:
        """Plug it in and mount it."""
        source = self.folder / "image"
        if self.way == "cache":
            source = self.folder / "drive"
            self._serve(source)
            self.tell("on")
        if not self.device:
            self.device = call("losetup", "--find", "--show", str(source))
        self.mount()

    def mount(self) -> None:
        words = ("mount", "-t", self.kind, "-o", self.options, self.device, str(self.at))
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        said = call("dmesg", check=False).split("\n")[-12:] if done.returncode else []
        assert not done.returncode, "\n".join([" ".join(words), done.stderr, *self.cuts[-2:], *said])

    def settle(self) -> None:
        """All that was done to it so far survives."""
        handle = os.open(self.at, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        call("sync", "--file-system", str(self.at))

    def _serve(self, source: Path) -> None:
        if self.process is not None:
            return
        source.touch()
        words = [sys.executable, "-I", drive.__file__, str(self.folder / "image"), str(source)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", "the drive did not start"

    def tell(self, order: str) -> str:
        """An order to the drive, and what it says to that."""
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def cut(self, rng: random.Random) -> int:
        """The power fails. The moment, on the monotonic clock in ns, up to which everything counts."""
        if self.way == "cache":
            order = f"cut {rng.choice(KEEP)} {SECTOR[self.kind]} {rng.random()}"
            moment = time.monotonic_ns()
            self.cuts.append(f"{order}: {self.tell(order)}")
            return moment
        handle = os.open(self.at, os.O_RDONLY)
        try:
            moment = time.monotonic_ns()
            fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(handle)
        self.cuts.append("shutdown")
        return moment

    def down(self) -> None:
        """Unmount, and unplug: nothing of the kernel's memory of it is used again."""
        for _ in range(50):
            if str(self.at) not in _mounted():
                break
            if subprocess.run(["umount", str(self.at)], capture_output=True).returncode:
                time.sleep(0.1)
        else:
            call("umount", "--lazy", str(self.at), check=False)
        if self.device:
            call("losetup", "--detach", self.device, check=False)
            self._released()
            self.device = ""

    def _released(self) -> None:
        """Whoever made a namespace of mounts just now, as an engine does for a container, held it a little longer."""
        told = Path(f"/sys/block/{Path(self.device).name}/loop/backing_file")
        for _ in range(1000):
            with contextlib.suppress(OSError):
                if told.read_text().startswith(str(self.folder)):
                    time.sleep(0.03)
                    continue
            return
        raise AssertionError(f"{self.device} is still held, thirty seconds after it was unmounted")

    def gone(self) -> None:
        """Nothing of it is left."""
        self.down()
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.process.communicate(timeout=30)
            self.process.kill()
            self.process.wait()
            self.process = None
            call("umount", "--lazy", str(self.folder / "drive"), check=False)


@contextmanager
def disk(kind: str, way: str, folder: Path, *, megabytes: int = 0, options: str = "noatime") -> Iterator[Disk]:
    """A new one, mounted; it goes at the end, whatever happens."""
    made = Disk(kind, way, folder, options=options)
    try:
        made.make(megabytes)
        made.up()
        yield made
    finally:
        made.gone()
