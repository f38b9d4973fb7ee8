"""GPUs found in saved trees of sysfs, /dev and /proc, with stand-ins for the tools that know more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.saved import facts, names, plant
from tests.unit.gpu_bed import Bed
from usenet.adapters import gpus, nvidia, vainfo
from usenet.cli.console import plain
from usenet.domain.codecs import CODECS
from usenet.domain.host import Gpu


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return Bed(tmp_path, monkeypatch)


def nodes_by_path(gpu: Gpu) -> dict[str, Any]:
    found = plain(gpu)
    for field in ("render", "card"):
        found[field] = found[field]["path"] if found[field] else None
    found["codecs"] = [node["path"] for node in found["codecs"]]
    return found


@pytest.mark.parametrize("name", names("gpus"))
def test_a_saved_machine_shows_its_gpus(name: str, bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.endswith("-hang") or name.endswith("-hangs"):
        monkeypatch.setattr(nvidia, "PATIENCE", 0.5)
    saved = facts("gpus", name)

    found, unseen = bed.look(saved)

    assert [nodes_by_path(gpu) for gpu in found] == saved["expected"]
    assert [one.what for one in unseen] == saved["unseen"]
    assert all(one.why and one.cure for one in unseen)
    assert len(bed.calls) == len(set(bed.calls)), "a tool was asked the same thing twice"


@pytest.mark.parametrize("name", names("gpus"))
def test_what_is_expected_is_in_words_that_the_plan_knows(name: str) -> None:
    for gpu in facts("gpus", name)["expected"]:
        told = gpu["decode"] is not None or gpu["encode"] is not None
        assert told == bool(gpu["probed_by"])
        for codecs in (gpu["decode"] or [], gpu["encode"] or []):
            assert codecs == [codec for codec in CODECS if codec in codecs]


def test_a_node_has_the_numeric_group_of_the_file(bed: Bed) -> None:
    root = plant(facts("gpus", "intel-igpu")["tree"], bed.folder / "root")
    node = root / "dev/dri/renderD128"
    if os.geteuid() == 0:
        os.chown(node, 0, 993)

    found, _ = gpus.look(root)

    assert found[0].render is not None
    assert found[0].render.gid == (993 if os.geteuid() == 0 else node.stat().st_gid)


def test_an_external_card_on_a_pi_does_not_take_the_boards_place(bed: Bed) -> None:
    amd, board = facts("gpus", "amd-in-a-container")["tree"], facts("gpus", "pi-5")["tree"]
    device = "sys/devices/pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:00.0/0000:03:00.0"
    outside = {
        f"{device}/subsystem": {"link": "../../../../../../bus/pci"},
        f"{device}/drm/renderD127/device": {"link": "../../../0000:03:00.0"},
        "sys/class/drm/renderD127": {"link": f"../../../{device}/drm/renderD127"},
    }

    found, _ = gpus.look(plant({**amd, **board, **outside}, bed.folder / "root"))

    assert [(one.vendor, one.pci) for one in found] == [("amd", "0000:03:00.0"), ("raspberrypi", "1002000000.v3d")]


def test_three_drivers_are_asked_once_each_and_at_the_same_time(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each vainfo waits until the other has begun: asked one after the other, both would use up their time."""
    saved = facts("gpus", "igpu-and-nvidia-and-amd")
    bed.tools(saved)
    told = (bed.bin / "vainfo").read_text(encoding="utf-8").removeprefix("#!/bin/sh\n")
    begun = f"{bed.folder}/begun"
    meet = f'echo >> {begun}\nwhile [ "$(/usr/bin/wc -l < {begun})" -lt 2 ]; do /bin/sleep 0.02; done\n'
    (bed.bin / "vainfo").write_text(f"#!/bin/sh\n{meet}{told}", encoding="utf-8")

    found, unseen = gpus.look(plant(saved["tree"], bed.folder / "root"))

    assert (unseen, [one.decode is None for one in found]) == ((), [False, True, False])
    asked = " ".join(vainfo.COMMAND)
    assert bed.calls == [f"{asked} /dev/dri/renderD129", f"{asked} /dev/dri/renderD130"]


def test_no_tool_is_run_where_no_card_needs_it(bed: Bed) -> None:
    bed.vainfo({})
    bed.tool("nvidia-smi", "exit 1")
    for name in ("no-sysfs", "virtio-and-bmc", "virtio-gpu"):
        (bed.bin / "nvidia-smi").unlink(missing_ok=True)  # whoever has installed it wants it asked
        gpus.look(plant(facts("gpus", name)["tree"], bed.folder / name))
    assert bed.calls == []


def test_a_vainfo_that_hangs_costs_its_time_once(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vainfo, "PATIENCE", 0.3)
    bed.tool("vainfo", "exec /bin/sleep 60")
    saved = facts("gpus", "amd-rx-7800-xt")

    found, unseen = gpus.look(plant(saved["tree"], bed.folder / "root"))

    (told,) = unseen
    assert told.why == "vainfo did not end within 0.3 s"
    assert "dmesg" in told.cure  # to install it again would mend nothing
    assert len(bed.calls) == 1
    assert (found[0].decode, found[0].encode, found[0].probed_by) == (None, None, "")


def test_an_nvidia_smi_that_hangs_costs_its_time_once(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "PATIENCE", 0.3)

    found, unseen = bed.look(facts("gpus", "nvidia-smi-hangs"))

    assert [one.why for one in unseen] == ["nvidia-smi did not end within 0.3 s"]
    assert len(bed.calls) == 1
    assert found[0].uuid.startswith("GPU-3060")


def test_a_library_that_hangs_is_not_followed_by_nvidia_smi(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "PATIENCE", 0.5)
    bed.nvidia_smi("")

    _, unseen = bed.look(facts("gpus", "nvml-hangs"))

    assert [one.why for one in unseen] == ["NVIDIA's library did not answer within 0.5 s"]
    assert bed.calls == []


def test_nothing_is_loaded_from_the_directory_in_which_it_is_called(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "anybodys"
    place.mkdir()
    (place / "json.py").write_text(f"open({str(place / 'loaded')!r}, 'w').close()\nraise SystemExit(3)\n")
    monkeypatch.chdir(place)

    found, unseen = bed.look(facts("gpus", "nvidia-rtx-3060"))

    assert not (place / "loaded").exists()
    assert (found[0].encode, unseen) == (("h264", "hevc"), ())


@pytest.mark.parametrize("printed", ["", "[]", "{}", '{"cards": [1]}', '{"version": "1", "cards": [{"bus": "x"}]}'])
def test_an_answer_of_the_library_that_cannot_be_read_is_reported(
    printed: str, bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = facts("gpus", "nvidia-rtx-3060")
    monkeypatch.setattr(nvidia, "LIBRARY", ("/bin/echo", printed))

    found, unseen = bed.look(saved)

    assert [one.why for one in unseen] == ["NVIDIA's library answered what can't be read"]
    assert [one.pci for one in found] == ["0000:01:00.0"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "nvidia-smi-fails",
            "nvidia-smi failed with code 18: Failed to initialize NVML: Driver/library version mismatch",
        ),
        ("nvml-fails", "NVIDIA's library failed: RM has detected an NVML/RM version mismatch."),
        ("two-nvidia-one-lost", "card 1: GPU is lost"),
        (
            "intel-without-va-driver",
            "vainfo failed with code 3: vaInitialize failed with error code -1 (unknown libva error)",
        ),
    ],
)
def test_a_driver_that_fails_is_reported_in_its_own_words(name: str, said: str, bed: Bed) -> None:
    _, unseen = bed.look(facts("gpus", name))
    assert [one.why for one in unseen] == [said]


@pytest.mark.parametrize(
    ("card", "encode"),
    [
        ({"encoders": {"h264": 0, "hevc": 0}}, None),  # in use to the last: not told from an encoder that isn't there
        ({"encoders": {"h264": 100}, "mig": 1}, None),
        ({"encoders": {"h264": 100}, "mig": 0}, ("h264",)),
        ({"encoders": {}}, ()),
    ],
)
def test_what_the_library_does_not_tell_stays_unknown(
    card: dict[str, Any], encode: tuple[str, ...] | None, bed: Bed
) -> None:
    saved = facts("gpus", "nvidia-rtx-3060")
    saved["nvml"]["cards"][0] = {**saved["nvml"]["cards"][0], "memory": None, **card}

    found, unseen = bed.look(saved)

    assert (found[0].encode, found[0].memory) == (encode, None)
    assert [one.what for one in unseen] == (["what 0000:01:00.0 can encode"] if encode is None else [])


def test_a_node_that_this_user_may_not_open_is_not_tried(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = facts("gpus", "amd-rx-7800-xt")
    bed.vainfo(saved["vainfo"])
    root = plant(saved["tree"], bed.folder / "root")
    node = root / "dev/dri/renderD128"
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != node and allowed(path, mode))

    found, unseen = gpus.look(root)

    assert [(one.what, one.why) for one in unseen] == [("what /dev/dri/renderD128 can do", "this user may not open it")]
    assert str(node.stat().st_gid) in unseen[0].cure
    assert (bed.calls, found[0].decode) == ([], None)


def test_codec_nodes_that_this_user_may_not_open_leave_the_board_unknown(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = facts("gpus", "pi-4")
    bed.v4l2(saved["v4l2"])
    opened = os.open

    def refused(path: Path, flags: int) -> int:
        if Path(path).name == "video11":
            raise PermissionError(13, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr(os, "open", refused)

    found, unseen = gpus.look(plant(saved["tree"], bed.folder / "root"))

    assert (found[0].decode, found[0].encode) == (None, None), "half of it would be told as all of it"
    assert [one.why for one in unseen] == ["Permission denied"]


def test_a_card_that_only_the_driver_shows_is_listed(bed: Bed) -> None:
    bed.nvidia_smi("00000001:0A:00.0, GPU-1, NVIDIA GB10, [N/A], 580.95.05\n")

    found, _ = gpus.look(plant(facts("gpus", "intel-igpu")["tree"], bed.folder / "root"))

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
