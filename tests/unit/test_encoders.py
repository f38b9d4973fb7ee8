"""A service gets a GPU that is there and usable, or software, with the reason."""

from dataclasses import replace

import pytest

from tests.making import gpu, host
from usenet.domain import encoders
from usenet.domain.errors import ValidationError
from usenet.domain.host import Engine, Gpu, Node
from usenet.domain.plan import Encoder, Measured

NVIDIA = gpu("nvidia", "0000:01:00.0", id="10de:2684", uuid="GPU-1f2e", driver="nvidia", render=None)
INTEL = gpu("intel", driver="i915")
AMD = gpu("amd", "0000:03:00.0", driver="amdgpu", render=Node(path="/dev/dri/renderD129", gid=993))


def with_runtime(*cdi: str, runtimes: tuple[str, ...] = ("nvidia", "runc")) -> Engine:
    return Engine(version="26", api="1.45", runtimes=runtimes, cdi=tuple(f"nvidia.com/gpu={name}" for name in cdi))


def test_intel_gets_its_render_node_and_its_numeric_group() -> None:
    found = encoders.grant("jellyfin", host(gpus=(INTEL,)), "auto")
    assert (found.devices, found.groups) == (("/dev/dri/renderD128",), (105,))
    assert found.choice.value == "intel 0000:00:02.0"


@pytest.mark.parametrize(("card", "driver"), [(INTEL, None), (gpu("intel", driver="xe"), "iHD"), (AMD, "radeonsi")])
def test_the_va_driver_by_the_kernels(card: Gpu, driver: str | None) -> None:
    """Cards of i915 need one of two by their age, and libva tries both."""
    assert encoders.grant("x", host(gpus=(card,)), "auto").environment.get("LIBVA_DRIVER_NAME") == driver


def probed(card: Gpu, *encode: str, by: str = "vainfo: Intel iHD driver") -> Gpu:
    return replace(card, encode=encode, decode=("h264", "hevc"), probed_by=by)


def best(*cards: Gpu) -> str:
    found = encoders.grant("x", host(gpus=cards, engine=with_runtime()), "auto")
    return found.choice.value.split()[0]


def test_the_card_that_encodes_most_is_taken() -> None:
    old, new = probed(INTEL, "h264"), probed(AMD, "h264", "hevc", "av1")
    assert best(old, new) == best(new, old) == "amd"
    assert best(probed(NVIDIA, "h264", "hevc"), probed(INTEL, "h264", "hevc", "hevc-10", "jpeg")) == "nvidia"


def test_what_was_probed_goes_before_what_was_not_and_a_decoder_comes_last() -> None:
    assert best(NVIDIA, probed(INTEL, "h264")) == "intel"
    assert best(probed(NVIDIA), AMD) == "amd"
    alone = encoders.grant("x", host(gpus=(probed(NVIDIA),), engine=with_runtime()), "auto")
    assert alone.choice.because == "decodes only: it has no encoder"
    assert alone.gpus is not None


def test_who_may_not_ask_a_card_changes_no_choice() -> None:
    """Root asked both and gave the better one; a user without its group asks one alone, or neither."""
    intel, amd = probed(INTEL, "h264", "hevc", "hevc-10"), probed(AMD, "h264", "hevc", "av1", by="vainfo: Mesa")

    def given(*cards: Gpu, before: tuple[Encoder, ...] = ()) -> Encoder:
        there = encoders.as_given(host(gpus=cards, engine=with_runtime()), before)
        return encoders.grant("x", there, "auto").encoder

    first = given(intel, amd)
    assert first.gpu == AMD.pci
    for seen in ((INTEL, AMD), (intel, AMD), (INTEL, amd)):
        assert given(*seen, before=(Encoder(kind="software"), first)) == first
    assert given(INTEL, AMD).gpu == INTEL.pci  # nothing was given before: by vendor

    alone = given(intel)
    assert alone.kind == "qsv"
    assert given(INTEL, before=(alone,)) == alone
    assert given(replace(INTEL, driver="xe"), before=(alone,)).encode is None  # another driver is another matter
    better = probed(INTEL, "h264", "hevc", "av1", by="vainfo: Mesa")
    assert given(better, before=(alone,)).encode == better.encode  # what is asked now counts


def test_a_driver_without_any_codec_of_today_is_no_reason_to_open_the_card() -> None:
    bare = replace(AMD, encode=(), decode=("mpeg2", "vc1"), probed_by="vainfo")
    found = encoders.grant("x", host(gpus=(bare,)), "auto")
    assert (found.choice.value, found.devices) == ("software", ())
    assert "no codec of today" in found.choice.because


@pytest.mark.parametrize(
    ("card", "kind"),
    [
        (INTEL, "vaapi"),
        (probed(INTEL, "h264", "hevc", "hevc-10"), "qsv"),
        (probed(INTEL, "h264"), "vaapi"),
        (probed(AMD, "h264", "hevc", "hevc-10", by="vainfo: Mesa Gallium driver"), "vaapi"),
        (NVIDIA, "nvenc"),
    ],
)
def test_what_the_application_is_told_to_use(card: Gpu, kind: str) -> None:
    found = encoders.grant("x", host(gpus=(card,), engine=with_runtime()), "auto").encoder
    assert found is not None
    assert (found.kind, found.gpu, found.encode) == (kind, card.pci, card.encode)
    assert found.device == ("" if kind == "nvenc" else card.render.path if card.render else None)


def test_a_card_that_failed_in_the_container_is_software_with_the_reason() -> None:
    found = encoders.grant("x", host(gpus=(INTEL,)), "auto", "verify failed: no such device")
    assert (found.choice.value, found.choice.because, found.devices) == (
        "software",
        "verify failed: no such device",
        (),
    )
    assert found.encoder == Encoder(kind="software")


def test_nvidia_by_uuid_and_never_all() -> None:
    found = encoders.grant("x", host(gpus=(NVIDIA,), engine=with_runtime()), "auto")
    assert found.gpus is not None
    assert (found.gpus.driver, found.gpus.ids, found.devices) == ("nvidia", ("GPU-1f2e",), ())


@pytest.mark.parametrize(
    ("cdi", "runtimes", "expected"),
    [
        (("0", "GPU-1f2e", "all"), ("runc",), ("cdi", "nvidia.com/gpu=GPU-1f2e")),
        (("0", "GPU-1f2e", "all"), ("nvidia", "runc"), ("cdi", "nvidia.com/gpu=GPU-1f2e")),
        (("0", "all"), ("runc",), ("cdi", "nvidia.com/gpu=all")),
        (("0",), ("nvidia", "runc"), ("nvidia", "GPU-1f2e")),
        ((), ("nvidia", "runc"), ("nvidia", "GPU-1f2e")),
    ],
)
def test_nvidia_by_a_name_that_the_engine_lists(
    cdi: tuple[str, ...], runtimes: tuple[str, ...], expected: tuple[str, str]
) -> None:
    found = encoders.grant("x", host(gpus=(NVIDIA,), engine=with_runtime(*cdi, runtimes=runtimes)), "auto")
    assert found.gpus is not None
    assert (found.gpus.driver, found.gpus.ids) == (expected[0], (expected[1],))


def test_two_nvidia_cards_that_cdi_names_by_index_only_are_not_guessed() -> None:
    other = gpu("nvidia", "0000:02:00.0", uuid="GPU-2", driver="nvidia", render=None)
    machine = host(gpus=(NVIDIA, other), engine=with_runtime("0", "1", "all", runtimes=("runc",)))
    found = encoders.grant("x", machine, "auto")
    assert (found.gpus, found.choice.value) == (None, "software")
    assert "knows this card" in found.choice.because


@pytest.mark.parametrize("vendor", ["intel", "amd"])
def test_a_card_without_render_node_is_no_encoder(vendor: str) -> None:
    bare = gpu(vendor, render=None, card=Node(path="/dev/dri/card0", gid=44))
    found = encoders.grant("x", host(gpus=(bare,)), "auto")
    assert (found.choice.value, found.devices, found.groups) == ("software", (), ())
    assert "it has no render node" in found.choice.because


def test_the_node_that_draws_on_the_screen_is_never_granted() -> None:
    both = gpu("intel", card=Node(path="/dev/dri/card0", gid=44))
    found = encoders.grant("x", host(gpus=(both,)), "auto")
    assert (found.devices, found.groups) == (("/dev/dri/renderD128",), (105,))


def test_nvidia_without_toolkit_falls_back_to_the_other_card() -> None:
    found = encoders.grant("x", host(gpus=(NVIDIA, INTEL)), "auto")
    assert found.choice.value == "intel 0000:00:02.0"


def test_no_usable_gpu_says_why_for_each() -> None:
    found = encoders.grant("x", host(gpus=(NVIDIA, gpu("virtio", "0000:00:01.0"))), "auto")
    assert found.choice.value == "software"
    assert "0000:01:00.0: the engine has no NVIDIA container toolkit" in found.choice.because
    assert "0000:00:01.0: virtio GPUs encode nothing" in found.choice.because
    assert (found.devices, found.groups, found.gpus) == ((), (), None)


def test_none_is_none() -> None:
    assert encoders.grant("x", host(gpus=(INTEL,)), "none").choice.because == "set to none in usenet.yaml"


def test_by_pci_path() -> None:
    two = host(gpus=(NVIDIA, INTEL), engine=with_runtime())
    assert encoders.grant("x", two, "0000:00:02.0").devices == ("/dev/dri/renderD128",)
    with pytest.raises(ValidationError, match=r"there is: 0000:01:00.0, 0000:00:02.0"):
        encoders.grant("x", two, "0000:09:00.0")
    with pytest.raises(ValidationError, match="can't be granted: the engine has no NVIDIA"):
        encoders.grant("x", host(gpus=(NVIDIA,)), "0000:01:00.0")


def test_raspberry_pi_gets_codec_nodes_only_where_there_are_some() -> None:
    codecs = (Node(path="/dev/video10", gid=44), Node(path="/dev/video11", gid=44))
    pi4 = gpu("raspberrypi", "soc", codecs=codecs, render=Node(path="/dev/dri/renderD128", gid=104))
    found = encoders.grant("x", host(gpus=(pi4,)), "auto")
    assert found.devices == ("/dev/video10", "/dev/video11", "/dev/dri/renderD128")
    assert found.groups == (44, 104)
    assert encoders.grant("x", host(gpus=(gpu("raspberrypi", "soc"),)), "auto").choice.value == "software"


WORKERS = {"hardware": "gpuWorkers", "software": "cpuWorkers"}
FIVE = Measured(time="2026-11-01 10:00", gpu=INTEL.pci, driver="i915", streams={"vaapi": 5, "software": 2})


@pytest.mark.parametrize(
    ("encoder", "measured", "variables"),
    [
        (Encoder(kind="vaapi", gpu=INTEL.pci), FIVE, {"gpuWorkers": "5", "cpuWorkers": "0"}),
        (Encoder(kind="software"), FIVE, {"gpuWorkers": "0", "cpuWorkers": "2"}),
        (Encoder(kind="software"), replace(FIVE, streams={"software": 0}), {"gpuWorkers": "0", "cpuWorkers": "1"}),
        (Encoder(kind="vaapi", gpu=AMD.pci), FIVE, {}),
        (Encoder(kind="qsv", gpu=INTEL.pci), FIVE, {}),
        (Encoder(kind="vaapi", gpu=INTEL.pci), None, {}),
    ],
)
def test_as_many_transcodes_as_were_measured_on_this_card(
    encoder: Encoder, measured: Measured | None, variables: dict[str, str]
) -> None:
    found, choice = encoders.workers("tdarr", WORKERS, encoder, measured)
    assert found == variables
    assert (choice is not None) == bool(variables)
    if choice and measured:
        assert choice.about == "tdarr.transcodes"
        assert choice.because.endswith("measured 2026-11-01 10:00")


def test_a_service_that_takes_no_number_gets_none() -> None:
    assert encoders.workers("jellyfin", {}, Encoder(kind="vaapi", gpu=INTEL.pci), FIVE) == ({}, None)
