"""What a look at the drives of a stack takes for a drive, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.storage_kernel import ROOT, Kernel
from usenet.actions.storage import shelf
from usenet.domain.host import Drive, Filesystem
from usenet.domain.storage.converge import converge
from usenet.domain.storage.intent import DriveSettings
from usenet.domain.storage.offers import Offer
from usenet.domain.storage.seen import Held, Place, Seen
from usenet.domain.storage.steps import Detach, MountDrive


@pytest.mark.parametrize(("kind", "there"), [("ext4", True), ("", True), ("nfs4", False)])
def test_the_empty_mountpoint_of_a_share_that_is_away_is_not_the_share(
    tmp_path: Path, kind: str, *, there: bool
) -> None:
    host = Kernel().host()  # all of it is one ext4
    assert shelf._is_there(DriveSettings(path=str(tmp_path), type=kind), host) is there
    assert not shelf._is_there(DriveSettings(path=str(tmp_path / "none"), type=kind), host)


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
