"""How long a call takes that hands over one picture of 4K at 60 a second: when it returns, the page cache has it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.recorder.amount import Goal, beside
from bench.recorder.material import Material
from bench.recorder.recorders import inside
from bench.timing import Figure, Series, run


def promptly(material: Material, folder: Path, *, cameras: int, seconds: float, times: int) -> Iterator[Figure]:
    """A fragment for each picture, one thread for all cameras; ours fsyncs four times a second, the others never."""
    folder.mkdir()
    found = {how: [_asked(material, folder, how, cameras, seconds) for _ in range(times)] for how in ("ours", "libav")}
    for what, key, goal in (("p99.9", "0.999", Goal(0.001, "< 1 ms")), ("p50", "0.5", None), ("most", "1.0", None)):
        ours, theirs = (Series(tuple(one["spent"][key] for one in found[how])) for how in ("ours", "libav"))
        name = f"4K60, {cameras} cameras: picture → page cache, {what}"
        yield from beside(name, ours, {"libav fMP4, each picture": theirs}, goal)
    ours, theirs = (Series(tuple(one["late"]["0.999"] for one in found[how])) for how in ("ours", "libav"))
    name = f"4K60, {cameras} cameras: from its due moment on, p99.9"
    yield from beside(name, ours, {"libav fMP4, each picture": theirs})


def _asked(material: Material, folder: Path, how: str, cameras: int, seconds: float) -> dict[str, dict[str, float]]:
    out = folder / how
    words = (str(material.file.parent), str(out), str(cameras), str(seconds), how)
    told = json.loads(run([*inside("promptly"), *words])[1])
    shutil.rmtree(out)
    return told
