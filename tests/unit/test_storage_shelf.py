"""What a look at the drives of a stack takes for a drive, and what not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import TypeGuard

import pytest

from tests.unit.storage_kernel import ROOT, Kernel
from usenet.actions.storage import shelf
from usenet.adapters.home import Home
from usenet.domain.host import Drive, Filesystem, Partition
from usenet.domain.settings import Settings
from usenet.domain.storage.converge import converge, give
from usenet.domain.storage.health import Smart, Word, state
from usenet.domain.storage.intent import DriveSettings, StorageSettings
from usenet.domain.storage.marker import Marker
from usenet.domain.storage.offers import Offer, offers
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import Detach, MountDrive, Persist, describe

WELL, FAILING = Smart(verdict="passed"), Smart(verdict="failing")


@pytest.mark.parametrize(("kind", "there"), [("ext4", True), ("", True), ("nfs4", False)])
def test_the_empty_mountpoint_of_a_share_that_is_away_is_not_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, there: bool
) -> None:
    machine = SimpleNamespace(look=Kernel().host)  # all of it is one ext4
    monkeypatch.setattr(shelf, "hardware", machine)
    home, share = Home(tmp_path / "home"), tmp_path / "share"
    home.path.mkdir()
    home.settings.write_text(f"storage: {{drives: {{films: {{path: {share}, type: '{kind}'}}}}}}\n")
    assert not shelf.observe(home).seen.directories
    share.mkdir()
    assert shelf.observe(home).seen.directories == ({str(share)} if there else set())


def _offer(kind: str) -> Offer:
    filesystem = Filesystem(source=ROOT, type=kind, uuid="root")
    return Offer(device=ROOT, drive=Drive(name="sda", path=ROOT[:-1], size=1), filesystem=filesystem, size=1)


@pytest.mark.parametrize(("kind", "goes"), [("ext4", True), ("btrfs", False)])
def test_a_directory_of_a_drive_in_its_place_is_not_the_drive(kind: str, *, goes: bool) -> None:
    drive = DriveSettings(uuid="root", type=kind, read_only=True)
    seen = Seen(
        data="/srv/usenet",
        shared=True,
        offers=(_offer(kind),),
        places={"films": Place(held=Held(source=ROOT, read_only=True, part=True))},
        drivers=frozenset({kind}),
    )
    kinds = [type(step) for step in converge({"films": drive}, seen).steps]
    assert (Detach in kinds, MountDrive in kinds) == (goes, goes)


@pytest.mark.parametrize("lasting", [True, False])
def test_where_guards_do_not_last_the_mountpoints_are_read_only_from_the_start_of_the_machine(*, lasting: bool) -> None:
    seen = Seen(data="/srv/usenet", shared=False, offers=(_offer("ext4"),), lasting=lasting)
    (step,) = (
        one for one in converge({"films": DriveSettings(uuid="root", type="ext4")}, seen).steps if _persists(one)
    )
    targets = [(line.split(" ")[1], line.split(" ")[3]) for line in step.lines]
    assert targets[0][0] == "/srv/usenet"
    assert targets[-1][0] == "/srv/usenet/drives/films"
    assert targets[1:-1] == ([] if lasting else [("/srv/usenet/drives", "bind,ro,nofail")])


def _persists(step: object) -> TypeGuard[Persist]:
    return isinstance(step, Persist)


@pytest.mark.parametrize(
    ("drive", "uid", "given"),
    [
        (DriveSettings(uuid="root", type="ext4"), 1000, True),
        (DriveSettings(uuid="root", type="btrfs"), 1000, True),
        (DriveSettings(uuid="root", type="ext4", read_only=True), 1000, False),
        (DriveSettings(uuid="root", type="exfat"), 1000, False),  # no file has an owner
        (DriveSettings(uuid="root", type="ext4"), 0, False),  # it is root's already
        (DriveSettings(path="/mnt/nas", type="ext4"), 1000, False),
        (DriveSettings(uuid="away", type="ext4"), 1000, False),
    ],
)
def test_only_a_drive_that_is_there_and_written_to_is_given_to_the_services(
    drive: DriveSettings, uid: int, *, given: bool
) -> None:
    seen = Seen(data="/srv/usenet", shared=True, offers=(_offer(drive.type),), drivers=frozenset({drive.type}), uid=uid)
    step = give("films", drive, seen)
    assert (step is not None) is given
    if step:
        assert describe(step) == "give the empty top directory of films to 1000:1000, so that services can write"
        assert (step.source, step.mode & 0o770) == (ROOT, 0o770)


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (Held(source=ROOT, marker=Marker(stack="s", name="films", uuid="root")), "mounted"),
        (
            Held(source=ROOT, read_only=True, marker=Marker(stack="s", name="films", uuid="root")),
            "read-only: nothing can",
        ),
        (Held(source=ROOT, alive=False), "dead: it does not answer"),
        (
            Held(source=ROOT, marker=Marker(stack="other", name="films", uuid="root")),
            "wrong marker: it is that of films",
        ),
        (None, "not mounted: usenet storage check --fix"),
    ],
)
def test_a_drive_is_called_what_status_calls_it(tmp_path: Path, held: Held | None, told: str) -> None:
    drives = {"films": DriveSettings(uuid="root", type="ext4"), "gone": DriveSettings(uuid="u-gone")}
    seen = Seen(
        data="/srv/usenet", shared=True, stack="s", offers=(_offer("ext4"),), places={"films": Place(held=held)}
    )
    found = shelf.Shelf(Home(tmp_path), Settings(storage=StorageSettings(drives=drives)), Kernel().host(), seen)
    rows = {row.name: row.state for row in shelf.rows(found, {})}
    assert rows["films"].startswith(told)
    assert rows["films"].split(":")[0] == state(drives["films"], "films", seen)[0]
    assert rows["gone"] == "away"


def _disk(name: str, *parts: Partition) -> Drive:
    return Drive(name=name, path=f"/dev/{name}", size=2**40, serial=name, partitions=parts)


def _part(path: str, uuid: str, kind: str = "ext4") -> Partition:
    return Partition(path=path, kind="part", size=2**39, filesystem=Filesystem(source=path, type=kind, uuid=uuid))


def _words(tmp_path: Path, *disks: Drive, **told: Smart) -> dict[str, Word]:
    host = replace(Kernel().host(), drives=disks)
    seen = Seen(data="/srv/usenet", shared=True, offers=offers(host))
    found = shelf.Shelf(Home(tmp_path), Settings(), host, seen)
    return {row.device: row.smart for row in shelf.rows(found, {f"/dev/{name}": one for name, one in told.items()})}


def test_filesystems_of_one_disk_share_its_answer_and_copies_do_not(tmp_path: Path) -> None:
    one = _disk("sdb", _part("/dev/sdb1", "a"), _part("/dev/sdb2", "b"))
    found = _words(tmp_path, one, _disk("sdc", _part("/dev/sdc1", "b")), sdb=FAILING, sdc=WELL)
    assert {device: word.state for device, word in found.items()} == {
        "/dev/sdb1": "failing", "/dev/sdb2": "failing", "/dev/sdc1": "ok",
    }  # fmt: skip


def test_a_filesystem_over_several_disks_is_as_well_as_the_worst_of_them(tmp_path: Path) -> None:
    found = _words(
        tmp_path, *(_disk(name, _part(f"/dev/{name}1", "a", "btrfs")) for name in ("sdb", "sdc")), sdb=WELL, sdc=FAILING
    )
    assert found == {"/dev/sdb1": Word("failing", "/dev/sdc says that it fails")}


def test_with_a_disk_that_nobody_asked_nothing_is_called_well(tmp_path: Path) -> None:
    found = _words(tmp_path, *(_disk(name, _part(f"/dev/{name}1", "a", "btrfs")) for name in ("sdb", "sdc")), sdb=WELL)
    assert found == {"/dev/sdb1": Word("", "/dev/sdc: it was not asked")}


def test_the_drives_are_asked_while_the_rest_is_looked_at_and_only_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, looked = Event(), Event()
    meanwhile = []

    def ask(devices: object, patience: float) -> dict[str, Smart]:
        asking.set()
        meanwhile.append((devices, patience, looked.wait(20)))
        return {}

    def observe(home: Home, *, wake: bool) -> shelf.Shelf:
        assert asking.wait(20)
        looked.set()
        assert not wake
        return shelf.Shelf(home, Settings(), Kernel().host(), Seen(data="/srv/usenet", shared=True))

    monkeypatch.setattr(shelf, "smart", SimpleNamespace(disks=lambda: ("/dev/sdb",), ask=ask))
    monkeypatch.setattr(shelf, "observe", observe)
    assert shelf.listed(Home(tmp_path), all_=True) == ([], 0)
    assert meanwhile == [(("/dev/sdb",), shelf.GLANCE, True)]
