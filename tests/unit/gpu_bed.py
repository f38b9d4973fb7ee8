"""A machine with GPUs that isn't there: files in a folder, tools as programs on PATH, the kernel's answers.

Nothing of the real machine is asked: PATH holds the stand-ins alone, and each of them notes that it was run.
"""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.saved import TESTS, plant, program
from usenet.adapters import gpus, nvidia, nvml, v4l2, vainfo
from usenet.domain.host import Gpu, Unseen

TREE = TESTS.parent
FORMAT = struct.Struct("=3I32s4s4I")
ASKED = " ".join(nvidia.COMMAND[1:])
NO_LIBRARY = "libno-such-library.so.1"


class Bed:
    """One machine; `calls` are the command lines of the tools that were run, in no order."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.bin, self.log = folder / "bin", folder / "calls"
        self.bin.mkdir()
        patch.setenv("PATH", str(self.bin))
        patch.setattr(nvml, "LIBRARY", NO_LIBRARY)
        for tool in (nvidia, vainfo):  # a busy machine may be slow to start what does answer
            patch.setattr(tool, "PATIENCE", 60.0)

    def look(self, saved: dict[str, Any]) -> tuple[tuple[Gpu, ...], tuple[Unseen, ...]]:
        """What is found on a saved machine with the tools that it has."""
        self.tools(saved)
        return gpus.look(plant(saved["tree"], self.folder / "root"))

    def tools(self, saved: dict[str, Any]) -> None:
        if "vainfo" in saved:
            self.vainfo(saved["vainfo"])
        if "nvidia-smi" in saved:
            self.nvidia_smi(**saved["nvidia-smi"])
        if "nvml" in saved:
            self.nvml(saved["nvml"])
        if "v4l2" in saved:
            self.v4l2(saved["v4l2"])

    @property
    def calls(self) -> list[str]:
        return sorted(self.log.read_text(encoding="utf-8").splitlines()) if self.log.exists() else []

    def tool(self, name: str, script: str) -> None:
        program(self.bin, name, f'echo "{name} $*" >> {self.log}\n{script}')

    def vainfo(self, nodes: dict[str, dict[str, Any]]) -> None:
        """`nodes`: render node → driver and profiles, or an error and its code."""
        cases = "".join(
            f'"{" ".join(vainfo.COMMAND[1:])} /dev/dri/{node}")\n{_answer(saved)};;\n' for node, saved in nodes.items()
        )
        self.tool("vainfo", f'case "$*" in\n{cases}*) exit 9;;\nesac')

    def nvidia_smi(self, prints: str = "", code: int = 0, hangs: bool = False) -> None:
        end = "exec /bin/sleep 60" if hangs else f"exit {code}"
        self.tool("nvidia-smi", f"[ \"$*\" = '{ASKED}' ] || exit 9\n/bin/cat <<'END'\n{prints}END\n{end}")

    def nvml(self, answers: dict[str, Any]) -> None:
        """A library that can be loaded, and NVIDIA's package in front of the real one, if there is one."""
        self.patch.setattr(nvml, "LIBRARY", "libc.so.6")
        self.patch.setattr(nvml, "find_spec", lambda _: True)
        place = self.folder / "nvml.json"
        place.write_text(json.dumps(answers), encoding="utf-8")
        self.patch.setenv("NVML_ANSWERS", str(place))
        self.patch.setenv("PYTHONPATH", f"{TESTS / 'stand_ins'}{os.pathsep}{TREE}")

    def v4l2(self, nodes: dict[str, dict[str, str]]) -> None:
        """The kernel's answers: what a node takes is its output queue, what it gives its capture queue; many planes."""

        def ioctl(opened: int, request: int, asked: bytearray) -> int:
            assert request == 0xC0405602
            index, queue, *_ = FORMAT.unpack(asked)
            saved = nodes[Path(f"/proc/self/fd/{opened}").readlink().name]
            formats = {10: saved["takes"].split(), 9: saved["gives"].split()}.get(queue, [])
            if index >= len(formats):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            asked[44:48] = formats[index].encode()
            return 0

        self.patch.setattr(v4l2.fcntl, "ioctl", ioctl)


def _answer(saved: dict[str, Any]) -> str:
    if "code" in saved:
        return f"/bin/cat >&2 <<'END'\n{saved['error']}END\nexit {saved['code']}"
    return f"/bin/cat <<'END'\n{printed(saved['driver'], saved['profiles'])}END\n"


def printed(driver: str, profiles: dict[str, str]) -> str:
    """The text of vainfo: with surface formats (`VLD:YUV420,YUV420_10`) that of --all, else that without."""
    pairs = [(profile, *entry.partition(":")[::2]) for profile, all_ in profiles.items() for entry in all_.split()]
    whole = any(formats for _, _, formats in pairs)
    about = "Supported config attributes per profile/entrypoint pair" if whole else "Supported profile and entrypoints"
    head = f"Trying display: drm\nvainfo: VA-API version: 1.20\nvainfo: Driver version: {driver}\nvainfo: {about}\n"
    if not whole:
        return head + "".join(f"      {'VAProfile' + one:32}:\tVAEntrypoint{entry}\n" for one, entry, _ in pairs)
    return head + "".join(
        f"VAProfile{one}/VAEntrypoint{entry}\n    {'VAConfigAttribRTFormat':39}: "
        + f"\n{'':45}".join(f"VA_RT_FORMAT_{each}" for each in formats.split(","))
        + "\n\n"
        for one, entry, formats in pairs
    )
