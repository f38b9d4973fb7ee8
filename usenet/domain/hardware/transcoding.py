"""ffmpeg's arguments for one decode, transcode or tone-mapping on one device: values, the same for every caller."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from usenet.domain.plan import Encoder

SOFTWARE = Encoder(kind="software")
RATE = 24  # pictures a second of every clip: a film's
FORMATS = ("h264", "hevc", "vp9", "av1")
# Steady words that programs can read: levels before each line, progress as key=value, what it cost at the end.
TALK = (
    *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-benchmark"),
    *("-progress", "pipe:1", "-stats_period", "0.1"),
)

_LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "h264": ("libx264",),
    "hevc": ("libx265",),
    "vp9": ("libvpx-vp9",),
    "av1": ("libsvtav1", "libaom-av1"),
}
# As media servers set them: fast enough to be watched at once.
_SPEED: Mapping[str, tuple[str, ...]] = {
    "libx264": ("-preset", "veryfast"),
    "libx265": ("-preset", "ultrafast", "-x265-params", "log-level=error"),
    "libvpx-vp9": ("-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1"),
    "libsvtav1": ("-preset", "10"),
    "libaom-av1": ("-usage", "realtime", "-cpu-used", "8", "-row-mt", "1"),
}
_HDR = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:max-cll=1000,400:master-display="
_MASTER = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
# Without its metadata tonemap_vaapi refuses a clip; these are a common screen's.
_MAKING: Mapping[str, tuple[str, ...]] = {
    "libx264": ("-preset", "ultrafast"),
}
_HDR_MAKING = ("-preset", "ultrafast", "-x265-params", f"log-level=error:{_HDR}{_MASTER}")
_BITRATES = {720: "4M", 1080: "8M", 2160: "25M"}

_DOWN = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
_BT709 = "t=bt709:m=bt709:p=bt709"
# Kind of encoder → the filters that do the work there → the chain that holds them.
TONE_MAPPING: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "software": ((("zscale", "tonemap"), f"{_DOWN},format=yuv420p"),),
    "nvenc": ((("tonemap_cuda",), f"tonemap_cuda=tonemap=hable:format=yuv420p:{_BT709}"),),
    "vaapi": (
        (("tonemap_vaapi",), f"tonemap_vaapi=format=nv12:{_BT709}"),
        (
            ("tonemap_opencl",),
            f"hwmap=derive_device=opencl,tonemap_opencl=tonemap=hable:format=nv12:{_BT709},"
            "hwmap=derive_device=vaapi:reverse=1",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """A short film in one codec of domain/codecs.py; the ten-bit HEVC one is HDR10."""

    codec: str
    height: int

    @property
    def file(self) -> str:
        return f"{self.codec}-{self.height}p.mkv"


def ten_bit(codec: str) -> bool:
    """Whether a codec of domain/codecs.py has ten bits."""
    return codec.endswith("-10")


def family(codec: str) -> str:
    """`hevc-10` → `hevc`."""
    return codec.removesuffix("-10")


def encoder(kind: str, codec: str, has: Set[str]) -> str:
    """ffmpeg's name for what encodes `codec` in that way, of those that it has; empty if none."""
    name = family(codec)
    names = _LIBRARIES[name] if kind == "software" else (f"{name}_{kind}",)
    return next((one for one in names if one in has), "")


def picture(height: int, seconds: float) -> tuple[str, ...]:
    """What clips show: moving shapes, fine detail and a film's grain; two inputs and the filter that joins them."""
    width = height * 16 // 9
    detail = f"[1:v]scale={width // 2}:{height // 2}[m];[0:v][m]overlay={width // 4}:{height // 4},noise=alls=6:allf=t"
    return (
        *("-f", "lavfi", "-i", f"testsrc2=size={width}x{height}:rate={RATE}"),
        *("-f", "lavfi", "-i", f"mandelbrot=size=640x360:rate={RATE}"),
        *("-filter_complex", f"{detail}[v]", "-map", "[v]", "-t", f"{seconds:g}"),
    )


def making(clip: Clip, name: str, seconds: float, folder: str) -> tuple[str, ...]:
    """Make a clip with the software encoder `name`."""
    hdr = clip.codec == "hevc-10" and name == "libx265"
    speed = _HDR_MAKING if hdr else _MAKING.get(name, _SPEED[name])
    depth = "yuv420p10le" if ten_bit(clip.codec) else "yuv420p"
    coded = ("-c:v", name, *speed, "-b:v", _bitrate(clip.height, 2), "-pix_fmt", depth)
    return (*TALK, "-y", *picture(clip.height, seconds), *coded, f"{folder}/{clip.file}")


def _bitrate(height: int, times: int = 1) -> str:
    return f"{int(_BITRATES[height].rstrip('M')) * times}M"


def decoding(device: Encoder, codec: str, source: str) -> tuple[str, ...]:
    """Decode `source` over and over and drop the pictures.

    On a card the pictures must be the card's own and pass a filter of its: one that ffmpeg decoded in software
    instead fails there.
    """
    kept = filters(device, codec, on_card=True)
    return (*reading(device, codec, on_card=True), *source_of(source), *kept, "-f", "null", "-")


def source_of(source: str) -> tuple[str, ...]:
    """An input that never ends: who runs it says when it is enough. It uses up ten minutes of processor at most."""
    endless = ("-stream_loop", "-1") if source != "pipe:0" else ()
    return (*endless, "-i", source, "-map", "0:v:0", "-timelimit", "600")


def reading(device: Encoder, codec: str, *, on_card: bool) -> tuple[str, ...]:
    """What stands before an input: the device, and, `on_card`, that it decodes and keeps the pictures."""
    name = family(codec)
    if device.kind == "vaapi":
        there = ("-init_hw_device", f"vaapi=card:{device.device}", "-filter_hw_device", "card")
        return (*there, *(_accelerated("vaapi") if on_card else ()))
    if device.kind == "nvenc":
        there = ("-init_hw_device", "cuda=card:0", "-filter_hw_device", "card")
        return (*there, *(_accelerated("cuda") if on_card else ()))
    if device.kind == "qsv":
        there = ("-init_hw_device", f"qsv=card:hw,child_device={device.device}", "-filter_hw_device", "card")
        return (*there, *((*_accelerated("qsv"), "-c:v", f"{name}_qsv") if on_card else ()))
    return ("-c:v", f"{name}_v4l2m2m") if device.kind == "v4l2m2m" and on_card else ()


def _accelerated(name: str) -> tuple[str, ...]:
    return ("-hwaccel", name, "-hwaccel_device", "card", "-hwaccel_output_format", name)


def filters(device: Encoder, codec: str, *, on_card: bool) -> tuple[str, ...]:
    """Bring pictures into the form that `device` encodes as `codec`, from the card itself or from memory."""
    deep = ten_bit(codec)
    if device.kind in ("software", "v4l2m2m"):
        return ("-vf", "format=yuv420p10le" if deep else "format=yuv420p")
    if not on_card:
        return (
            "-vf",
            f"format={'p010le' if deep else 'nv12'},hwupload{'=extra_hw_frames=64' * (device.kind == 'qsv')}",
        )
    names = {"vaapi": ("scale_vaapi", "p010"), "nvenc": ("scale_cuda", "p010le"), "qsv": ("scale_qsv", "p010le")}
    scale, depth = names[device.kind]
    return ("-vf", f"{scale}=format={depth if deep else 'nv12'}")


def encoding(name: str, height: int, output: str) -> tuple[str, ...]:
    """The end of a command that encodes with `name`; an empty `output` drops what was encoded."""
    target = ("-f", "matroska", output) if output else ("-f", "null", "-")
    return ("-an", "-c:v", name, *_SPEED.get(name, ()), "-b:v", _bitrate(height), *target)


def on_card(device: Encoder, codec: str) -> bool:
    """Whether the device is to decode `codec` too: what it can, or, where nobody could ask it, all."""
    return device.kind == "software" or device.decode is None or codec in device.decode


def may_encode(device: Encoder, codec: str) -> bool:
    """Whether trying is worth it: NVIDIA's library does not tell of ten bits, and some cards can't be asked at all."""
    known = device.encode
    return known is None or codec in known or (device.kind == "nvenc" and family(codec) in known)


def quality(made: str, source: str, *, vmaf: bool, pictures: int) -> tuple[str, ...]:
    """Compare the first pictures of two files, decoded in software."""
    same = "[0:v]settb=AVTB,setpts=PTS-STARTPTS[a];[1:v]settb=AVTB,setpts=PTS-STARTPTS[b];[a][b]"
    inputs = (f for file in (made, source) for f in ("-i", file))
    chain = f"{same}{'libvmaf' if vmaf else 'ssim'}=shortest=1"
    return (*TALK, *inputs, "-lavfi", chain, "-frames:v", str(pictures), "-f", "null", "-")
