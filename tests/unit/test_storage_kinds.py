"""Which driver mounts what, with which options; and words of fstab as those read them who mount by it."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.adapters import shell
from usenet.domain.storage import kinds
from usenet.domain.storage.converge import converge
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.lines import escaped
from usenet.domain.storage.seen import Seen


@pytest.mark.parametrize(
    ("type_", "available", "driver"),
    [
        ("ext4", {"ext4"}, "ext4"),
        ("ext4", {"xfs"}, ""),
        ("exfat", {"exfat", "exfat-fuse"}, "exfat"),
        ("exfat", {"exfat-fuse"}, "exfat-fuse"),
        ("ntfs", {"ntfs", "ntfs-3g"}, "ntfs-3g"),
        ("ntfs", {"ntfs3", "ntfs-3g"}, "ntfs3"),
        ("ntfs", {"ntfs"}, "ntfs"),
        ("vfat", set(), ""),
        ("", {"ext4"}, ""),
    ],
)
def test_the_best_driver_that_is_there(type_: str, available: set[str], driver: str) -> None:
    assert kinds.driver(type_, available) == driver


def test_what_nothing_can_mount_has_its_package() -> None:
    assert kinds.missing("exfat") == "this machine can't mount exfat: install exfat-fuse"
    assert kinds.missing("bcachefs") == "this machine can't mount bcachefs"


def options(type_: str, driver: str, *, read_only: bool = False) -> set[str]:
    return set(kinds.options(type_, driver, uid=1000, gid=1001, umask="002", read_only=read_only))


@pytest.mark.parametrize("type_", ["ext4", "xfs", "btrfs", "exfat", "ntfs", "vfat", "hfsplus"])
def test_nothing_on_a_drive_runs_as_somebody_else(type_: str) -> None:
    assert {"rw", "nosuid", "nodev", "noatime"} <= options(type_, type_)
    assert "ro" in options(type_, type_, read_only=True)
    assert "rw" not in options(type_, type_, read_only=True)


@pytest.mark.parametrize("type_", ["ext3", "ext4", "xfs", "btrfs", "f2fs"])
def test_a_journal_is_not_played_back_onto_a_read_only_drive(type_: str) -> None:
    (played,) = kinds.unwritten(type_)
    assert played in options(type_, type_, read_only=True)
    assert played not in options(type_, type_), "only a read-only mount may leave it out"


@pytest.mark.parametrize(("type_", "given_"), [("exfat", True), ("ntfs", True), ("vfat", True), ("ext4", False)])
def test_an_owner_is_given_to_filesystems_that_keep_none(type_: str, given_: bool) -> None:
    assert ({"uid=1000", "gid=1001", "umask=002"} <= options(type_, type_)) is given_


@pytest.mark.parametrize(("driver", "open_"), [("exfat-fuse", True), ("ntfs-3g", True), ("ntfs3", False)])
def test_what_a_program_mounts_is_open_to_containers(driver: str, open_: bool) -> None:
    assert ("allow_other" in options("ntfs", driver)) is open_


@pytest.mark.parametrize(("type_", "linked"), [("ext4", True), ("ntfs", True), ("exfat", False), ("vfat", False)])
def test_hardlinks_and_what_their_lack_costs(type_: str, linked: bool) -> None:
    assert kinds.hardlinks(type_) is linked
    assert any("hardlinks" in sentence for sentence in kinds.costs(type_)) is not linked


def test_what_is_not_written_to_here() -> None:
    assert [one for one in ("ext4", "ntfs", "exfat", "hfsplus") if not kinds.written(one)] == ["hfsplus"]


class _Line(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("source", "target", "type", "options")]


def read_by_glibc(path: Path) -> list[tuple[str, str]]:
    """As systemd reads fstab."""
    libc = ctypes.CDLL(None)
    libc.setmntent.restype, libc.getmntent.restype = ctypes.c_void_p, ctypes.POINTER(_Line)
    libc.getmntent.argtypes = libc.endmntent.argtypes = [ctypes.c_void_p]
    table = libc.setmntent(str(path).encode(), b"r")
    found = []
    while line := libc.getmntent(table):
        found.append((line.contents.source.decode(), line.contents.target.decode()))
    libc.endmntent(table)
    return found


def read_by_mount(path: Path) -> list[tuple[str, str]]:
    printed = shell.checked(("findmnt", "--tab-file", str(path), "--json", "--list", "-o", "SOURCE,TARGET"))
    return [(row["source"], row["target"]) for row in json.loads(printed)["filesystems"]]


PATHS = [
    "/mnt/Meine Filme",
    "/mnt/a\tb",
    "/mnt/a\nb",
    "/mnt/C#",
    "/mnt/#1",
    "/mnt/a\\040b",
    "/mnt/映画 Füße",
    "/mnt/a,ro",
]


@pytest.mark.parametrize("path", PATHS)
def test_all_who_read_fstab_find_the_same_paths(path: str, tmp_path: Path) -> None:
    shown = path.replace("\n", "-")  # one with a line break is refused
    drives = {"films": DriveSettings(path=f"{shown}/x"), "ro": DriveSettings(path=shown, read_only=True)}
    there = frozenset(one.path for one in drives.values())
    planned = converge(drives, Seen(data=f"{path}/data", shared=True, directories=there))
    (lines,) = [step.lines for step in planned.steps if hasattr(step, "lines")]
    (table := tmp_path / "fstab").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    expected = [(f"{shown}/x", f"{path}/data/drives/films"), (shown, f"{path}/data/drives/ro")]
    assert read_by_glibc(table) == expected
    assert read_by_mount(table) == expected
    assert [line.split(" ")[3] for line in lines] == ["bind,nofail", "bind,ro,nofail"]


def test_a_uuid_in_usenet_yaml_cannot_bring_lines_of_its_own(tmp_path: Path) -> None:
    drive = DriveSettings(uuid="1 /etc none bind 0 0\n/dev/sdz", type="ext4 rw\n")
    (step,) = [one for one in converge({"films": drive}, Seen(data="/d", shared=True)).steps if hasattr(one, "lines")]
    (table := tmp_path / "fstab").write_text("".join(f"{line}\n" for line in step.lines), encoding="utf-8")

    assert [target for _, target in read_by_glibc(table)] == ["/d/drives/films"]


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_word_stays_one_word_on_one_line(word: str) -> None:
    assert not set(escaped(word)) & set(" \t\n")
    assert escaped(word).encode().decode("unicode_escape").encode("latin-1").decode() == word
