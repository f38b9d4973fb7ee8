"""Which GPU a service gets: the one table of vendors in the domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from usenet.domain.errors import ValidationError
from usenet.domain.host import Gpu, Host
from usenet.domain.plan import Choice, Encoder, Gpus, Measured

# VA-API driver by kernel driver. Cards of i915 need one of two, by their age: libva in the container tries both. What
# was probed has no say here: it is not the same for every user, and a container is made anew when this changes.
_VAAPI = {"xe": "iHD", "amdgpu": "radeonsi"}
_TARGETS = ("h264", "hevc", "av1")  # what applications transcode to
_TODAY = frozenset({*_TARGETS, "hevc-10", "vp9"})
_ORDER = ("nvidia", "intel", "amd", "raspberrypi")
_QUICK = "Intel iHD driver"
_NVIDIA = {"NVIDIA_DRIVER_CAPABILITIES": "compute,video,utility"}


@dataclass(frozen=True, slots=True)
class EncoderGrant:
    """Devices, numeric groups and variables for one service; all empty means software. No choice: not wanted."""

    choice: Choice | None
    encoder: Encoder | None = None
    devices: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    gpus: Gpus | None = None
    environment: dict[str, str] = field(default_factory=dict)


def grant(service: str, host: Host, wish: str, disproved: str = "") -> EncoderGrant:
    """The GPU for `service`: by PCI path when `wish` names one, none when it says so, else the first usable.

    Only nodes that were seen on the host are granted. `disproved`: why the card that it would get does not work
    inside its container. ValidationError: no such GPU, or it can't be used.
    """
    about = f"{service}.encoder"
    if wish == "none":
        return _software(about, "set to none in usenet.yaml")
    if disproved:
        return _software(about, disproved)
    if wish != "auto":
        return _named(about, service, host, wish)
    usable = sorted((g for g in host.gpus if not _obstacle(g, host)), key=_rank)
    if usable:
        return _given(about, usable[0], host, _merits(usable[0], len(usable)))
    obstacles = [f"{g.pci}: {_obstacle(g, host)}" for g in host.gpus]
    return _software(about, "; ".join(obstacles) or "no GPU on this machine")


def among_several(encoder: Encoder, host: Host) -> str:
    """The UUID of an encoder's card where the host has several of NVIDIA's: CUDA's order of them is its own."""
    uuids = {gpu.pci: gpu.uuid for gpu in host.gpus if gpu.vendor == "nvidia"}
    return uuids.get(encoder.gpu, "") if len(uuids) > 1 else ""


def as_given(host: Host, given: Iterable[Encoder]) -> Host:
    """The host, with what was known of the cards in `given` where they could not be asked now.

    A user who may not open a card, or one whose encoders are all busy, must not make the services change cards.
    """
    known = {(one.gpu, one.driver): one for one in given if one.encode is not None}
    return replace(host, gpus=tuple(_as_given(gpu, known.get((gpu.pci, _driver(gpu)))) for gpu in host.gpus))


def _as_given(gpu: Gpu, before: Encoder | None) -> Gpu:
    if before is None or gpu.encode is not None:
        return gpu
    by = _QUICK if before.kind == "qsv" else "when the stack was written"
    return replace(gpu, decode=before.decode, encode=before.encode, probed_by=by)


def workers(
    service: str,
    variables: Mapping[Literal["hardware", "software"], str],
    encoder: Encoder | None,
    seen: Measured | None,
) -> tuple[dict[str, str], Choice | None]:
    """How many transcodes may run at once, as variables of the service; nothing where its card was not measured."""
    if encoder is None or seen is None or encoder.kind not in seen.streams or not variables:
        return {}, None
    if encoder.kind != "software" and seen.gpu != encoder.gpu:
        return {}, None
    many = max(1, seen.streams[encoder.kind])
    mine: Literal["hardware", "software"] = "software" if encoder.kind == "software" else "hardware"
    because = f"so many H.264 1080p streams kept up on {encoder.kind}, measured {seen.time}"
    found = {variable: str(many if kind == mine else 0) for kind, variable in variables.items()}
    return found, Choice(f"{service}.transcodes", str(many), because)


def _rank(gpu: Gpu) -> tuple[int, int, int]:
    """The first is the best: encoders that were probed, then not probed, then a decoder alone; then how many."""
    targets = len([codec for codec in _TARGETS if codec in (gpu.encode or ())])
    known = 2 if gpu.encode == () else 1 if gpu.encode is None else 0
    return known, -targets, _ORDER.index(gpu.vendor)


def _merits(gpu: Gpu, usable: int) -> str:
    can = ", ".join(codec for codec in _TARGETS if codec in (gpu.encode or ()))
    unknown = "found and usable; what it encodes could not be asked"
    what = f"encodes {can}" if can else unknown if gpu.encode is None else "decodes only: it has no encoder"
    return what + (f"; the best of {usable}" if usable > 1 else "")


def _software(about: str, because: str) -> EncoderGrant:
    return EncoderGrant(Choice(about, "software", because), Encoder(kind="software"))


def _named(about: str, service: str, host: Host, wish: str) -> EncoderGrant:
    where = f"usenet.yaml: services/{service}/gpu"
    found = next((g for g in host.gpus if g.pci == wish), None)
    if found is None:
        there = ", ".join(g.pci for g in host.gpus) or "none"
        raise ValidationError(f'no GPU at "{wish}"; there is: {there}', where=where, hint="see: usenet hardware list")
    if reason := _obstacle(found, host):
        raise ValidationError(
            f"the GPU at {wish} can't be granted: {reason}", where=where, hint="set it to auto or none"
        )
    return _given(about, found, host, "set in usenet.yaml")


def _obstacle(gpu: Gpu, host: Host) -> str:
    """Why a GPU can't be granted; empty when it can."""
    if gpu.vendor not in _ORDER:
        return f"{gpu.vendor} GPUs encode nothing"
    if gpu.encode == () and gpu.decode is not None and not _TODAY & set(gpu.decode):
        return "its driver offers no codec of today"
    if gpu.vendor == "nvidia":
        if not gpu.uuid:
            return "the NVIDIA driver does not answer"
        return "" if _nvidia(gpu, host) else "the engine has no NVIDIA container toolkit that knows this card"
    if gpu.vendor == "raspberrypi":
        return "" if gpu.codecs else "it has no codec nodes"
    return "" if gpu.render else "it has no render node"


def _given(about: str, gpu: Gpu, host: Host, because: str) -> EncoderGrant:
    choice = Choice(about, f"{gpu.vendor} {gpu.pci}", because)
    if gpu.vendor == "nvidia":
        encoder = _encoder(gpu, "nvenc", "")
        return EncoderGrant(choice, encoder, gpus=_nvidia(gpu, host), environment=dict(_NVIDIA))
    nodes = [n for n in (*gpu.codecs, gpu.render) if n]
    encoder = _encoder(gpu, _kind(gpu), nodes[0].path)
    driver = _VAAPI.get(gpu.driver)
    return EncoderGrant(
        choice,
        encoder,
        devices=tuple(n.path for n in nodes),
        groups=tuple(sorted({n.gid for n in nodes})),
        environment={"LIBVA_DRIVER_NAME": driver} if driver else {},
    )


def _kind(gpu: Gpu) -> Literal["vaapi", "qsv", "v4l2m2m"]:
    """Quick Sync for Intel's cards that have ten bits, which its library supports all of; older ones by VA-API."""
    if gpu.vendor == "raspberrypi":
        return "v4l2m2m"
    quick = _QUICK in gpu.probed_by and "hevc-10" in (gpu.encode or ())
    return "qsv" if quick else "vaapi"


def _encoder(gpu: Gpu, kind: Literal["nvenc", "vaapi", "qsv", "v4l2m2m"], device: str) -> Encoder:
    return Encoder(kind=kind, gpu=gpu.pci, driver=_driver(gpu), device=device, decode=gpu.decode, encode=gpu.encode)


def _driver(gpu: Gpu) -> str:
    return " ".join(filter(None, (gpu.driver, gpu.driver_version)))


def _nvidia(gpu: Gpu, host: Host) -> Gpus | None:
    """How the engine is asked for one card: by a CDI name that it lists, else through its NVIDIA runtime.

    nvidia-ctk names cards by index, by UUID or both; an index can't be told from here, but `all` of one is that one.
    """
    if host.engine is None:
        return None
    alone = sum(other.vendor == "nvidia" for other in host.gpus) == 1
    for name in (f"nvidia.com/gpu={gpu.uuid}", *(["nvidia.com/gpu=all"] if alone else [])):
        if name in host.engine.cdi:
            return Gpus(driver="cdi", ids=(name,))
    return Gpus(driver="nvidia", ids=(gpu.uuid,)) if "nvidia" in host.engine.runtimes else None
