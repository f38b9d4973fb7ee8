"""Filesystems that were left in the middle of writing: real ones in files, marked by hand, and drives of a stack."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.storage_desk import Desk
from tests.unit.storage_kernel import Disk, Kernel
from tests.unit.storage_model import Machine
from usenet.actions import storage
from usenet.actions.storage import check, unclean
from usenet.adapters import shell
from usenet.adapters.storage import guards, marks
from usenet.domain.errors import SystemFailure
from usenet.domain.storage import unclean as reading

MAKERS = {
    "exfat": ("mkfs.exfat",),
    "ntfs": ("mkfs.ntfs", "-F", "-Q"),
    "ntfs large clusters": ("mkfs.ntfs", "-F", "-Q", "-c", "65536"),
    "vfat": ("mkfs.vfat", "-F", "32"),
    "vfat 16": ("mkfs.vfat", "-F", "16"),
    "vfat 12": ("mkfs.vfat", "-F", "12", "-s", "128"),
    "ext4": ("mkfs.ext4", "-q"),
    "ext2": ("mkfs.ext2", "-q"),
}


def made(folder: Path, kind: str) -> Path:
    """A new filesystem in a file."""
    program, *options = MAKERS[kind]
    if not shell.found(program):
        pytest.skip(f"{program} is not installed")
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(64 * 2**20)
    subprocess.run([shell.found(program), *options, str(image)], check=True, capture_output=True)
    return image


def number(image: Path, at: int, size: int) -> int:
    return int.from_bytes(image.read_bytes()[at : at + size], "little")


def put(image: Path, at: int, change: Callable[[int], int]) -> None:
    with image.open("r+b") as file:
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([change(old)]))


def ntfs_flags(image: Path) -> int:
    """Where they lie: behind the version, 3.1, in the only attribute of its length in the record of $Volume."""
    name = image.read_bytes().index("$Volume".encode("utf-16-le"))
    return image.read_bytes().index(b"\x03\x01\x00\x00", name) + 2


def fat(image: Path, entry: int) -> int:
    return number(image, 0x0E, 2) * number(image, 0x0B, 2) + entry


# What a driver, or Windows, does to a filesystem that it writes to.
DIRT: dict[str, tuple[str, Callable[[Path], int], Callable[[int], int]]] = {
    "exfat": ("exfat", lambda _: 106, lambda old: old | 2),
    "ntfs": ("ntfs", ntfs_flags, lambda old: old | 1),
    "ntfs of large clusters": ("ntfs large clusters", ntfs_flags, lambda old: old | 1),
    "FAT32 by Linux": ("vfat", lambda _: 0x41, lambda old: old | 1),
    "FAT32 by Windows": ("vfat", lambda image: fat(image, 7), lambda old: old & ~8),
    "FAT16": ("vfat 16", lambda _: 0x25, lambda old: old | 1),
    "ext4 with a full journal": ("ext4", lambda _: 1024 + 96, lambda old: old | 4),
    "ext4 with errors": ("ext4", lambda _: 1024 + 58, lambda old: old | 2),
    "ext2": ("ext2", lambda _: 1024 + 58, lambda old: old & ~1),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_new_filesystem_is_clean(tmp_path: Path, kind: str) -> None:
    assert marks.look(str(made(tmp_path, kind)), kind.split(maxsplit=1)[0]) is False


@pytest.mark.parametrize("dirt", DIRT)
def test_the_mark_is_seen_and_nothing_is_written(tmp_path: Path, dirt: str) -> None:
    kind, where, change = DIRT[dirt]
    image = made(tmp_path, kind)
    put(image, where(image), change)
    before = image.read_bytes()
    assert marks.look(str(image), kind.split()[0]) is True
    assert image.read_bytes() == before


def test_a_filesystem_that_is_mounted_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = made(tmp_path, "exfat")
    put(image, 106, lambda old: old | 2)
    monkeypatch.setattr(guards, "mounted", lambda: {"/media/x": str(image)})
    assert marks.look(str(image), "exfat") is None


def test_nobody_can_tell_of_what_is_gone_cut_off_or_of_another_kind(tmp_path: Path) -> None:
    assert marks.look(str(tmp_path / "gone"), "exfat") is None
    (tmp_path / "short").write_bytes(b"\xeb\x76\x90EXFAT")
    for type_ in ("exfat", "ntfs", "vfat", "ext4", "btrfs", ""):
        assert marks.look(str(tmp_path / "short"), type_) is None


NTFS = b"\xeb\x52\x90NTFS    \x00\x02\x08"


@given(
    st.sampled_from(["exfat", "ntfs", "vfat", "ext4", "xfs"]),
    st.one_of(st.binary(max_size=1200), st.binary(max_size=600).map(lambda rest: NTFS + rest)),
    st.one_of(st.binary(max_size=1200), st.binary(max_size=1100).map(lambda rest: b"FILE" + rest)),
)
@example("ntfs", NTFS + b"\xff" * 500, b"FILE" + bytes(2000))  # an attribute of no length
@example("ntfs", NTFS + bytes(500), b"FILE" + b"\xff" * 1020)
def test_any_bytes_are_read_to_an_end(type_: str, first: bytes, more: bytes) -> None:
    where = reading.beyond(type_, first)
    assert where is None or (where[0] >= 0 and 0 < where[1] <= 2**16)
    assert reading.unclean(type_, first, more) in (True, False, None)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    machine = Machine(drivers=Kernel.drivers | {"ntfs3"})
    machine.plug(Disk(serial="A", uuid="u-a", type="exfat", unclean=True), 0)
    machine.plug(Disk(serial="B", uuid="u-b", type="exfat"), 1)
    return Desk(tmp_path / "home", machine, monkeypatch)


def notes(desk: Desk, uuid: str, *, dry_run: bool) -> str:
    desk._sit_down()
    desk.dry = dry_run
    wish = storage.Wish(drive=uuid, name=uuid)
    return "\n".join(storage.add(desk.home, wish, dry_run=dry_run, say=lambda _: None).notes)


def test_add_tells_it_with_the_commands_and_goes_on(desk: Desk) -> None:
    for dry_run in (True, False):
        told = notes(desk, "u-a", dry_run=dry_run)
        assert "left in the middle of writing" in told
        assert "look with: fsck.exfat -n /dev/sda1; mend with: fsck.exfat /dev/sda1" in told
    assert desk.machine.top("/srv/usenet/drives/u-a")
    assert "left in" not in notes(desk, "u-b", dry_run=False)


def test_a_drive_that_is_mounted_is_not_asked(desk: Desk) -> None:
    notes(desk, "u-a", dry_run=False)
    assert list(unclean.of(desk.observe(desk.home), ["u-a"])) == []
    assert "left in" not in notes(desk, "u-a", dry_run=True)


def test_where_the_machine_refuses_it_the_cure_is_the_hint(desk: Desk) -> None:
    def refuse(*_: object) -> None:
        raise SystemFailure("wrong fs type, bad superblock", hint="look at: dmesg | tail")

    desk.refuse = refuse
    for uuid, hint in (("u-a", "fsck.exfat -n /dev/sda1"), ("u-b", "dmesg")):
        with pytest.raises(SystemFailure, match="wrong fs type") as failed:
            notes(desk, uuid, dry_run=False)
        assert hint in failed.value.hint


def test_of_ntfs_the_sentence_says_what_its_drivers_refuse() -> None:
    told = reading.finding("films", "ntfs", "/dev/sdb1")
    assert "refuses to write" in told.what
    assert "read-only" in told.what
    assert "chkdsk" in told.cure


def test_check_tells_it_while_the_drive_is_not_mounted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for uuid in ("u-a", "u-b"):
        notes(desk, uuid, dry_run=False)
    for uuid in ("u-a", "u-b"):
        desk.machine.unmount(f"/srv/usenet/drives/{uuid}")
    monkeypatch.setattr(check.inside, "look", lambda *_, **__: ((), ()))
    monkeypatch.setattr(check, "_tree", lambda _: ((), None, ()))
    found = [one.about for one in check.look(desk.home).problems if "left in the middle" in one.what]
    assert found == ["u-a"]


def test_flags_of_ntfs_at_the_end_of_a_sector_are_taken_from_where_the_record_keeps_them() -> None:
    record = bytearray(1024)
    record[:8] = b"FILE\x30\x00\x03\x00"  # at 0x30: the number that stands in for the bytes, then the bytes
    record[0x14:0x16] = (0x38).to_bytes(2, "little")
    record[0x30:0x36] = b"\x06\x00\x01\x00\x00\x00"
    record[0x38:0x40] = (0x10).to_bytes(4, "little") + (444).to_bytes(4, "little")
    attribute = 0x38 + 444
    record[attribute : attribute + 8] = (0x70).to_bytes(4, "little") + (48).to_bytes(4, "little")
    record[attribute + 0x14] = 510 - 10 - attribute
    for number_there, kept, marked in ((b"\x06\x00", 1, True), (b"\x07\x00", 0, False)):
        record[510:512], record[0x32] = number_there, kept
        assert reading.unclean("ntfs", NTFS, bytes(record)) is marked
