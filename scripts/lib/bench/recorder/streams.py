"""How many cameras a processor core can take when they come by RTSP, and what memory each of them needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from bench.recorder.amount import Amount, Goal, beside
from bench.recorder.finish import MIB
from bench.recorder.material import Material
from bench.recorder.recorders import FRAGMENTED, inside
from bench.scratch import _free_ports
from bench.timing import Figure

TICKS = os.sysconf("SC_CLK_TCK")
ADDRESS = "rtsp://127.0.0.1:{}/camera"
Taken = tuple[float, float]  # of one core, and bytes of memory, by each camera


def streams(material: Material, folder: Path, *, cameras: int, seconds: float) -> Iterator[Figure]:
    """The same senders, first into one process of ours that fsyncs each second, then into an ffmpeg for each."""
    folder.mkdir()
    ours, told = _ours(material, folder, cameras, seconds)
    theirs = _ffmpeg(material, folder, cameras, seconds)
    shutil.rmtree(folder)
    name, anchor = f"{cameras} RTSP cameras", f"{cameras} × ffmpeg -c copy, no fsync"
    cores = {anchor: Amount((1 / theirs[0],), "cameras", 0)}
    yield from beside(f"{name}, by a core", Amount((1 / ours[0],), "cameras", 0), cores, Goal(90, "≥ 90", least=True))
    share = {anchor: Amount((theirs[0] * 100,), "%")}
    yield from beside(f"{name}, of a core each", Amount((ours[0] * 100,), "%"), share)
    memory = {anchor: Amount((theirs[1] / MIB,), "MiB", 1)}
    yield from beside(f"{name}, memory each", Amount((ours[1] / MIB,), "MiB", 1), memory, Goal(14, "≤ 14 MiB"))
    yield from beside(f"{name}, p99 of fsync", Amount((told["fsync"],), "ms", 1), {})
    yield from beside(f"{name}, samples dropped", Amount((told["dropped"],), "", 0), {})


def _ours(material: Material, folder: Path, cameras: int, seconds: float) -> tuple[Taken, dict[str, float]]:
    ports, out = _ports(cameras), folder / "ours"
    out.mkdir()
    with ExitStack() as running:
        words = [*inside("listen"), str(out), str(seconds), *ports]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.callback(_end, process)
        _send(material, ports, running)
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"ours ended: {process.communicate()[1].decode()}")
        told = json.loads(line)
    return (told["share"] / cameras, told["memory"] / cameras), told


def _ffmpeg(material: Material, folder: Path, cameras: int, seconds: float) -> Taken:
    ports = _ports(cameras)
    with ExitStack() as running:
        processes = []
        for port in ports:
            start = ["ffmpeg", "-v", "error", "-rtsp_flags", "listen", "-i", ADDRESS.format(port), "-c", "copy"]
            processes.append(subprocess.Popen([*start, *FRAGMENTED, str(folder / f"{port}.mp4")], **_QUIET))
            running.callback(_end, processes[-1])
        _send(material, ports, running)
        until = time.monotonic() + 60
        while any(not _written(folder / f"{port}.mp4") for port in ports) and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(2)
        spent, began = sum(map(_spent, processes)), time.monotonic()
        time.sleep(seconds)
        share = (sum(map(_spent, processes)) - spent) / (time.monotonic() - began)
        memory = sum(map(_memory, processes))
    return share / cameras, memory / cameras


_QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _send(material: Material, ports: Sequence[str], running: ExitStack) -> None:
    """A sender to each port, once somebody listens there."""
    for port in ports:
        until = time.monotonic() + 60
        while not _listens(int(port)):
            if time.monotonic() > until:
                raise RuntimeError(f"nobody listens at port {port}")
            time.sleep(0.05)
        words = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(material.file), "-c", "copy"]
        words += ["-f", "rtsp", "-rtsp_transport", "tcp", ADDRESS.format(port)]
        running.callback(_end, subprocess.Popen(words, **_QUIET))


def _listens(port: int) -> bool:
    """Asked of the kernel: who connects is taken for the sender."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def _ports(count: int) -> list[str]:
    return [str(port) for port in islice(_free_ports(), count)]


def _written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 1 << 20


def _spent(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS


def _memory(process: subprocess.Popen[bytes]) -> float:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("VmHWM:"))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
