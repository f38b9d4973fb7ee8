"""Which filesystems of a machine are offered: never its own, never a guess, each once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.saved import facts
from usenet.adapters import drives, hosts, mounts
from usenet.domain.host import Drive, Filesystem, Host, Mount, Partition
from usenet.domain.storage.offers import Offer, offers
from usenet.domain.storage.seen import Seen

HOSTS = sorted((Path(__file__).parents[1] / "hosts").glob("*.json"))
# Device → label, of all that each saved machine has to offer; whoever is not here has nothing.
OFFERED = {
    "amd": {"/dev/sda1": "media"},
    "btrfs": {"/dev/sda": "pool"},
    "intel-arc": {"/dev/sda1": "films"},
    "intel-igpu": {"/dev/sda1": "media"},
    "laptop-usb": {"/dev/sda1": "Meine Filme", "/dev/sdc1": "FILMS"},
    "luks-lvm": {"/dev/mapper/vg0-media": "media"},
    "nas-eight-drives": {f"/dev/sd{letter}1": f"disk{n}" for n, letter in enumerate("abcdefgh", 1)},
    "nvidia": {"/dev/sda1": "tank", "/dev/sdb1": "tank2"},
    "pi4": {"/dev/sda1": "media"},
    "pi5": {"/dev/nvme0n1p1": "media"},
    "two-gpus": {"/dev/sda1": "media"},
}
SYSTEM = ("/", "/boot", "/boot/efi", "/boot/firmware", "/var/lib/docker", "/efi", "/usr/local", "/var/lib/libvirt")


def usable(found: tuple[Offer, ...]) -> dict[str, str]:
    return {one.device: one.label for one in found if not one.why}


def why(found: tuple[Offer, ...]) -> dict[str, str]:
    return {one.device: one.why for one in found}


def machine(*with_: Drive) -> Host:
    return replace(hosts.load(next(path for path in HOSTS if path.stem == "vm-bare")), drives=with_)


def drive(name: str, *partitions: Partition, filesystem: Filesystem | None = None) -> Drive:
    return Drive(name=name, path=f"/dev/{name}", size=2**40, filesystem=filesystem, partitions=partitions)


def holds(path: str, type_: str, uuid: str = "1", *targets: str, label: str = "") -> Filesystem:
    return Filesystem(source=path, type=type_, uuid=uuid, label=label, mounts=tuple(Mount(target=t) for t in targets))


def part(path: str, type_: str, uuid: str = "1", *targets: str, label: str = "", size: int = 2**40) -> Partition:
    return Partition(path=path, kind="part", size=size, filesystem=holds(path, type_, uuid, *targets, label=label))


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.stem)
def test_a_saved_machine_offers_what_is_not_its_own(path: Path) -> None:
    assert usable(offers(hosts.load(path))) == OFFERED.get(path.stem, {})


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.stem)
def test_a_machine_that_has_nothing_mounted_still_keeps_what_it_starts_from(path: Path) -> None:
    """As it is seen from a live system."""
    host = hosts.load(path)

    def bare(one: Partition) -> Partition:
        filesystem = replace(one.filesystem, mounts=()) if one.filesystem else None
        return replace(one, filesystem=filesystem, children=tuple(map(bare, one.children)))

    bared = tuple(replace(one, partitions=tuple(map(bare, one.partitions))) for one in host.drives)
    assert not [one for one in offers(replace(host, drives=bared)) if one.type == "vfat" and not one.why]


@pytest.mark.parametrize("target", SYSTEM)
@pytest.mark.parametrize("type_", ["ext4", "xfs", "btrfs", "vfat", "ntfs"])
def test_what_the_machine_runs_from_is_never_offered(target: str, type_: str) -> None:
    (one,) = offers(machine(drive("sda", part("/dev/sda1", type_, "1", "/mnt/x", target))))
    assert one.why == f"holds {target} of this machine"


@pytest.mark.parametrize(
    "target", ["/mnt/x", "/media/boot", "/home", "/srv/usr", "/var/mnt/x", "/run/media/a/b", "/bootleg"]
)
def test_what_people_mount_is_offered(target: str) -> None:
    assert usable(offers(machine(drive("sda", part("/dev/sda1", "ext4", "1", target))))) == {"/dev/sda1": ""}


def test_what_holds_the_engine_or_the_stack_is_not_offered() -> None:
    host = machine(
        drive("sda", part("/dev/sda1", "ext4", "1", "/")),
        drive("sdb", part("/dev/sdb1", "xfs", "2", "/srv/engine")),
        drive("sdc", part("/dev/sdc1", "xfs", "3", "/home")),
        drive("sdd", part("/dev/sdd1", "xfs", "4", "/mnt/d")),
    )
    assert usable(offers(host, keep=("/home/anna/usenet", "/srv/engine"))) == {"/dev/sdd1": ""}


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("crypto_LUKS", "is locked: open it first with cryptsetup open /dev/sda1 NAME"),
        ("LVM2_member", "belongs to LVM"),
        ("linux_raid_member", "belongs to a RAID"),
        ("isw_raid_member", "belongs to a RAID"),
        ("zfs_member", "belongs to a ZFS pool"),
        ("swap", "is swap"),
        ("unknown", "has a signature that nobody here knows"),
        ("bcache", "is bcache, which nobody here can mount"),
        ("apfs", "is apfs, which nobody here can mount"),
        ("iso9660", "is a disc image"),
    ],
)
def test_what_is_no_filesystem_says_what_it_is(type_: str, words: str) -> None:
    (one,) = offers(machine(drive("sda", part("/dev/sda1", type_))))
    assert one.why.startswith(words)


def test_a_drive_without_a_filesystem_or_a_uuid_is_told_and_not_offered() -> None:
    empty, nameless = offers(machine(drive("sda"), drive("sdb", part("/dev/sdb1", "ext4", ""))))
    assert empty.why.startswith("has no filesystem")
    assert nameless.why == "has no UUID to know it by"


@pytest.mark.parametrize("whole", [True, False], ids=["whole drive", "partition"])
def test_an_open_lock_shows_what_is_behind_it_alone(whole: bool) -> None:
    opened = replace(part("/dev/mapper/films", "ext4", "2"), kind="crypt")
    locked = Partition(
        path="/dev/sda1", kind="part", size=2**40, filesystem=holds("/dev/sda1", "crypto_LUKS"), children=(opened,)
    )
    on = drive("sda", opened, filesystem=holds("/dev/sda", "crypto_LUKS")) if whole else drive("sda", locked)
    assert why(offers(machine(on))) == {"/dev/mapper/films": ""}


def test_an_array_is_one_offer_however_many_drives_it_lies_on() -> None:
    saved = facts("lsblk", "raid-five-disks")
    rows, table = drives.rows_of(json.dumps(saved["printed"])), mounts.parse(json.dumps(saved["findmnt"]))

    (tank,) = [one for one in offers(machine(*drives.parse(rows, table))) if one.label == "tank"]
    assert (tank.devices, tank.label, tank.why) == (("/dev/md0",), "tank", "")


def test_a_btrfs_over_two_drives_is_one_offer_with_both_devices() -> None:
    (path,) = [path for path in HOSTS if path.stem == "btrfs"]
    (pool,) = [one for one in offers(hosts.load(path)) if one.label == "pool"]
    assert pool.devices == ("/dev/sda", "/dev/sdb")
    assert pool.size == 2 * 2000398934016


def test_a_btrfs_of_which_one_drive_is_the_machines_is_not_offered() -> None:
    host = machine(
        drive("sda", filesystem=holds("/dev/sda", "btrfs", "1")),
        drive("sdb", filesystem=holds("/dev/sdb", "btrfs", "1", "/")),
    )
    assert why(offers(host)) == {"/dev/sda": "holds / of this machine"}


def test_a_copy_makes_both_unusable() -> None:
    host = machine(
        drive("sda", part("/dev/sda1", "ext4", "7")),
        drive("sdb", part("/dev/sdb1", "ext4", "8")),
        drive("sdc", part("/dev/sdc1", "ext4", "7")),
    )
    found = why(offers(host))
    assert found["/dev/sdb1"] == ""
    assert found["/dev/sda1"].startswith("has the same UUID as /dev/sdc1:")
    assert found["/dev/sdc1"].startswith("has the same UUID as /dev/sda1:")


def test_a_clone_of_the_root_is_not_offered_and_the_root_is_told_as_what_it_is() -> None:
    host = machine(drive("sda", part("/dev/sda1", "ext4", "7", "/")), drive("sdb", part("/dev/sdb1", "ext4", "7")))
    assert why(offers(host))["/dev/sda1"] == "holds / of this machine"
    assert not usable(offers(host))


@pytest.mark.parametrize(
    ("partitions", "offered"),
    [
        ([("vfat", 2**29, ""), ("ext4", 2**40, "")], ["ext4"]),
        ([("vfat", 2**30, "bootfs"), ("ext4", 2**40, "")], ["ext4"]),
        ([("vfat", 200 * 2**20, "EFI"), ("exfat", 2**40, "")], ["exfat"]),
        ([("vfat", 2**28, "esp")], []),
        ([("vfat", 2**28, "CAMERA")], ["vfat"]),
        ([("vfat", 2**35, "EFI"), ("exfat", 2**40, "")], ["vfat", "exfat"]),
        ([("ext4", 2**29, ""), ("exfat", 2**40, "")], ["ext4", "exfat"]),
    ],
)
def test_a_small_fat_beside_others_is_what_a_machine_starts_from(
    partitions: list[tuple[str, int, str]], offered: list[str]
) -> None:
    made = [
        part(f"/dev/sda{n}", kind, str(n), size=size, label=label) for n, (kind, size, label) in enumerate(partitions)
    ]
    assert [one.type for one in offers(machine(drive("sda", *made))) if not one.why] == offered


def test_leftovers_of_partitioning_are_not_shown() -> None:
    extended = Partition(path="/dev/sda2", kind="part", size=1024)
    assert list(why(offers(machine(drive("sda", extended, part("/dev/sda5", "ext4")))))) == ["/dev/sda5"]


LABELS = ["Meine Filme", "two\nlines", "映画", "a/b", "..", "-rf", "\x1b[31m", "x" * 300]


@pytest.mark.parametrize("label", LABELS)
def test_any_label_is_kept_as_it_is(label: str) -> None:
    assert usable(offers(machine(drive("sda", part("/dev/sda1", "ext4", label=label))))) == {"/dev/sda1": label}


def test_where_else_it_is_mounted_is_where_all_of_it_is_seen() -> None:
    seen = Seen(data="/srv/usenet", shared=True, parts=frozenset({"/home", "/srv/films"}))

    def elsewhere(type_: str, *mounted: Mount) -> str:
        filesystem = Filesystem(source="/dev/sda1", type=type_, uuid="1", mounts=mounted)
        (one,) = offers(machine(drive("sda", filesystem=filesystem)))
        return seen.elsewhere(one)

    ours = Mount(target="/srv/usenet/drives/films")
    left = Mount(target="/run/usenet/mounts/films")
    theirs = Mount(target="/run/media/anna/films")
    assert elsewhere("ext4", ours, left) == ""
    assert elsewhere("ext4", ours, left, theirs) == "/run/media/anna/films"
    assert elsewhere("ext4", Mount(target="/srv/films"), theirs) == "/run/media/anna/films"
    assert elsewhere("ext4", Mount(target="/srv/films")) == ""
    assert elsewhere("btrfs", Mount(target="/home", options=("rw", "subvol=/@home"))) == ""
    assert elsewhere("btrfs", Mount(target="/mnt", options=("rw", "subvol=/"))) == "/mnt"
