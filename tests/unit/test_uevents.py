"""Events of real kernels and of udev: what is heard, and what the watch makes of drives that come and go."""

from __future__ import annotations

import ctypes.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from usenet.adapters.storage import uevents

ROOT = Path(__file__).parents[2]
needs_umockdev = pytest.mark.skipif(not ctypes.util.find_library("umockdev"), reason="umockdev is not installed")

FILMS = {"ID_FS_TYPE": "ext4", "ID_FS_UUID": "1111-films", "ID_FS_LABEL_ENC": "FILMS"}
MUSIC = {"ID_FS_TYPE": "exfat", "ID_FS_UUID": "2222-music", "ID_FS_LABEL_ENC": "MUSIC"}
DRIVES = {"films": "1111-films", "music": "2222-music"}
LOOK, MOUNT = ["look"], ["mount"]


def watched(*steps: list[Any], drives: dict[str, str] = DRIVES) -> list[dict[str, Any]]:
    """What the watch saw at each look."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.udev_bed"],
        input=json.dumps({"drives": drives, "steps": steps}),
        env={**os.environ, "LD_PRELOAD": "libumockdev-preload.so.0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def plug(port: str, device: str, *partitions: dict[str, str], **properties: str) -> list[Any]:
    return ["plug", port, device, properties, list(partitions)]


@needs_umockdev
def test_a_usb_drive_with_partitions_comes_and_goes() -> None:
    came, there, gone = watched(
        plug("1-1", "sdb", {"ID_FS_TYPE": "vfat", "ID_FS_UUID": "EFI"}, FILMS),
        LOOK,
        MOUNT,
        LOOK,
        ["unplug", "sdb"],
        LOOK,
    )
    assert came["heard"] == [["add", "/dev/sdb"], ["add", "/dev/sdb1"], ["add", "/dev/sdb2"]]
    assert (came["mount"], came["events"]) == ({"films": "/dev/sdb2"}, [])
    assert (there["mount"], there["events"]) == ({}, [["added", "films"]])
    assert ["remove", "/dev/sdb2"] in gone["heard"]
    assert gone["events"] == [["lost", "films"]]


@needs_umockdev
def test_two_at_once() -> None:
    came, there = watched(plug("1-1", "sdb", FILMS), plug("1-2", "sdc", MUSIC), LOOK, MOUNT, LOOK)
    assert came["mount"] == {"films": "/dev/sdb1", "music": "/dev/sdc1"}
    assert there["events"] == [["added", "films"], ["added", "music"]]


@needs_umockdev
def test_a_hub_is_pulled_with_four() -> None:
    names = ("a", "b", "c", "d")
    drives = {name: f"uuid-{name}" for name in names}
    plugged = [
        plug(f"1-1.{n}", f"sd{letter}", {"ID_FS_TYPE": "ext4", "ID_FS_UUID": f"uuid-{name}"})
        for n, (name, letter) in enumerate(zip(names, "bcde", strict=True))
    ]
    pulled = ["unplug", "sdb", "sdc", "sdd", "sde"]
    _, there, gone, back = watched(*plugged, LOOK, MOUNT, LOOK, pulled, LOOK, *plugged, LOOK, drives=drives)
    assert there["events"] == [["added", name] for name in names]
    assert gone["events"] == [["lost", name] for name in names]
    assert set(back["mount"]) == set(names)


@needs_umockdev
def test_the_same_drive_in_another_port_under_another_name() -> None:
    *_, gone, back, there = watched(
        plug("1-1", "sdb", FILMS), LOOK, MOUNT, LOOK, ["unplug", "sdb"], LOOK,
        plug("2-4", "sdf", FILMS), LOOK, MOUNT, LOOK,
    )  # fmt: skip
    assert gone["events"] == [["lost", "films"]]
    assert back["mount"] == {"films": "/dev/sdf1"}
    assert there["events"] == [["returned", "films"]]


@needs_umockdev
def test_a_drive_that_came_back_between_two_looks_was_lost() -> None:
    *_, back = watched(plug("1-1", "sdb", FILMS), LOOK, MOUNT, LOOK, ["unplug", "sdb"], plug("1-1", "sdc", FILMS), LOOK)
    assert back["events"] == [["lost", "films"]]
    assert back["mount"] == {"films": "/dev/sdc1"}


@needs_umockdev
def test_a_card_reader_without_a_card() -> None:
    empty, full = watched(plug("1-1", "sdb", size="0"), LOOK, ["unplug", "sdb"], plug("1-1", "sdb", FILMS), LOOK)
    assert (empty["offers"], empty["mount"], empty["events"]) == ({}, {}, [])
    assert full["mount"] == {"films": "/dev/sdb1"}


@needs_umockdev
def test_a_copy_takes_nothing_away_and_is_never_mounted() -> None:
    _, beside, alone, both = watched(
        plug("1-1", "sdb", FILMS), LOOK, MOUNT, plug("1-2", "sdc", FILMS), LOOK,
        ["unplug", "sdb"], LOOK, plug("1-1", "sdd", FILMS), LOOK,
    )  # fmt: skip
    assert (beside["events"], beside["mount"]) == ([["added", "films"]], {})
    assert alone["events"] == [["lost", "films"]]
    assert both["mount"] == {}, "nobody can tell which one is meant"


@needs_umockdev
def test_a_label_with_spaces_and_a_line_break() -> None:
    (seen,) = watched(plug("1-1", "sdb", {**FILMS, "ID_FS_LABEL_ENC": "MY\\x20FILMS\\x0aTWO"}), LOOK)
    assert seen["offers"]["/dev/sdb1"] == ["MY FILMS\nTWO", "ext4", ""]
    assert seen["mount"] == {"films": "/dev/sdb1"}


@needs_umockdev
def test_a_locked_drive_is_not_mounted() -> None:
    (seen,) = watched(plug("1-1", "sdb", {"ID_FS_TYPE": "crypto_LUKS", "ID_FS_UUID": "1111-films"}), LOOK)
    assert "is locked" in seen["offers"]["/dev/sdb1"][2]
    assert seen["mount"] == {}


def test_a_message_of_the_kernel() -> None:
    told = b"change@/devices/virtual/block/loop3\0ACTION=change\0SUBSYSTEM=block\0DEVNAME=loop3\0SEQNUM=1\0"
    assert uevents.parse(told) == uevents.Uevent("change", "block", "/dev/loop3")
    assert uevents.parse(b"libudev\0\xfe\xed\xca\xfe") is None
    assert uevents.parse(b"") is None


class Quiet:
    """A source that a test rings."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)

    def fileno(self) -> int:
        return self.near.fileno()

    def drain(self) -> list[uevents.Uevent]:
        try:
            return [uevents.MISSED] * bool(self.near.recv(100))
        except BlockingIOError:
            return []

    def close(self) -> None:
        self.near.close()
        self.far.close()


@pytest.fixture
def ring() -> Iterator[tuple[Quiet, Callable[[bool], uevents.Bell]]]:
    source = Quiet()
    mounts = os.open("/proc/self/mountinfo", os.O_RDONLY)
    yield source, lambda concerns: uevents.Bell("/nowhere", source, mounts, lambda _: concerns)
    os.close(mounts)
    source.close()


def test_the_bell_reads_the_whole_table_of_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gives a page of it at a time, and the stack's mounts are the last on a machine with containers."""
    table = tmp_path / "mountinfo"
    rows = [f"{n} 1 0:9 / /run/{n} rw - tmpfs tmpfs rw" for n in range(200)]
    ours = [f"999 1 0:9 / /srv/data/drives/{name} rw - ext4 /dev/sda1 rw" for name in ("films", "music")]
    table.write_text("\n".join((*rows, *ours)) + "\n")
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, size, place: real(descriptor, min(size, 4096), place))
    source, mounts = Quiet(), os.open("/proc/self/mountinfo", os.O_RDONLY)
    bell = uevents.Bell("/srv/data", source, mounts, lambda _: True)
    os.close(mounts)
    bell._mounts = os.open(table, os.O_RDONLY)
    assert [line.decode() for line in bell._relevant()] == ours
    os.close(bell._mounts)
    source.close()


def test_the_bell_rings_for_a_device_and_not_for_nothing(ring) -> None:
    source, bell = ring[0], ring[1](True)
    assert not bell.wait(0.05)
    source.far.send(b"x")
    assert bell.wait(10)
    assert not bell.wait(0.05), "what was heard is heard once"


def test_it_does_not_ring_for_a_device_that_is_no_business_of_ours(ring) -> None:
    source, bell = ring[0], ring[1](False)
    source.far.send(b"x")
    assert not bell.wait(0.2)
