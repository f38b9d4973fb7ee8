"""Files with changed bytes: verify gives a verdict, export a file or a sentence, a view is made or not. Never else."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import pytest

from tests.unit.recorder.footage import START, film, recorded
from tests.unit.recorder.test_reader import HEADS
from usenet.recorder.errors import RecorderError
from usenet.recorder.exporting import export
from usenet.recorder.io import Files
from usenet.recorder.live import LiveFile
from usenet.recorder.reader import Source, scan
from usenet.recorder.verification import verify

TURNS = 25


class Quick(Files):
    """Durable is no matter here."""

    def sync(self, handle: int) -> None:
        pass

    def syncdir(self, directory: str) -> None:
        pass


def mutants(kind: str, seed: Path) -> list[bytes]:
    """Bytes of the heads changed, mostly to the edges of what a field can hold; now and then an end that is lost."""
    chance, whole = random.Random(kind), seed.read_bytes()
    heads = [at for at in range(len(whole)) if whole[at : at + 4] in HEADS | {b"free", b"uuid"}]
    found = []
    for _ in range(TURNS):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = min(max(0, chance.choice(heads) + chance.randrange(-4, 48)), len(data) - 8)
            wide = chance.choice((1, 1, 2, 4, 8))
            data[at : at + wide] = bytes([chance.choice((0, 1, 2, 0x7F, 0x80, 0xFF, chance.randrange(256)))]) * wide
        found.append(bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data))
    return found


@pytest.mark.parametrize("kind", ["plain", "fragmented", "a fragment a frame", "finished", "live", "live, no index"])
def test_no_surprise(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("m.mp4.part" if kind.startswith("live") else "m.mp4")
    if kind in {"finished", "live", "live, no index"}:
        recorded(tmp_path / "seed.mp4", film("b-frames"), seal=kind == "finished").close()
        seed = tmp_path / ("seed.mp4" if kind == "finished" else "seed.mp4.part")
        if kind == "live":
            shutil.copy(tmp_path / "seed.mp4.index", tmp_path / "m.mp4.index")
    else:
        seed = film(kind)
    told = 0
    for number, data in enumerate(mutants(kind, seed)):
        path.write_bytes(data)
        told += bool(verify(path, deep=number % 2 == 0).findings)
        out = tmp_path / f"{number}.mp4"
        with contextlib.suppress(RecorderError):
            export([path], out, start_ns=START + number * 10**8 if number % 3 else None, exact=True, io=Quick())
        with contextlib.suppress(RecorderError):
            export([path, film()], tmp_path / f"{number}-join.mp4", io=Quick())
        with contextlib.suppress(RecorderError, FileNotFoundError), LiveFile(path) as live:
            view = live.view()
            scan(Source(view.read, view.size))
    assert told > TURNS / 3
