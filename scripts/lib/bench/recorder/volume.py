"""A filesystem of its own in a file, mounted by a loop device, from which the power can be cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.timing import run

SHUTDOWN, WITHOUT_THE_LOG = 0x8004587D, struct.pack("I", 2)  # FS_IOC_SHUTDOWN: nothing more reaches the drive
MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N", "4096"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
}


def possible() -> bool:
    return os.geteuid() == 0 and Path("/dev/loop-control").exists()


def kinds(*wanted: str) -> list[str]:
    """Those filesystems that this machine can make."""
    return [kind for kind in wanted if shutil.which(f"mkfs.{kind}")]


@dataclass
class Volume:
    """`place`: where it is mounted. `device` is empty while it is not."""

    kind: str
    image: Path
    place: Path
    device: str = ""

    def mount(self) -> None:
        self.device = run(["losetup", "--find", "--show", str(self.image)])[1].strip()
        run(["mount", "-t", self.kind, "-o", "noatime", self.device, str(self.place)])

    def unmount(self) -> None:
        """However it is; what a process still holds open goes with it."""
        if not self.device:
            return
        for _ in range(50):
            if not subprocess.run(["umount", str(self.place)], capture_output=True).returncode:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "--lazy", str(self.place)], capture_output=True)
        if self.kind == "btrfs":  # or the kernel takes an older copy for the newer one's twin
            subprocess.run(["btrfs", "device", "scan", "--forget", self.device], capture_output=True)
        run(["losetup", "--detach", self.device])
        self.device = ""

    def cut(self) -> float:
        """The power goes; when that was. btrfs has no such call: its device is copied as it is at that moment."""
        if self.kind == "btrfs":
            moment = time.monotonic()
            run(["cp", "--sparse=always", str(self.image), f"{self.image}.cut"])
            return moment
        handle = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            moment = time.monotonic()
            fcntl.ioctl(handle, SHUTDOWN, WITHOUT_THE_LOG)
        finally:
            os.close(handle)
        return moment

    def back(self) -> None:
        """The power is there again."""
        self.unmount()
        if self.kind == "btrfs":
            Path(f"{self.image}.cut").replace(self.image)
        self.mount()

    def counted(self) -> tuple[int, int, int]:
        """What the device has done so far: writes, bytes written, cache flushes."""
        fields = Path("/sys/block", Path(self.device).name, "stat").read_text().split()
        return int(fields[4]), int(fields[6]) * 512, int(fields[15])


@contextmanager
def volume(kind: str, folder: Path, name: str, mebibytes: int = 512) -> Iterator[Volume]:
    """Made, mounted, and gone at the end."""
    image, place = folder / f"{name}.img", folder / name
    place.mkdir(parents=True)
    with image.open("wb") as made:
        made.truncate(mebibytes << 20)
    run([*MAKE[kind], str(image)])
    made = Volume(kind, image, place)
    try:
        made.mount()
        yield made
    finally:
        made.unmount()
        for path in (image, Path(f"{image}.cut")):
            path.unlink(missing_ok=True)
        place.rmdir()
