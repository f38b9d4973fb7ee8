"""kill -9: a recorder dies at a random moment, now and then its recovery too, and what is there is judged."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from .judge import Verdict, judge
from .power import FLUSHES
from .takes import Camera, Studio, Take
from .tally import Tally

PACES = (1.0, 4.0, 4.0, 20.0)


def kills(folder: Path, studio: Studio, number: int, seed: str, *, broken: str = "") -> Tally:
    """So many, in this folder."""
    rng, tally = random.Random(seed), Tally("kill -9")
    for _ in range(number):
        tally.add(kill(folder, studio, rng, broken=broken))
    return tally


def kill(folder: Path, studio: Studio, rng: random.Random, *, broken: str = "") -> Verdict:
    made = take(rng, folder, broken=broken)
    pid = studio.begin(made)
    studio.moment(made, rng.uniform(0.01, 0.4))
    studio.kill(pid)
    moment = time.monotonic_ns()
    if rng.random() < 0.2:
        pid = studio.recovery([camera.directory for camera in made.cameras])
        time.sleep(rng.uniform(0, 0.02))
        studio.kill(pid)
    verdict = judge(made, moment, power=False)
    for camera in made.cameras:
        shutil.rmtree(camera.directory)
    return verdict


def take(rng: random.Random, folder: Path, *, broken: str) -> Take:
    """Two cameras; most run faster than time, so that segments end every few milliseconds."""
    cameras = []
    for name, policy in zip("ab", rng.sample(sorted(FLUSHES), 2), strict=True):
        directory = folder / name
        directory.mkdir()
        rotate, pace = rng.choice((0.2, 0.5, 60.0)), rng.choice(PACES)
        cameras.append(Camera(name, str(directory), asdict(FLUSHES[policy]), rotate, rng.random() < 0.5, pace))
    log = folder / "log"
    log.unlink(missing_ok=True)
    aim = rng.choice((-1, rng.randint(0, 60), rng.randint(60, 300)))
    ends, tail = rng.choice((0, 0, 0, 1, 2, 3)), rng.random() < 0.3
    return Take(str(rng.random()), str(log), tuple(cameras), broken, aim, ends, tail)
