"""The recorder on drives that really lose power: ext4, XFS and Btrfs, mounted, cut off, mounted again, recovered."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.recorder_rig import power, tally
from tests.integration.recorder_rig.disks import MAKERS, Disk, disk
from tests.integration.recorder_rig.takes import Studio, studio

pytestmark = pytest.mark.slow
CUTS = 20


@pytest.fixture
def makers(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    if not Path("/dev/loop-control").exists() or not Path("/dev/fuse").exists():
        pytest.skip("this machine has no loop devices or no FUSE")


@pytest.fixture(scope="module")
def actors() -> Iterator[Studio]:
    with studio() as made:
        yield made


@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize(("kind", "way"), power.WAYS, ids=lambda each: each)
def test_after_a_power_cut_all_that_was_promised_is_there(kind, way, tmp_path, actors):
    """A hundred cuts in all; each in the middle of three cameras' work, some once more while it recovers."""
    with disk(kind, way, tmp_path / "disk") as made:
        found = power.cuts(made, actors, CUTS, str(random.random()))
    tally.table("power cuts", [found], print)
    assert found.breaches == []
    assert found.count == CUTS
    assert found.recovered > CUTS / 4, "the cuts came when nothing was being recorded"
    assert found.finished > 0, "no segment was finished before a cut"


@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize("defect", ["no sync", "no coordinator", "early flip", "wrong byte", "wrong time"])
def test_a_recorder_with_a_defect_is_found(defect, tmp_path, actors):
    """The rig itself: what it never finds, it has not shown."""
    with disk("ext4", "cache", tmp_path / "disk") as made:
        rng = random.Random(defect)
        for _ in range(150):
            if power.cut(made, actors, rng, broken=defect).breaches:
                return
    raise AssertionError(f"150 cuts, and nobody saw: {defect}")


@pytest.mark.usefixtures("makers")
@pytest.mark.parametrize("kind", MAKERS)
def test_what_a_drive_has_not_flushed_is_lost_and_the_rest_is_not(kind, tmp_path):
    with disk(kind, "cache", tmp_path / "disk") as made:
        _put(made, "kept", sync=True)
        _put(made, "lost", sync=False)
        made.tell("cut 0 512 0")
        with pytest.raises(OSError, match="Input/output error"):
            _put(made, "late", sync=True)
        made.down()
        made.up()
        assert (made.at / "kept").read_text() == "kept"
        assert not (made.at / "lost").exists()


def _put(made: Disk, name: str, *, sync: bool) -> None:
    with (made.at / name).open("w") as file:
        file.write(name)
        if sync:
            file.flush()
            os.fsync(file.fileno())
