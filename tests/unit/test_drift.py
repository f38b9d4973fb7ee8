"""A card that changed since the stack was written is told, in words that name what changed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from usenet.adapters import cards
from usenet.domain.hardware.drift import Granted, drifts
from usenet.domain.plan import Encoder, Gpus, Grant

VAAPI = Encoder(kind="vaapi", gpu="0000:00:02.0", driver="i915", device="/dev/dri/renderD128")
NVENC = Encoder(kind="nvenc", gpu="0000:01:00.0", driver="nvidia 550.120")
WRITTEN = Granted(service="tv", encoder=VAAPI, devices=("/dev/dri/renderD128",), groups=(105,), gpus=None)
PLANNED = Grant(
    service="tv",
    title="TV",
    group="media",
    role="local",
    image="x",
    encoder=VAAPI,
    devices=WRITTEN.devices,
    groups=WRITTEN.groups,
)


def said(**changes: object) -> list[str]:
    return [one.said for one in drifts([WRITTEN], [replace(PLANNED, **changes)])]


def test_the_same_is_no_drift() -> None:
    assert said() == []
    assert drifts([WRITTEN], []) == ()


def test_what_another_user_could_probe_is_no_drift() -> None:
    assert said(encoder=replace(VAAPI, kind="qsv", encode=("h264",), decode=("h264",))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": (109,)}, "the groups of its devices were 105, they are 109 now"),
        ({"devices": ("/dev/dri/renderD129",)}, "/dev/dri/renderD128 is /dev/dri/renderD129 now"),
        ({"encoder": replace(VAAPI, driver="xe")}, "the driver of 0000:00:02.0 was i915, it is xe now"),
        (
            {"encoder": Encoder(kind="software"), "devices": (), "groups": ()},
            "was given the card at 0000:00:02.0, would be given no card now",
        ),
        (
            {"encoder": NVENC, "devices": (), "groups": (), "gpus": Gpus(driver="nvidia", ids=("GPU-1",))},
            "was given the card at 0000:00:02.0, would be given the card at 0000:01:00.0 now",
        ),
    ],
)
def test_each_change_has_its_sentence(changes: dict[str, object], words: str) -> None:
    assert said(**changes) == [words]


def test_another_way_to_ask_the_engine() -> None:
    old = replace(WRITTEN, encoder=NVENC, devices=(), groups=(), gpus=Gpus(driver="nvidia", ids=("GPU-1",)))
    new = replace(PLANNED, encoder=NVENC, devices=(), groups=(), gpus=Gpus(driver="cdi", ids=("nvidia.com/gpu=GPU-1",)))
    (one,) = drifts([old], [new])
    assert one.said == "the engine was asked for GPU-1 by nvidia, it would be asked for nvidia.com/gpu=GPU-1 by cdi now"


def test_a_node_that_is_gone_or_has_another_group(tmp_path: Path) -> None:
    node = tmp_path / "renderD128"
    assert cards.moved([str(node)], (105,), "i915") == f"{node} of its GPU is gone"
    node.touch(mode=0o660)
    own = node.stat().st_gid
    assert cards.moved([str(node)], (own,), "i915") == ""
    assert f"belongs to group {own} now, it was given 105, 44" in cards.moved([str(node)], (105, 44), "i915")
    node.chmod(0o666)
    assert cards.moved([str(node)], (105,), "i915") == ""


def test_nvidias_driver_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "version"
    monkeypatch.setattr(cards, "_VERSION", os.fspath(file))
    assert cards.moved([], (), "nvidia 550.120") == "NVIDIA's driver is not loaded any more"
    monkeypatch.setattr(cards, "_WINDOWS", os.fspath(tmp_path))
    assert cards.moved([], (), "nvidia 550.120") == ""  # this kernel never had it
    file.write_text("560.35\n")
    assert cards.moved([], (), "nvidia 550.120") == "NVIDIA's driver was 550.120, it is 560.35 now"
    file.write_text("550.120\n")
    assert cards.moved([], (), "nvidia 550.120") == cards.moved([], (), "nvidia") == ""
