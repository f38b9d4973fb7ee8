"""A drive with a volatile write cache, as a program: a file served through FUSE that a loop device is put upon.

drive.py MEDIUM PLACE: MEDIUM holds what would survive a power cut, PLACE (a file) is what the loop device uses.
What is written is only on the MEDIUM after a flush. Commands come by stdin, a line each; each is answered by a line:

  cut KEEP SECTOR SEED   the power fails: of what was not flushed each sector survives with probability KEEP
  on                     the power is back: the drive holds what survived
  fail WHAT…             from now on these (of read, write, flush) end in EIO; without a WHAT none does

At the end of stdin everything is taken away.
"""

from __future__ import annotations

import errno
import os
import random
import select
import struct
import subprocess
import sys
from pathlib import Path

GETATTR, OPEN, READ, WRITE, RELEASE, FSYNC, FLUSH, INIT = 3, 14, 15, 16, 18, 20, 25, 26
SILENT = {2, 36, 42}  # forget, interrupt, batch_forget: the kernel awaits no answer
MOST = 1 << 20
BIG_WRITES, MAX_PAGES = 1 << 5, 1 << 22
DIRECT_IO = 1

_in = struct.Struct("<IIQQIIIHH")
_out = struct.Struct("<IiQ")
_io = struct.Struct("<QQIIQII")  # handle, offset, size, flags, owner, flags, padding


class Drive:
    """`now` is what a reader sees; `medium` what is durable; `cached` the writes between the two, in their order."""

    def __init__(self, medium: str) -> None:
        self.medium = os.open(medium, os.O_RDWR)
        self.size = os.fstat(self.medium).st_size
        self.now = os.open(f"{medium}.now", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        Path(f"{medium}.now").unlink()
        os.truncate(self.now, self.size)
        self.cached: list[tuple[int, int]] = []
        self.data: list[bytes] = []
        self.dead = False
        self.failing: set[str] = set()
        self._calm = _answers(self.size)
        self.load()

    def load(self) -> None:
        """What is on the medium is what is seen."""
        at = 0
        while at < self.size:
            try:
                at = os.lseek(self.medium, at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(self.medium, at, os.SEEK_HOLE)
            while at < end:
                at += os.pwrite(self.now, os.pread(self.medium, min(MOST, end - at), at), at)

    def write(self, data: bytes, offset: int) -> None:
        os.pwrite(self.now, data, offset)
        self.cached.append((offset, len(data)))
        self.data.append(data)

    def flush(self) -> None:
        for (offset, _), data in zip(self.cached, self.data, strict=True):
            os.pwrite(self.medium, data, offset)
        self.cached.clear()
        self.data.clear()

    def cut(self, keep: float, sector: int, seed: str) -> int:
        """How many bytes were lost."""
        self.dead, rng, lost = True, random.Random(seed), 0
        for (offset, length), data in zip(self.cached, self.data, strict=True):
            for at in range(0, length, sector):
                piece = data[at : at + sector]
                if keep >= 1 or (keep > 0 and rng.random() < keep):
                    os.pwrite(self.medium, piece, offset + at)
                else:
                    lost += len(piece)
        return lost

    def on(self) -> None:
        if self.dead:
            for offset, length in self.cached:
                os.pwrite(self.now, os.pread(self.medium, length, offset), offset)
            self.cached.clear()
            self.data.clear()
        self.dead = False
        self.failing = set()

    def answer(self, code: int, body: bytes) -> bytes | int:
        """What the kernel is told: bytes, or the number of an error."""
        if code in self._calm:
            return self._calm[code]
        kind = {READ: "read", WRITE: "write", FSYNC: "flush"}.get(code)
        if kind is None:
            return errno.ENOSYS
        if self.dead or kind in self.failing:
            return errno.EIO
        return self.transfer(kind, body)

    def transfer(self, kind: str, body: bytes) -> bytes:
        if kind == "flush":
            self.flush()
            return b""
        _, offset, size, *_ = _io.unpack_from(body)
        if kind == "read":
            return os.pread(self.now, size, offset)
        self.write(body[_io.size : _io.size + size], offset)
        return struct.pack("<II", size, 0)

    def obey(self, line: str) -> str:
        word, *rest = line.split()
        if word == "cut":
            return f"lost {self.cut(float(rest[0]), int(rest[1]), rest[2])}"
        if word == "on":
            self.on()
        elif word == "fail":
            self.failing = set(rest)
        return "done"


def _answers(size: int) -> dict[int, bytes]:
    """To what is no work of a drive."""
    flags = BIG_WRITES | MAX_PAGES
    numbers = (1, size, size // 512, 0, 0, 0, 0, 0, 0, 0o100600, 1, 0, 0, 0, 4096, 0)
    return {
        INIT: struct.pack("<IIIIHHIIHHI28x", 7, 31, MOST, flags, 32, 24, MOST, 1, MOST // 4096, 0, 0),
        GETATTR: struct.pack("<QII6Q10I", 3600, 0, 0, *numbers),
        OPEN: struct.pack("<QII", 1, DIRECT_IO, 0),
        RELEASE: b"",
        FLUSH: b"",
    }


def serve(drive: Drive, fuse: int) -> None:
    """Until stdin ends or the kernel has let go."""
    orders = b""
    while True:
        ready, _, _ = select.select([fuse, 0], [], [])
        if 0 in ready:
            more = os.read(0, 4096)
            if not more:
                return
            *lines, orders = (orders + more).split(b"\n")
            for line in lines:
                os.write(1, f"{drive.obey(line.decode())}\n".encode())
        if fuse in ready and not one(drive, fuse):
            return


def one(drive: Drive, fuse: int) -> bool:
    try:
        request = os.read(fuse, MOST + 8192)
    except OSError as error:
        return error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT)
    _, code, unique, *_ = _in.unpack_from(request)
    if code in SILENT:
        return True
    told = drive.answer(code, request[_in.size :])
    body = told if isinstance(told, bytes) else b""
    number = told if isinstance(told, int) else 0
    try:
        os.write(fuse, _out.pack(_out.size + len(body), -number, unique) + body)
    except OSError as error:
        if error.errno != errno.ENOENT:  # that request was given up
            raise
    return True


def main(medium: str, place: str) -> None:
    drive = Drive(medium)
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    how = f"fd={fuse},rootmode=100000,user_id=0,group_id=0"
    subprocess.run(["mount", "-i", "-t", "fuse", "-o", how, "usenet-test-drive", place], check=True, pass_fds=[fuse])
    try:
        os.set_blocking(fuse, False)
        os.write(1, b"ready\n")
        serve(drive, fuse)
    finally:
        subprocess.run(["umount", "--lazy", place], check=False, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
