"""Drives, filesystems and mounts: real tools' output from described machines, and real loop devices."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import facts, names, only_path, program
from usenet.adapters import drives, mounts, shell, signatures
from usenet.adapters.signatures import Signature
from usenet.cli.console import plain
from usenet.domain.errors import SystemFailure
from usenet.domain.host import Drive, Filesystem, Partition


@pytest.mark.parametrize("name", names("lsblk"))
def test_a_saved_machine_shows_its_drives(name: str) -> None:
    saved = facts("lsblk", name)
    rows = drives.rows_of(json.dumps(saved["printed"]))
    table = mounts.parse(json.dumps(saved["findmnt"]))
    probed = {path: Signature(**found) for path, found in saved.get("blkid", {}).items()}

    assert plain(drives.parse(rows, table, probed)) == saved["expected"]


def held(found: tuple[Drive, ...]) -> Iterator[Filesystem]:
    def below(partitions: tuple[Partition, ...]) -> Iterator[Filesystem]:
        for one in partitions:
            yield from [one.filesystem] if one.filesystem else []
            yield from below(one.children)

    for drive in found:
        yield from [drive.filesystem] if drive.filesystem else []
        yield from below(drive.partitions)


@pytest.mark.parametrize("name", names("lsblk"))
def test_no_filesystem_is_called_after_its_fuse_driver(name: str) -> None:
    saved = facts("lsblk", name)
    rows = drives.rows_of(json.dumps(saved["printed"]))
    table = mounts.parse(json.dumps(saved["findmnt"]))

    assert "fuseblk" not in {one.type for one in held(drives.parse(rows, table))}


def test_a_fuse_mount_that_cannot_be_probed_is_of_unknown_type() -> None:
    row = {"name": "sda1", "path": "/dev/sda1", "size": 4096, "type": "disk", "maj:min": "8:1", "fstype": None}
    line = {"target": "/mnt", "source": "/dev/sda1", "fstype": "fuseblk", "options": "rw", "maj:min": "8:1"}

    (drive,) = drives.parse(
        drives.rows_of(json.dumps({"blockdevices": [row]})), mounts.parse(json.dumps({"filesystems": [line]}))
    )

    assert drive.filesystem is not None
    assert (drive.filesystem.type, drive.filesystem.mounts[0].target) == ("unknown", "/mnt")


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("", Signature()),
        ("ID_PART_TABLE_UUID=1\nID_PART_TABLE_TYPE=gpt\n", Signature()),
        (
            'ID_FS_LABEL=Füße_[1m"x\nID_FS_LABEL_ENC=Füße\\x20\\x1b\\x5b1m\\x22x\nID_FS_UUID=d4\nID_FS_UUID_ENC=d4\nID_FS_TYPE=ext4\n',
            Signature("ext4", "d4", 'Füße \x1b[1m"x'),
        ),
        ("ID_FS_LABEL_ENC=A\\x5cx20\nID_FS_TYPE=vfat\n", Signature("vfat", "", "A\\x20")),
    ],
)
def test_a_signature_keeps_every_character_of_its_label(printed: str, expected: Signature) -> None:
    assert signatures.parse(printed) == expected


NETWORK = (
    {"target": "/mnt/nas", "source": "nas:/export", "fstype": "nfs4", "options": "rw,hard"},
    {"target": "/srv/nas", "source": "nas:/export", "fstype": "nfs4", "options": "rw,hard"},
    {"target": "/mnt/cloud", "source": "box:", "fstype": "fuse.rclone", "options": "rw"},
    {"target": "/", "source": "/dev/sda1", "fstype": "ext4", "options": "rw"},
    {"target": "/var/lib/lxcfs", "source": "lxcfs", "fstype": "fuse.lxcfs", "options": "rw"},
)


def test_what_network_servers_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "stat", "echo 1024 1000 400 300")
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    monkeypatch.setattr(mounts, "PATIENCE", 60)

    found, unseen = mounts.network(mounts.parse(json.dumps({"filesystems": NETWORK})))

    assert [(one.source, one.size, one.used, one.available) for one in found] == [
        ("nas:/export", 1024000, 614400, 307200),
        ("box:", 1024000, 614400, 307200),
    ]
    assert [mount.target for mount in found[0].mounts] == ["/mnt/nas", "/srv/nas"]
    assert unseen == ()


def test_a_silent_server_is_told_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "stat", "exec sleep 60")
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    monkeypatch.setattr(mounts, "PATIENCE", 0.3)
    gone = {"target": "/mnt/gone", "source": "//old/films", "fstype": "cifs", "options": "rw"}

    found, unseen = mounts.network(mounts.parse(json.dumps({"filesystems": [*NETWORK, gone]})))

    assert [(one.source, one.size) for one in found] == [("nas:/export", None), ("box:", None), ("//old/films", None)]
    assert (unseen[-1].what, unseen[-1].why) == ("usage of /mnt/gone", "stat did not end within 0.3 s")


def test_a_zfs_pool_is_as_full_as_it_says_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = facts("lsblk", "zfs-mirror")
    program(tmp_path / "bin", "lsblk", f"cat <<'END'\n{json.dumps(saved['printed'])}\nEND")
    program(tmp_path / "bin", "stat", "echo 131072 1000000 600000 600000")
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))

    found, _ = drives.look(mounts.parse(json.dumps(saved["findmnt"])), udev=tmp_path)

    pool = found[0].partitions[0].filesystem
    assert pool is not None
    assert (pool.size, pool.used) == (131072000000, 52428800000)


@pytest.mark.parametrize("printed", ["{", "[]", '{"blockdevices": 3}', '{"blockdevices": [3]}', "NAME SIZE\nsda 1\n"])
def test_an_lsblk_without_json_is_a_failure_that_says_so(printed: str) -> None:
    with pytest.raises(SystemFailure, match="lsblk printed something else than its JSON"):
        drives.rows_of(printed)


NAMES = st.sampled_from(["sda", "nvme0n1", "mmcblk0", "mmcblk0boot0", "loop3", "zram0", "sr0", "dm-1", "vda", "ü"])
TEXT = st.none() | st.text(max_size=8) | st.sampled_from(["btrfs", "zfs_member", "squashfs", "ext4", "8:1", "usb"])
SIZE = st.none() | st.integers(0, 2**50) | st.integers(0, 2**50).map(str)


def row(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"name": NAMES, "size": SIZE, "type": st.sampled_from(["disk", "part", "loop", "rom", "crypt", "lvm"])},
        optional={
            "path": st.text(max_size=6),
            "fstype": TEXT,
            "uuid": TEXT,
            "label": TEXT,
            "tran": TEXT,
            "subsystems": TEXT,
            "rota": st.sampled_from([True, False, None, "0", "1"]),
            "maj:min": TEXT,
            "fssize": SIZE,
            "children": children,
        },
    )


TREES = st.lists(st.recursive(row(st.just([])), lambda below: row(st.lists(below, max_size=3)), max_leaves=8))
LINES = st.lists(
    st.fixed_dictionaries({"target": TEXT, "source": TEXT, "fstype": TEXT, "maj:min": TEXT, "options": TEXT})
)


@given(tree=TREES, lines=LINES)
def test_no_tree_can_break_the_reading_and_sizes_add_up(tree: list[dict[str, Any]], lines: list[Any]) -> None:
    rows = drives.rows_of(json.dumps({"blockdevices": tree}))

    found = drives.parse(rows, mounts.parse(json.dumps({"filesystems": lines})))

    whole = [one for one in tree if one["name"] not in ("zram0", "mmcblk0boot0") and one["type"] not in ("rom", "loop")]
    assert sum(one.size for one in found if one.bus != "loop") == sum(int(one["size"] or 0) for one in whole)
    assert all(one.size > 0 for one in found)
    assert "fuseblk" not in {one.type for one in held(found)}


@given(st.text())
def test_no_blkid_output_can_break_the_reading(text: str) -> None:
    signatures.parse(text)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A loop device with an ext4 filesystem that is not mounted, and its image."""
    if os.geteuid() != 0:
        pytest.skip("only root may attach loop devices")
    if not shell.found("mkfs.ext4") or not Path("/dev/loop-control").exists():
        pytest.skip("this machine has no mkfs.ext4 or no loop devices")
    image = tmp_path / "hc-films.img"
    with image.open("wb") as made:
        made.truncate(16 * 2**20)
    label, uuid = "Zwölf Filme", "6f0e8b5e-5d3a-4f62-9a55-1c2d3e4f5a6b"
    shell.checked(("mkfs.ext4", "-q", "-L", label, "-U", uuid, str(image)))
    made = shell.run(("losetup", "--find", "--show", str(image)))
    if not made.ok:
        pytest.skip(f"no loop device can be had here: {made.err.strip()}")
    device = made.out.strip()
    if drives.UDEV.exists():  # lsblk tells what udev has read, which takes it a moment
        shell.run(("udevadm", "settle", "--timeout=60"), timeout=90)
    yield device, image
    shell.checked(("losetup", "-d", device))


def test_an_unmounted_filesystem_on_a_real_device_is_seen(loop: tuple[str, Path]) -> None:
    found, _ = drives.look(mounts.look())

    (drive,) = [one for one in found if one.path == loop[0]]
    assert drive.filesystem is not None
    assert (drive.bus, drive.size, drive.filesystem.mounts) == ("loop", 16 * 2**20, ())
    assert (drive.filesystem.type, drive.filesystem.label) == ("ext4", "Zwölf Filme")
    assert drive.filesystem.uuid == "6f0e8b5e-5d3a-4f62-9a55-1c2d3e4f5a6b"


def test_a_mounted_one_has_its_place_and_its_usage(loop: tuple[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "with a space"
    place.mkdir()
    if subprocess.run(["mount", loop[0], place], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let root mount")
    try:
        found, _ = drives.look(mounts.look())
    finally:
        shell.checked(("umount", str(place)))

    filesystem = next(one.filesystem for one in found if one.path == loop[0])
    assert filesystem is not None
    assert [mount.target for mount in filesystem.mounts] == [str(place)]
    assert filesystem.size is not None
    assert 0 < filesystem.size <= 16 * 2**20
    assert filesystem.available is not None
    assert filesystem.used is not None


def test_two_signatures_on_one_device_are_told_and_not_guessed(loop: tuple[str, Path]) -> None:
    with Path(loop[0]).open("r+b") as device:
        device.write(b"-rom1fs-")  # ext4 leaves the first kilobyte alone

    found, unseen = signatures.look([loop[0]])

    assert found == {}
    assert [(one.what, one.why, one.cure) for one in unseen] == [
        (f"signatures on {loop[0]}", "more than one signature", f"see them with: wipefs --no-act {loop[0]}")
    ]


def test_devices_that_are_closed_to_us_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "blkid", 'echo "blkid: error: $4: Permission denied" >&2; exit 2')
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))

    _, unseen = signatures.look(["/dev/sda1", "/dev/sdb"])

    assert [(one.what, one.why) for one in unseen] == [("signatures on /dev/sda1, /dev/sdb", "Permission denied")]


def test_a_device_that_even_root_cannot_read_has_no_cure_that_cannot_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "blkid", 'echo "blkid: error: $4: Operation not permitted" >&2; exit 2')
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    for user, cure in (
        (0, "even root can't read it here; nothing is wrong with the others"),
        (1000, "run as root, or where udevd runs"),
    ):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        _, (unseen,) = signatures.look(["/dev/sda"])
        assert unseen.cure == cure
