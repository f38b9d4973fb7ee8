"""What is there when the drive is full."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.recorder.amount import beside
from bench.recorder.cost import KINDS
from bench.recorder.kill import none_of
from bench.recorder.material import Material
from bench.recorder.played import played
from bench.recorder.recorders import inside
from bench.recorder.volume import volume
from bench.timing import Figure, Series, run

ROOM = 40  # MiB


def full(material: Material, folder: Path) -> Iterator[Figure]:
    """A small drive for each, recorded to as fast as it goes until nothing more fits."""
    seconds: dict[str, Series] = {}
    with ExitStack() as mounted:
        ours = mounted.enter_context(volume("ext4", folder, "ours", ROOM)).place
        (ours / "rec").mkdir()
        made = json.loads(run([*inside("fill"), str(material.file.parent), str(ours / "rec")])[1])
        mine = Series((sum(played(Path(path), material.sums()).seconds for path in made),))
        for number, (name, (suffix, *flags)) in enumerate(KINDS.items()):
            out = mounted.enter_context(volume("ext4", folder, str(number), ROOM)).place / f"out.{suffix}"
            start = ["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "-1", "-i", str(material.file), "-c", "copy"]
            subprocess.run([*start, *flags, str(out)], capture_output=True, timeout=60)
            seconds[name] = Series((played(out, material.sums()).seconds,))
    yield from beside(f"full drive, {ROOM} MiB: media that plays", mine, seconds)
    yield from none_of("full drive: not finished as plain MP4", int(not made), 1)
