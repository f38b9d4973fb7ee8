"""The recorder beside others that record MP4: what a crash costs, and what it costs that this is little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench.timing import Figure

if TYPE_CHECKING:
    from bench.figures import Round
    from bench.recorder.material import Material


def recorder(now: Round) -> Iterator[Figure]:
    """All parts, one after the other; what this machine can't do is left out, and said."""
    if find_spec("av") is None or not shutil.which("ffmpeg"):
        print("left out: recorder: it needs ffmpeg, and PyAV: install usenet[recorder]")
        return
    if not shutil.which("gst-launch-1.0"):
        print("left out: GStreamer beside the recorder: gst-launch-1.0 is not there")
    from bench.recorder import material

    folder = now.scratch.folder / "recorder"
    folder.mkdir()
    made = material.make(folder)
    for name, part in _parts(now, made).items():
        load, began = os.getloadavg()[0], time.monotonic()
        try:
            yield from part()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            print(f"left out: recorder, {name}: {error}")
        print(f"  {name}: {time.monotonic() - began:.0f} s, load {load:.2f} before it", file=sys.stderr)


def _parts(now: Round, made: Material) -> dict[str, Callable[[], Iterator[Figure]]]:
    from bench.recorder import cost, device, finish, full, kill, opening, power, promptly, streams, volume

    place, few = now.scratch.folder, now.quick
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "kill": lambda: kill.kill(made, place / "kill", waves=1 if few else 5, copies=2 if few else 3),
        "cost": lambda: cost.cost(made, place / "cost", loops=15 if few else 112, times=1 if few else 3),
        "promptly": lambda: promptly.promptly(
            made, place / "promptly", cameras=32, seconds=2 if few else 10, times=1 if few else 3
        ),
        "streams": lambda: streams.streams(made, place / "streams", cameras=4 if few else 24, seconds=3 if few else 15),
        "opening": lambda: opening.opening(made, place / "opening", hours=1 / 60 if few else 1, times=1 if few else 5),
        "finish": lambda: finish.finish(
            made, place / "finish", hours=0.5 if few else 10, times=1 if few else 3, remuxed=1 / 60 if few else 1
        ),
    }
    if not volume.possible():
        print("left out: the recorder on drives of its own: it needs root and loop devices")
        return parts
    parts["power"] = lambda: power.power(
        made, place / "power", long=5 if few else 44, short=() if few else (4, 5, 6), few=few
    )
    parts["device"] = lambda: device.device(made, place / "device", seconds=3 if few else 12, few=few)
    parts["full"] = lambda: full.full(made, place / "full")
    return parts
