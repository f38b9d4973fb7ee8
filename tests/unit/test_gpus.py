"""GPUs found in saved trees of sysfs, /dev and /proc, with a stand-in for nvidia-smi that knows one question."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import facts, names, only_path, plant, program
from usenet.adapters import gpus, nvidia, shell
from usenet.cli.console import plain
from usenet.domain.host import Gpu, Unseen

ASKED = " ".join(nvidia.COMMAND[1:])


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    return tmp_path / "bin"


def look(name: str, tmp_path: Path) -> tuple[tuple[Gpu, ...], tuple[Unseen, ...]]:
    return gpus.look(plant(facts("gpus", name)["tree"], tmp_path / "root"))


def nvidia_smi(folder: Path, prints: str) -> None:
    program(folder, "nvidia-smi", f"[ \"$*\" = '{ASKED}' ] || exit 9\ncat <<'END'\n{prints}END")


def nodes_by_path(gpu: Gpu) -> dict[str, Any]:
    found = plain(gpu)
    for field in ("render", "card"):
        found[field] = found[field]["path"] if found[field] else None
    found["codecs"] = [node["path"] for node in found["codecs"]]
    return found


@pytest.mark.parametrize("name", names("gpus"))
def test_a_saved_machine_shows_its_gpus(name: str, tmp_path: Path, bin_: Path) -> None:
    saved = facts("gpus", name)
    if "nvidia-smi" in saved:
        nvidia_smi(bin_, saved["nvidia-smi"])
    elif nvidia.is_installed():
        pytest.skip("this machine has a real nvidia-smi, the saved one has none")

    found, unseen = look(name, tmp_path)

    assert [nodes_by_path(gpu) for gpu in found] == saved["expected"]
    assert [one.what for one in unseen] == saved["unseen"]
    assert all(one.why and one.cure for one in unseen)


def test_a_node_has_the_numeric_group_of_the_file(tmp_path: Path, bin_: Path) -> None:
    root = plant(facts("gpus", "intel-igpu")["tree"], tmp_path / "root")
    node = root / "dev/dri/renderD128"
    if os.geteuid() == 0:
        os.chown(node, 0, 993)

    found, _ = gpus.look(root)

    assert found[0].render is not None
    assert found[0].render.gid == (993 if os.geteuid() == 0 else node.stat().st_gid)


def test_an_external_card_on_a_pi_does_not_take_the_boards_place(tmp_path: Path, bin_: Path) -> None:
    amd, board = facts("gpus", "amd-in-a-container")["tree"], facts("gpus", "pi-5")["tree"]
    device = "sys/devices/pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:00.0/0000:03:00.0"
    outside = {
        f"{device}/subsystem": {"link": "../../../../../../bus/pci"},
        f"{device}/drm/renderD127/device": {"link": "../../../0000:03:00.0"},
        "sys/class/drm/renderD127": {"link": f"../../../{device}/drm/renderD127"},
    }

    found, _ = gpus.look(plant({**amd, **board, **outside}, tmp_path / "root"))

    assert [(one.vendor, one.pci) for one in found] == [("amd", "0000:03:00.0"), ("raspberrypi", "1002000000.v3d")]


def test_an_nvidia_smi_that_hangs_costs_its_time_once(
    tmp_path: Path, bin_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []
    monkeypatch.setattr(shell, "_observers", [asked.append])
    monkeypatch.setattr(nvidia, "PATIENCE", 0.3)
    program(bin_, "nvidia-smi", "exec sleep 60")

    found, unseen = look("nvidia-and-igpu", tmp_path)

    assert [one.why for one in unseen] == ["nvidia-smi did not end within 0.3 s"]
    assert asked == [nvidia.COMMAND]
    assert [one.uuid for one in found if one.vendor == "nvidia"] == ["GPU-5c0b9a3e-1f2d-4c3b-8a79-0123456789ab"]


def test_a_driver_that_does_not_match_is_reported_in_its_own_words(tmp_path: Path, bin_: Path) -> None:
    program(bin_, "nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")

    _, unseen = look("nvidia-and-igpu", tmp_path)

    said = "nvidia-smi failed with code 18: Failed to initialize NVML: Driver/library version mismatch"
    assert [one.why for one in unseen] == [said]


def test_a_card_that_only_the_driver_shows_is_listed(tmp_path: Path, bin_: Path) -> None:
    nvidia_smi(bin_, "00000001:0A:00.0, GPU-1, NVIDIA GB10, [N/A], 580.95.05\n")

    found, _ = look("intel-igpu", tmp_path)

    card = found[-1]
    assert (card.pci, card.name, card.memory, card.driver_version) == ("0001:0a:00.0", "NVIDIA GB10", None, "580.95.05")


def test_a_card_that_was_never_opened_has_no_uuid_yet(tmp_path: Path) -> None:
    place = tmp_path / "gpus/0000:01:00.0/information"
    place.parent.mkdir(parents=True)
    place.write_text("Model: \t\t Unknown\nGPU UUID: \t GPU-????????-????-????-????-????????????\n")

    assert nvidia.read(tmp_path)["0000:01:00.0"].uuid == ""


@given(st.text())
def test_nothing_that_nvidia_smi_prints_can_break_the_reading(text: str) -> None:
    nvidia.parse(text)


@given(
    domain=st.integers(0, 2**32 - 1),
    bus=st.integers(0, 255),
    memory=st.integers(0, 2**20),
    name=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=",["), min_size=1),
)
def test_every_card_comes_back_with_its_address_and_bytes(domain: int, bus: int, memory: int, name: str) -> None:
    cards = nvidia.parse(f"{domain:08X}:{bus:02X}:00.0, GPU-7, {name}, {memory}, 535.183.01\n")

    assert cards == {f"{domain:04x}:{bus:02x}:00.0": nvidia.Card("GPU-7", name, memory * 2**20, "535.183.01")}
