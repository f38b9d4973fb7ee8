"""What a VA-API driver says that a render node decodes and encodes: vainfo, one run for each node."""

from __future__ import annotations

import re
import signal

from usenet.adapters import shell
from usenet.domain.codecs import Probed, ordered
from usenet.domain.errors import SystemFailure

# --all tells the surface formats too: that is where the ten bits of AV1 are, whose one profile holds both depths.
COMMAND = ("vainfo", "--all", "--display", "drm", "--device")
PATIENCE = 3.0

# For each codec the profile that its files are in: who has only a lesser one does not play them.
_PROFILES = {
    "VAProfileMPEG2Main": "mpeg2",
    "VAProfileVC1Advanced": "vc1",
    "VAProfileJPEGBaseline": "jpeg",
    "VAProfileH264High": "h264",
    "VAProfileHEVCMain": "hevc",
    "VAProfileHEVCMain10": "hevc-10",
    "VAProfileVP8Version0_3": "vp8",
    "VAProfileVP9Profile0": "vp9",
    "VAProfileVP9Profile2": "vp9-10",
    "VAProfileAV1Profile0": "av1",
}
_ENCODING = frozenset({"VAEntrypointEncSlice", "VAEntrypointEncSliceLP", "VAEntrypointEncPicture"})
# `:` without --all, `/` with it. A libva that is older than the driver does not know every name.
_PAIR = re.compile(r"\s*(VAProfile\w+|<unknown profile>)\s*[:/]\s*(VAEntrypoint\w+|<unknown entrypoint>)")
_DRIVER = re.compile(r"Driver version: *(.+)")
_PROGRESS = ("libva info:", "Trying display:")  # what libva says along the way, whatever the end
_KERNEL = "see what the kernel says of the card: dmesg"


def is_installed() -> bool:
    """Whether vainfo is on PATH."""
    return bool(shell.found(COMMAND[0]))


def ask(node: str) -> Probed:
    """What the driver that libva chooses for `node` can do. SystemFailure when vainfo is missing, hangs or fails."""
    try:
        done = shell.run((*COMMAND, node), timeout=PATIENCE)
    except SystemFailure as late:
        raise SystemFailure(late.message, hint=_KERNEL) from late
    if done.code < 0:  # a driver may take vainfo down with it
        raise SystemFailure(f"vainfo was ended by a signal: {signal.strsignal(-done.code)}", hint=_KERNEL)
    if not done.ok:
        raise SystemFailure(f"vainfo failed with code {done.code}: {_reason(done.out, done.err)}")
    if not _DRIVER.search(done.out):
        raise SystemFailure("vainfo printed nothing that tells of a driver")
    return parse(done.out)


def parse(printed: str) -> Probed:
    """Read what vainfo prints, with --all or without; lines of another form are skipped."""
    decode: set[str] = set()
    encode: set[str] = set()
    codec, into = "", set[str]()
    for line in printed.splitlines():
        if pair := _PAIR.match(line):
            codec, into = _PROFILES.get(pair[1], ""), set()
            if pair[2] == "VAEntrypointVLD":
                into = decode
            elif pair[2] in _ENCODING:
                into = encode
            into.add(codec)
        elif codec == "av1" and "VA_RT_FORMAT_YUV420_10" in line:
            into.add("av1-10")
    driver = _DRIVER.search(printed)
    by = f"vainfo: {driver[1].strip()}" if driver else "vainfo"
    return Probed(decode=ordered(decode), encode=ordered(encode), by=by)


def _reason(*said: str) -> str:
    """The line that says why: libva's own error where there is one, else the last."""
    lines = [line for line in map(str.strip, "\n".join(said).splitlines()) if line and not line.startswith(_PROGRESS)]
    errors = [line for line in lines if line.startswith("libva error:")]
    return (errors or lines or ["it said nothing"])[-1].removesuffix(",exit")
