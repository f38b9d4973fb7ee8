"""What NVIDIA's driver and nvidia-smi print, in the forms in which people published it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.saved import facts, names, plant
from tests.unit.gpu_bed import Bed
from usenet.adapters import gpu_load, nvidia
from usenet.adapters.power import Meter

ROW = "00000000:01:00.0, GPU-3060a0b1-0c1d-4e2f-8a3b-4c5d6e7f8091, NVIDIA GeForce RTX 3060, 12288, 550.120\n"
# https://github.com/NVIDIA/gpu-operator/issues/285 and https://github.com/pytorch/pytorch/pull/87464
WARNING = "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n"


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return Bed(tmp_path, monkeypatch)


def without_library(name: str) -> dict[str, Any]:
    saved = facts("gpus", name)
    del saved["nvml"]
    return saved


@pytest.mark.parametrize("name", names("nvidia"))
def test_the_drivers_own_files_are_read_in_every_form(name: str, tmp_path: Path) -> None:
    saved = facts("nvidia", name)

    found = nvidia.read(plant(saved["tree"], tmp_path))

    told = {pci: {"uuid": one.uuid, "name": one.name, "version": one.version} for pci, one in found.items()}
    assert told == saved["expected"]


@pytest.mark.parametrize(
    ("prints", "code"),
    [
        # https://github.com/anderskm/gputil/issues/26
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\n", 9),
        # https://github.com/NVIDIA/open-gpu-kernel-modules/issues/862
        ("No devices were found\n", 6),
        # https://github.com/NVIDIA/open-gpu-kernel-modules/issues/387
        ("Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error\n", 255),
    ],
)
def test_what_nvidia_smi_fails_with_is_told_and_the_driver_asked_for_the_rest(prints: str, code: int, bed: Bed) -> None:
    found, unseen = bed.look({**without_library("nvidia-rtx-3060"), "nvidia-smi": {"prints": prints, "code": code}})

    assert [one.why for one in unseen] == [f"nvidia-smi failed with code {code}: {prints.strip()}"]
    assert [one.name for one in found] == ["NVIDIA GeForce RTX 3060"]


def test_a_corrupted_inforom_is_no_failure(bed: Bed) -> None:
    """nvidia-smi warns of it after its answer and ends with 14; the card works."""
    smi = {"prints": ROW + WARNING, "code": 14}

    found, unseen = bed.look({**without_library("nvidia-rtx-3060"), "nvidia-smi": smi})

    assert [one.memory for one in found] == [12288 * 2**20]
    assert [one.what for one in unseen] == ["what 0000:01:00.0 can encode"]


def test_the_load_of_a_card_with_a_corrupted_inforom_is_told(bed: Bed, tmp_path: Path) -> None:
    row = "0, 00000000:01:00.0, NVIDIA GeForce RTX 3060, 37, 12, 4, 2, 1024, 12288, 51, 43.27\n"
    bed.tool("nvidia-smi", f"/bin/cat <<'END'\n{row}{WARNING}END\nexit 14")
    card, *_ = bed.look(facts("gpus", "nvidia-rtx-3060"))[0]

    told = gpu_load.read([card], 0.0, tmp_path / "empty")

    assert (told.cards[0].watts, told.unseen) == (43.27, ())


def test_the_watts_of_a_card_with_a_corrupted_inforom_are_told(bed: Bed, tmp_path: Path) -> None:
    bed.tool("nvidia-smi", f"/bin/cat <<'END'\n61.25\n{WARNING}END\nexit 14")
    meter = Meter("0000:01:00.0", tmp_path / "empty")
    while not bed.calls:
        time.sleep(0.01)

    assert meter.watts() == (61.25, "the card")


@pytest.mark.parametrize("listed", [[], [0]])
def test_a_card_that_the_driver_leaves_out_is_told(listed: list[int], bed: Bed) -> None:
    """One that could not be started is in PCI and has its driver, and NVIDIA's library counts the others alone."""
    saved = facts("gpus", "two-nvidia-one-lost")
    saved["nvml"]["cards"] = [saved["nvml"]["cards"][index] for index in listed]
    missing = ["0000:01:00.0", "0000:02:00.0"][len(listed) :]

    found, unseen = bed.look(saved)

    assert [one.what for one in unseen] == [f"what {', '.join(missing)} can do"]
    assert [one.pci for one in found if not one.uuid] == missing
    assert all(one.why and one.cure for one in unseen)


def test_a_card_that_could_not_be_started_keeps_the_name_of_the_pci_database(bed: Bed) -> None:
    saved = without_library("nvidia-rtx-3060")
    unknown = facts("nvidia", "gt-1030-that-could-not-be-started")["tree"]["gpus/0000:00:08.0/information"]
    saved["tree"]["proc/driver/nvidia/gpus/0000:01:00.0/information"] = unknown
    saved["tree"]["usr/share/misc/pci.ids"] = "10de  NVIDIA Corporation\n\t2504  GA106\n"

    found, _ = bed.look({**saved, "nvidia-smi": {"prints": "No devices were found\n", "code": 6}})

    assert [(one.name, one.uuid) for one in found] == [("NVIDIA Corporation GA106", "")]
