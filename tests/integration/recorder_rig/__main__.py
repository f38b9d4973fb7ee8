"""All of it at length, as tables: `python -m tests.integration.recorder_rig --full`, as root; half an hour.

Without --full a tenth of it. The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import platform
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from usenet.recorder.recovery import recover

from . import kills, power
from .disks import disk
from .long import Length, hours
from .takes import studio
from .tally import Tally, table

CUTS, KILLS = 100, 1000
DAY, TEN = Length(24, 25, 1000), Length(10, 25, 250)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def power_cuts(folder: Path, share: float, seed: str) -> list[Tally]:
    found = []
    with studio() as actors:
        for kind, way in power.WAYS:
            with disk(kind, way, folder / f"{kind} {way}".replace(" ", "-")) as made:
                found.append(power.cuts(made, actors, int(CUTS * share), seed))
    table("Power cuts", found, say)
    return found


def killed(folder: Path, share: float, seed: str) -> list[Tally]:
    with studio() as actors:
        found = [kills.kills(folder, actors, int(KILLS * share), seed)]
    table("Kills", found, say)
    return found


def long(folder: Path, share: float, seed: str) -> list[Tally]:
    """Nothing is counted here: times and memory, for people."""
    say("\nLong recordings\n")
    day = Length(24 * share, DAY.rate, DAY.chunk_ms)
    told = hours(folder / "day", day, finish=True)
    (path,) = (folder / "day").iterdir()
    grown = (told["at the end"] - told.get("after an hour", told["at the end"])) / 2**20
    say(f"{day.hours} h, {day.pictures} pictures, {path.stat().st_size / 2**30:.1f} GiB: {grown:.1f} MiB grown, {told}")
    path.unlink()
    ten = Length(10 * share, TEN.rate, TEN.chunk_ms)
    hours(folder / "ten", ten, finish=False)
    (part,) = (folder / "ten").glob("*.part")
    report = recover(part)
    say(f"{ten.hours} h cut off: {report.chunks_kept} chunks recovered with index in {report.ms / 1000:.2f} s")
    return []


PARTS: dict[str, Callable[[Path, float, str], list[Tally]]] = {"power": power_cuts, "kill": killed, "long": long}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.recorder_rig", description=__doc__)
    parser.add_argument("--full", action="store_true", help="500 power cuts, 1,000 kills, 24 hours")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--seed", default=str(random.randrange(10**6)))
    told = parser.parse_args()
    say(f"Linux {platform.release()}, seed {told.seed}")
    found: list[Tally] = []
    for name, part in PARTS.items():
        if not told.only or name in told.only:
            with tempfile.TemporaryDirectory(prefix=f"recorder-{name}-", ignore_cleanup_errors=True) as folder:
                found += part(Path(folder), 1.0 if told.full else 0.1, told.seed)
    return int(any(tally.breaches for tally in found))


if __name__ == "__main__":
    sys.exit(main())
