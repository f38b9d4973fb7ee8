"""Power cuts: record, cut, mount again, recover, judge, again and again on one drive."""

from __future__ import annotations

import random
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from usenet.recorder.policy import PRESETS, Flush

from .disks import Disk
from .judge import Verdict, judge
from .takes import Camera, Studio, Take

FLUSHES = {
    "frame, 60 ms": Flush("frame", 100, 60, index_every=2),
    "40 ms, 100 ms": Flush("time", 40, 100),
    "GOP, 150 ms": Flush("gop", 170, 150, index_every=1),
    "evidence": PRESETS["evidence"],
    "default": PRESETS["default"],
}
ROTATE = (0.2, 0.2, 0.6, 60.0)
WAYS = (("ext4", "shutdown"), ("xfs", "shutdown"), ("ext4", "cache"), ("xfs", "cache"), ("btrfs", "cache"))


@dataclass
class Tally:
    """What came of many cuts or kills."""

    name: str
    count: int = 0
    breaches: list[str] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)  # of what the policy allows
    finished: int = 0
    recovered: int = 0
    during: Counter[str] = field(default_factory=Counter)
    recovery_ms: list[float] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.count += 1
        self.breaches += verdict.breaches
        self.losses += verdict.losses.values()
        self.share += [loss / verdict.allowed[camera] for camera, loss in verdict.losses.items()]
        self.finished += verdict.finished
        self.recovered += verdict.recovered
        self.during.update(verdict.during)
        self.recovery_ms += verdict.recovery_ms

    def row(self) -> str:
        median, most = statistics.median(self.losses), max(self.losses)
        return (
            f"| {self.name} | {self.count} | {self.finished} | {self.recovered} | {median:.3f} | {most:.3f} | "
            f"{max(self.share):.0%} | {max(self.recovery_ms, default=0):.0f} | {len(self.breaches)} |"
        )


HEADER = (
    "| | times | closed segments | recovered | loss, median s | most s | most of what is allowed | "
    "slowest recovery ms | breaches |\n|---|---|---|---|---|---|---|---|---|"
)


def take(rng: random.Random, home: Path, log: Path, *, broken: str = "") -> Take:
    """Three cameras on the drive at `home`, each with another policy."""
    cameras = []
    for name, policy in zip("abc", rng.sample(sorted(FLUSHES), 3), strict=True):
        directory = home / name
        directory.mkdir(exist_ok=True)
        rotate, sound = rng.choice(ROTATE), rng.random() < 0.5
        cameras.append(Camera(name, str(directory), asdict(FLUSHES[policy]), rotate, sound))
    log.unlink(missing_ok=True)
    aim = rng.choice((-1, rng.randint(0, 60), rng.randint(60, 300)))
    return Take(str(rng.random()), str(log), tuple(cameras), broken, aim)


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


def table(name: str, tallies: list[Tally], say: Callable[[str], None]) -> None:
    say(f"\n{name}\n\n{HEADER}")
    for tally in tallies:
        say(tally.row())
    for tally in tallies:
        landed = ", ".join(f"{what} {count}" for what, count in tally.during.most_common(12))
        say(f"\n{tally.name} landed in: {landed or 'no call'}")
        for breach in tally.breaches:
            say(f"BREACH {tally.name}: {breach}")
