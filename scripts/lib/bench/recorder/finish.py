"""What finishing an hour costs, and recovering ten: beside a remux, which is how others make a file whole again."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside, length
from bench.recorder.material import SECONDS, Material
from bench.recorder.recorders import FRAGMENTED, inside
from bench.timing import Figure, Series, run

MIB = 1 << 20


def finish(material: Material, folder: Path, *, hours: float, times: int, remuxed: float) -> Iterator[Figure]:
    """`hours` long recordings to recover, an hour to finish; `remuxed`: how many hours the anchor gets."""
    folder.mkdir(parents=True)
    sealed = [replayed(material, folder / f"hour{n}.mp4", 3600, 250, "thin,hasty,seal")["seal"] for n in range(times)]
    for path in folder.iterdir():
        path.unlink()
    anchor = {f"ffmpeg remux, {length(remuxed)}": Series(tuple(_remux(material, folder, remuxed)))}
    yield from beside("finish 1 h", _series(sealed, "wall"), anchor, Goal(0.25, "≤ 250 ms"))
    yield from beside("finish 1 h, processor", _series(sealed, "cpu"), {})
    written = Amount(tuple(one["written"] / MIB for one in sealed), "MiB")
    size = {f"ffmpeg remux, {length(remuxed)}": Amount((remuxed * 3600 / SECONDS * material.bytes / MIB,), "MiB", 0)}
    yield from beside("finish 1 h, written", written, size, Goal(3e6 / MIB, "≤ 3 MB"))
    memory = Amount(tuple(one["memory"] / MIB for one in sealed), "MiB", 0)
    yield from beside("finish 1 h, memory of the process", memory, {}, Goal(64, "≤ 64 MiB"))
    for chunk_ms in (250, 1000):
        yield from _recoveries(material, folder, hours, chunk_ms, times, anchor)


def _recoveries(
    material: Material, folder: Path, hours: float, chunk_ms: int, times: int, anchor: dict[str, Series]
) -> Iterator[Figure]:
    path = folder / f"long{chunk_ms}.mp4"
    replayed(material, path, hours * 3600, chunk_ms, "thin,hasty")
    kept = _Kept.of(path)
    goals = {True: 2 * hours / 10, False: 15 * hours / 10}
    for index, limit in goals.items():
        found = []
        for _ in range(times if index else min(times, 2)):
            kept.put_back(index=index)
            found.append(json.loads(run([*inside("again"), str(path)])[1]))
            if found[-1]["index"] != index or found[-1]["dropped"] or found[-1]["kept"] < hours * 3600 - 1:
                raise RuntimeError(f"not what was to be recovered: {found[-1]}")
        name = f"recover {length(hours)}, {chunk_ms} ms chunks, {'with' if index else 'without'} index"
        yield from beside(name, _series(found, "wall"), anchor, Goal(limit, f"≤ {limit:g} s"))
        yield from beside(f"{name}: processor", _series(found, "cpu"), {})
    memory = Amount(tuple(one["memory"] / MIB for one in found), "MiB", 0)
    yield from beside(f"recover {length(hours)}, {chunk_ms} ms chunks, memory", memory, {})
    path.unlink()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A recording that was cut off, so that it can be recovered again and again: all that a recovery changes."""

    path: Path
    head: bytes
    index: bytes
    commit: bytes

    @classmethod
    def of(cls, path: Path) -> _Kept:
        with Path(f"{path}.part").open("rb") as part:
            size = 0
            for _ in ("ftyp", "moov", "free"):
                part.seek(size)
                size += struct.unpack(">I", part.read(4))[0]
            part.seek(0)
            head = part.read(size)
        return cls(path, head, Path(f"{path}.index").read_bytes(), Path(f"{path}.commit").read_bytes())

    def put_back(self, *, index: bool) -> None:
        """As it was, on the drive and not in the page cache."""
        part = Path(f"{self.path}.part")
        if self.path.exists():
            self.path.rename(part)
        with part.open("r+b") as file:
            file.write(self.head)
        Path(f"{self.path}.commit").write_bytes(self.commit)
        Path(f"{self.path}.index").unlink(missing_ok=True)
        if index:
            Path(f"{self.path}.index").write_bytes(self.index)
        for one in self.path.parent.glob(f"{self.path.name}.*"):
            handle = os.open(one, os.O_RDWR)
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


def replayed(material: Material, path: Path, seconds: float, chunk_ms: int, how: str) -> dict[str, dict[str, float]]:
    words = (str(material.file.parent), str(path), str(seconds), str(chunk_ms), how)
    return json.loads(run([*inside("replay"), *words])[1])


def _remux(material: Material, folder: Path, hours: float) -> Iterator[float]:
    """A fragmented file made whole as one does it by hand."""
    cut_off, whole = folder / "fragmented.mp4", folder / "whole.mp4"
    loops = str(round(hours * 3600 / SECONDS) - 1)
    made = ["ffmpeg", "-v", "error", "-stream_loop", loops, "-i", str(material.file), "-c", "copy", *FRAGMENTED]
    run([*made, str(cut_off)])
    yield run(["ffmpeg", "-v", "error", "-i", str(cut_off), "-c", "copy", "-movflags", "+faststart", str(whole)])[0]
    cut_off.unlink()
    whole.unlink()


def _series(found: Sequence[dict[str, float]], key: str) -> Series:
    return Series(tuple(one[key] for one in found))
