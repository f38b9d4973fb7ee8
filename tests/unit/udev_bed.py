"""A machine whose devices umockdev makes up, and the watch's own eyes on it. A program of its own, under the preload.

Reads a list of steps as JSON from stdin: ["plug", port, device, properties, partitions], ["unplug", port, device…],
["look"], ["mount"]. Prints what each look saw: the events that were heard, and what follows from them.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests import making
from usenet.adapters import drives
from usenet.adapters.storage import pulse, uevents
from usenet.domain.storage.events import Known, sights, turn
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.offers import offers
from usenet.domain.storage.seen import Held, Place, Seen

LIBRARY = ctypes.CDLL("libumockdev.so.0")
LIBRARY.umockdev_testbed_new.restype = ctypes.c_void_p
LIBRARY.umockdev_testbed_add_from_string.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
LIBRARY.umockdev_testbed_uevent.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
LIBRARY.umockdev_testbed_remove_device.argtypes = [ctypes.c_void_p, ctypes.c_char_p]


class Bed:
    """Devices that come and go, as the kernel and udev would tell it."""

    def __init__(self) -> None:
        self.bed = LIBRARY.umockdev_testbed_new()
        libc = ctypes.CDLL(None)
        libc.getenv.restype = ctypes.c_char_p
        # Set by the library behind Python's back; programs that are started need it.
        os.environ["UMOCKDEV_DIR"] = libc.getenv(b"UMOCKDEV_DIR").decode()
        self.count = 0
        self.announced = 0
        self.paths: dict[str, list[str]] = {}

    def plug(self, port: str, name: str, properties: dict[str, str], partitions: list[dict[str, str]]) -> None:
        self.count += 1
        above = f"/devices/pci0000:00/0000:00:14.0/usb1/{port}"
        if port not in self.paths:
            self._add(f"P: {above}\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n")
            self.paths[port] = [above]
        number, letter = 8, 16 * (ord(name[-1]) - ord("a"))
        disk = f"{above}/host{self.count}/block/{name}"
        self._block(disk, name, f"{number}:{letter}", "disk", properties)
        for index, own in enumerate(partitions, 1):
            part = {"PARTITION": str(index), **own}
            self._block(f"{disk}/{name}{index}", f"{name}{index}", f"{number}:{letter + index}", "partition", part)
        parts = (f"/sys{disk}/{name}{n}" for n in range(len(partitions), 0, -1))
        self.paths[name] = [*parts, f"/sys{disk}"]

    def _block(self, path: str, name: str, number: str, kind: str, properties: dict[str, str]) -> None:
        size = properties.pop("size", str(2**31))
        major, minor = number.split(":")
        told = {"SUBSYSTEM": "block", "DEVNAME": f"/dev/{name}", "DEVTYPE": kind, "MAJOR": major, "MINOR": minor}
        if uuid := properties.get("ID_FS_UUID"):
            told |= {"ID_BUS": "usb", "ID_FS_UUID_ENC": uuid}
        own = "".join(f"E: {key}={value}\n" for key, value in {**told, **properties}.items())
        part = f"A: partition={properties['PARTITION']}\\n\nA: start=2048\\n\n" if kind == "partition" else ""
        seq = f"A: diskseq={self.count}\\n\n" if kind == "disk" else ""
        self._add(f"P: {path}\nN: {name}\n{own}A: size={size}\\n\nA: dev={number}\\n\nA: ro=0\\n\n{part}{seq}")
        self.announced += 1
        if part:  # umockdev takes it for a disk as well
            Path(os.environ["UMOCKDEV_DIR"], "sys/block", name).unlink()

    def _add(self, text: str) -> None:
        if not LIBRARY.umockdev_testbed_add_from_string(self.bed, text.encode(), None):
            raise RuntimeError(text)

    def unplug(self, *names: str) -> None:
        for name in names:
            paths = self.paths.pop(name)
            for path in paths:
                LIBRARY.umockdev_testbed_uevent(self.bed, path.encode(), b"remove")
                self.announced += "/block/" in path
            for path in paths:
                LIBRARY.umockdev_testbed_remove_device(self.bed, path.encode())
            for folder in ("sys/block", "sys/dev/block"):  # umockdev leaves them behind
                for link in Path(os.environ["UMOCKDEV_DIR"], folder).iterdir():
                    if not link.exists():
                        link.unlink()


class Eyes:
    """The watch's look, with mounts that are only noted. No markers are compared: the stack has no identity here."""

    def __init__(self, wanted: dict[str, str], source: uevents.Source, bed: Bed) -> None:
        self.bed = bed
        self.wanted = {name: DriveSettings(uuid=uuid) for name, uuid in wanted.items()}
        self.source = source
        self.known: dict[str, Known] = {}
        self.held: dict[str, str] = {}
        self.ready: dict[str, str] = {}

    def look(self, now: float) -> dict[str, Any]:
        found, _ = drives.look((), udev=uevents.MOUNTS)
        seen = offers(making.host(drives=found))
        places = {name: Place(guarded=True, held=Held(source=at)) for name, at in self.held.items()}
        types = frozenset({"ext4", "exfat"})
        whole = Seen(data="/data", shared=True, offers=seen, places=places, drivers=types)
        tokens = pulse.tokens([one.device for one in seen])
        next_ = turn(self.known, sights(self.wanted, whole, tokens), now)
        self.known = dict(next_.known)
        lost = {event.drive for event in next_.events if event.kind == "lost"}
        self.held = {name: at for name, at in self.held.items() if name not in lost}
        self.ready = {n: o.device for n in next_.mount for o in seen if o.uuid == self.wanted[n].uuid}
        return {
            "heard": self._heard(),
            "offers": {one.device: [one.label, one.type, one.why] for one in seen},
            "events": [[event.kind, event.drive] for event in next_.events],
            "mount": self.ready,
        }

    def _heard(self) -> list[list[str]]:
        """Events come by another thread of umockdev's: until all came that were announced."""
        heard: list[list[str]] = []
        end = time.monotonic() + 20
        while len(heard) < self.bed.announced and time.monotonic() < end:
            heard += ([event.action, event.device] for event in self.source.drain())
            time.sleep(0.005)
        self.bed.announced = 0
        return heard


def main() -> None:
    told = json.load(sys.stdin)
    bed = Bed()
    eyes = Eyes(told["drives"], uevents.source(udev=uevents.MOUNTS), bed)
    looks = []
    for number, (verb, *words) in enumerate(told["steps"]):
        if verb == "look":
            looks.append(eyes.look(number * 1000.0))
        elif verb == "mount":
            eyes.held |= eyes.ready
        else:
            getattr(bed, verb)(*words)
    json.dump(looks, sys.stdout)


if __name__ == "__main__":
    main()
