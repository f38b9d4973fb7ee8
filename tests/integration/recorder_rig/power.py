"""Power cuts: record, cut, mount again, recover, judge, again and again on one drive."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from usenet.recorder.policy import PRESETS, Flush

from .disks import Disk
from .judge import Verdict, judge
from .takes import Camera, Studio, Take
from .tally import Tally

FLUSHES = {
    "frame, 60 ms": Flush("frame", 100, 60, index_every=2),
    "40 ms, 100 ms": Flush("time", 40, 100),
    "GOP, 150 ms": Flush("gop", 170, 150, index_every=1),
    "evidence": PRESETS["evidence"],
    "default": PRESETS["default"],
}
ROTATE = (0.2, 0.2, 0.6, 60.0)
PACES = (1.0, 4.0)
WAYS = (("ext4", "shutdown"), ("xfs", "shutdown"), ("ext4", "cache"), ("xfs", "cache"), ("btrfs", "cache"))


def take(rng: random.Random, home: Path, log: Path, *, broken: str = "") -> Take:
    """Three cameras on the drive at `home`, each with another policy; some run faster than time, and end more files."""
    cameras = []
    for name, policy in zip("abc", rng.sample(sorted(FLUSHES), 3), strict=True):
        directory = home / name
        directory.mkdir(exist_ok=True)
        rotate, sound, pace = rng.choice(ROTATE), rng.random() < 0.5, rng.choice(PACES)
        cameras.append(Camera(name, str(directory), asdict(FLUSHES[policy]), rotate, sound, pace))
    log.unlink(missing_ok=True)
    aim = rng.choice((-1, rng.randint(0, 60), rng.randint(60, 300)))
    ends, tail = rng.choice((0, 0, 0, 1, 2, 3)), rng.random() < 0.3
    return Take(str(rng.random()), str(log), tuple(cameras), broken, aim, ends, tail)


def cuts(disk: Disk, studio: Studio, number: int, seed: str, *, broken: str = "") -> Tally:
    """So many power cuts on this drive, which is mounted before and after."""
    rng, tally = random.Random(seed), Tally(f"{disk.kind}, {disk.way}")
    for _ in range(number):
        tally.add(cut(disk, studio, rng, broken=broken))
    return tally


def cut(disk: Disk, studio: Studio, rng: random.Random, *, broken: str = "") -> Verdict:
    made = take(rng, disk.at, disk.folder / "log", broken=broken)
    disk.settle()
    pid = studio.begin(made)
    try:
        studio.moment(made, rng.uniform(0.05, 1.6))
        time.sleep(rng.choice((0, 0, rng.uniform(0, 0.003))))
        moment = disk.cut(rng)
    finally:
        studio.kill(pid)
    disk.down()
    disk.up()
    _interrupted(disk, studio, rng, made)
    verdict = judge(made, moment, power=True)
    for camera in made.cameras:
        shutil.rmtree(camera.directory)
    return verdict


def _interrupted(disk: Disk, studio: Studio, rng: random.Random, made: Take) -> None:
    """Now and then the power fails again while it recovers."""
    if rng.random() < 0.7:
        return
    pid = studio.recovery([camera.directory for camera in made.cameras])
    time.sleep(rng.uniform(0, 0.05))
    disk.cut(rng)
    studio.kill(pid)
    disk.down()
    disk.up()
