"""This machine's own ffmpeg works on the card that it is measured for, when NVIDIA has several here.

No machine with two was there to try it on: what CUDA makes of the variable is NVIDIA's documentation.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import gpu, host
from tests.unit.test_benchmark import ALL
from usenet.actions import hardware
from usenet.actions.hardware import benchmark
from usenet.adapters import ffmpeg, shell
from usenet.adapters.ffmpeg import Ffmpeg
from usenet.adapters.home import Home
from usenet.domain.host import Engine, Gpu

FIRST = gpu("nvidia", "0000:01:00.0", id="10de:1c82", uuid="GPU-1", driver="nvidia", encode=("h264",), decode=("h264",))
SECOND = replace(FIRST, pci="0000:41:00.0", uuid="GPU-2", encode=("h264", "hevc", "av1"))
INTEL = gpu("intel", driver="i915", encode=("h264",), decode=("h264",), probed_by="vainfo")
SMI = "nvidia.com/gpu={}"


def commands(monkeypatch: pytest.MonkeyPatch, home: Path, *cards: Gpu, cdi: tuple[str, ...] = ()) -> list[list[str]]:
    """What a benchmark without a stack would run."""
    engine = Engine(version="26", api="1.45", runtimes=("nvidia",), cdi=cdi)
    monkeypatch.setattr(hardware, "look", lambda: host(gpus=cards, engine=engine))
    monkeypatch.setattr(ffmpeg, "offers", lambda _: ALL)
    return list(benchmark.commands(benchmark.prepare(Home(home), quick=True)))


@pytest.mark.parametrize("cdi", [(), (SMI.format("GPU-1"), SMI.format("GPU-2"))], ids=["toolkit", "cdi"])
def test_of_two_it_finds_the_one_that_was_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cdi: tuple[str, ...]
) -> None:
    lines = commands(monkeypatch, tmp_path, FIRST, SECOND, cdi=cdi)
    assert {tuple(line[:3]) for line in lines} == {("env", "CUDA_VISIBLE_DEVICES=GPU-2", "ffmpeg")}
    assert any("cuda=card:0" in line for line in lines)  # the first of those that it finds


@pytest.mark.parametrize("cards", [(FIRST,), (FIRST, INTEL), (INTEL,), ()], ids=len)
def test_where_card_0_is_the_only_one_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cards: tuple[Gpu, ...]
) -> None:
    assert {line[0] for line in commands(monkeypatch, tmp_path, *cards)} == {"ffmpeg"}


def test_another_makers_card_beside_two_of_nvidias_needs_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    best = replace(INTEL, encode=("h264", "hevc", "av1", "hevc-10"))
    lines = commands(monkeypatch, tmp_path, FIRST, replace(FIRST, pci="0000:41:00.0", uuid="GPU-2"), best)
    assert {line[0] for line in lines} == {"ffmpeg"}


def test_the_program_is_told() -> None:
    assert shell.run(Ffmpeg("printenv", card="GPU-2").command(["CUDA_VISIBLE_DEVICES"])).out == "GPU-2\n"
