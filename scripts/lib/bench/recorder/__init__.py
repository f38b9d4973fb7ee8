"""The recorder beside others that record MP4: what a crash costs, and what it costs that this is little."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.timing import Figure

if TYPE_CHECKING:
    from bench.figures import Round
    from bench.recorder.material import Material

Part = Callable[[Path], Iterator[Figure]]
FAILURES = (RuntimeError, OSError, subprocess.SubprocessError)


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
        yield from _measured(name, part, now.scratch.folder)
        print(f"  {name}: {time.monotonic() - began:.0f} s, load {load:.2f} before it", file=sys.stderr)


def _measured(name: str, part: Part, place: Path) -> Sequence[Figure]:
    """All figures of a part; on a machine that others use too, a second time where the first was disturbed."""
    try:
        return tuple(part(place / name))
    except FAILURES as error:
        print(f"  once more: recorder, {name}: {error}", file=sys.stderr)
    try:
        return tuple(part(place / f"{name}-again"))
    except FAILURES as error:
        print(f"left out: recorder, {name}: {error}")
        return ()


def _parts(now: Round, made: Material) -> dict[str, Part]:
    from bench.recorder import cost, device, finish, full, kill, opening, power, promptly, streams, volume

    few = now.quick
    parts: dict[str, Part] = {
        "kill": lambda at: kill.kill(made, at, waves=1 if few else 5, copies=2 if few else 3),
        "cost": lambda at: cost.cost(made, at, loops=15 if few else 112, times=1 if few else 3),
        "promptly": lambda at: promptly.promptly(made, at, cameras=32, seconds=2 if few else 10, times=1 if few else 3),
        "streams": lambda at: streams.streams(made, at, cameras=4 if few else 24, seconds=3 if few else 15),
        "opening": lambda at: opening.opening(made, at, hours=1 / 60 if few else 1, times=1 if few else 5),
        "finish": lambda at: finish.finish(
            made, at, hours=0.5 if few else 10, times=1 if few else 3, remuxed=1 / 60 if few else 1
        ),
    }
    if not volume.possible():
        print("left out: the recorder on drives of its own: it needs root and loop devices")
        return parts
    parts["power"] = lambda at: power.power(made, at, long=5 if few else 44, short=() if few else (4, 5, 6), few=few)
    parts["device"] = lambda at: device.device(made, at, seconds=3 if few else 12, few=few)
    parts["full"] = lambda at: full.full(made, at)
    return parts
