"""What owners published of their machines, read by us, and held against the fixture of the same family of cards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.saved import facts, names
from tests.unit.gpu_bed import Bed, printed
from usenet.adapters import nvidia, vainfo
from usenet.domain.codecs import Probed
from usenet.domain.errors import SystemFailure

HEAD = "Trying display: drm\nvainfo: Driver version: a driver\nvainfo: Supported config attributes\n"
EIGHT = f"    {'VAConfigAttribRTFormat':39}: VA_RT_FORMAT_YUV420\n"
TEN = EIGHT + f"{'':45}VA_RT_FORMAT_YUV420_10\n"
# https://github.com/intel/media-driver/issues/1998: libva finds the driver, and the driver takes vainfo down.
CRASHES = "echo 'libva info: Found init function __vaDriverInit_1_22' >&2; kill -s {signal} $$"


def read(name: str) -> Probed:
    saved = facts("published", name)
    return vainfo.parse(printed(saved["driver"], saved["profiles"]))


@pytest.mark.parametrize("name", names("published"))
def test_what_was_published_is_read(name: str) -> None:
    saved = facts("published", name)

    assert read(name) == Probed(tuple(saved["decode"]), tuple(saved["encode"]), f"vainfo: {saved['driver']}")


@pytest.mark.parametrize("name", names("published"))
@pytest.mark.parametrize("does", ["decode", "encode"])
def test_the_fixture_of_its_family_differs_only_where_we_say_why(name: str, does: str) -> None:
    """A list of which only the beginning was seen tells what is there, not what is missing."""
    saved, told = facts("published", name), set(getattr(read(name), does))
    (fixture,) = facts("gpus", saved["fixture"])["expected"]

    differ = told ^ set(fixture[does]) if saved["seen"] == "whole" else told - set(fixture[does])

    assert differ == set(saved["differs"][does])
    assert all(saved["differs"][does].values())


@pytest.mark.parametrize("name", names("published/failures"))
def test_what_a_tool_of_a_machine_without_gpu_said_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = facts("published/failures", name)
    bed, out, err = Bed(tmp_path, monkeypatch), tmp_path / "out", tmp_path / "err"
    out.write_text(saved["out"], encoding="utf-8")
    err.write_text(saved["err"], encoding="utf-8")
    bed.tool(saved["tool"], f"/bin/cat {out}; /bin/cat {err} >&2; exit {saved['code']}")

    with pytest.raises(SystemFailure) as failure:
        nvidia.ask() if saved["tool"] == "nvidia-smi" else vainfo.ask("/dev/dri/renderD128")

    assert failure.value.message == saved["why"]


@pytest.mark.parametrize(("signal", "word"), [("BUS", "Bus error"), ("SEGV", "Segmentation fault")])
def test_a_driver_that_takes_vainfo_down_is_told_by_its_signal(
    signal: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bed(tmp_path, monkeypatch).tool("vainfo", CRASHES.format(signal=signal))

    with pytest.raises(SystemFailure) as failure:
        vainfo.ask("/dev/dri/renderD128")

    assert failure.value.message == f"vainfo was ended by a signal: {word}"
    assert "dmesg" in failure.value.hint


def test_why_is_not_what_libva_says_along_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'Trying display: drm'; echo 'No such device'; echo 'libva info: VA-API version 1.22.0' >&2; exit 3"
    Bed(tmp_path, monkeypatch).tool("vainfo", script)

    with pytest.raises(SystemFailure) as failure:
        vainfo.ask("/dev/dri/renderD128")

    assert failure.value.message == "vainfo failed with code 3: No such device"


@pytest.mark.parametrize(
    "unknown",
    [
        "<unknown profile>/VAEntrypointVLD",
        "VAProfileH264High/<unknown entrypoint>",
        "<unknown profile>/<unknown entrypoint>",
    ],
)
def test_ten_bits_of_what_libva_does_not_know_are_not_those_of_av1(unknown: str) -> None:
    """A libva that is older than the driver has no name for what is new in it."""
    text = f"{HEAD}VAProfileAV1Profile0/VAEntrypointVLD\n{EIGHT}\n{unknown}\n{TEN}\n"

    assert vainfo.parse(text).decode == ("av1",)


def test_a_name_that_libva_does_not_know_hides_no_other() -> None:
    """The form in which https://github.com/elFarto/nvidia-vaapi-driver/issues/125 has one."""
    unknown = f"      {'<unknown profile>':32}:\tVAEntrypointVLD\n"
    text = HEAD + unknown + f"      {'VAProfileHEVCMain':32}:\tVAEntrypointVLD\n"

    assert vainfo.parse(text).decode == ("hevc",)
