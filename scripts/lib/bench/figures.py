"""Each figure of the bench: what is measured, beside what, and what it should reach."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import drives, many, recorder, watch
from bench.scratch import Scratch, Stack, usenet
from bench.timing import Figure, Measured, Series, in_turns, ratio, run, timed

INSIDE = Path(__file__).with_name("inside.py")
COMPLETION = {"_USENET_COMPLETE": "complete_bash", "COMP_WORDS": "usenet services up s", "COMP_CWORD": "3"}
SIZES = (62, 125, 250, 500, 1000)


@dataclass(frozen=True, slots=True)
class Round:
    """One run of the bench. `quick`: fewer repetitions and smaller stacks."""

    scratch: Scratch
    quick: bool

    def times(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Measure = Callable[[Round], Iterator[Figure]]


def start(now: Round) -> Iterator[Figure]:
    """How long a person waits for help, and for the Tab key."""
    found = in_turns(
        {
            "typer": timed([sys.executable, "-c", "import typer"]),
            "help": timed([*usenet(), "--help"]),
            "completion": timed(usenet(), environment=COMPLETION),
        },
        now.times(25, 7),
    )
    anchor = 'python -c "import typer"'
    yield ratio("usenet --help", found["help"], anchor, found["typer"], goal=1.6)
    yield ratio("one completion", found["completion"], anchor, found["typer"], goal=1.6)


def plan(now: Round) -> Iterator[Figure]:
    """All services, planned and rendered in one process; each repetition is a fresh process."""
    home = now.scratch.folder / "plan"
    first = _inside(home, (), 1)
    prepared = _inside(home, (first["services"],), 1)["services"]
    config = ["docker", "compose", "-f", _secrets(home / str(prepared)), "config", "-q"]
    loads, colds, warms = [], [], []  # colds, warms: pairs of clock and processor

    def one() -> float:
        found = _inside(home, (), 5)
        loads.append(found["load"])
        colds.append(found["cold"])
        warms.extend(found["warm"])
        return 0.0

    anchor = in_turns({"inside": one, "compose": timed(config)}, now.times(11, 3), warm=False)["compose"]
    load, (cold, cold_work), (warm, warm_work) = Series(tuple(loads)), _parted(colds), _parted(warms)
    name = f"docker compose config -q, {prepared} services"
    # It waits for nothing, so that its processor time is what a quiet machine's clock shows.
    yield _below("plan + render, first call, processor", cold_work, 0.050)
    yield _below("plan + render, warm, processor", warm_work, 0.050)
    yield ratio("plan + render, first call", cold, name, anchor, goal=0.25)
    yield ratio("plan + render, warm", warm, name, anchor, goal=0.25)
    yield ratio("load the catalog", load, name, anchor)


def scale(now: Round) -> Iterator[Figure]:
    """Plan and render from 62 to 1,000 services, and Compose reading the same files."""
    home = now.scratch.folder / "scale"
    found = _inside(home, SIZES, now.times(9, 3))["scale"]
    sizes = SIZES[::4] if now.quick else SIZES
    compose = {size: timed(["docker", "compose", "-f", _secrets(home / str(size)), "config", "-q"]) for size in sizes}
    anchors = in_turns({str(size): one for size, one in compose.items()}, now.times(5, 1), warm=False)
    for size in sizes:
        render = Series(tuple(found[str(size)]["render"]))
        yield ratio(f"render {size} services", render, f"docker compose config -q, {size}", anchors[str(size)])
    steepest = _slope({size: Series(tuple(found[str(size)]["render"])) for size in SIZES})
    theirs = _slope({size: anchors[str(size)] for size in sizes})
    last = str(SIZES[-1])
    each = Series(tuple(s / SIZES[-1] for s in found[last]["render"]))
    own = Series(tuple(s / SIZES[-1] for s in anchors[last].seconds))
    name = f"docker compose config -q: slope {theirs:.2f}"
    goal = "slope ≤ 1.1"
    yield Figure("render, each of 1,000", each, name, own, steepest, f"slope {steepest:.2f}", goal, steepest <= 1.1)
    whole = {size: _sum(found[str(size)]) for size in SIZES}
    slope = _slope(whole)
    yield Figure("plan + render 1,000", whole[SIZES[-1]], name, anchors[last], slope, f"slope {slope:.2f}")


def status(now: Round) -> Iterator[Figure]:
    """What runs, for thirty containers."""
    stack = now.scratch.stack((30,), checked=False)
    run(stack.usenet("services", "up"))
    subjects = {"ours": timed(stack.usenet("services", "status")), "compose": timed(stack.compose("ps"))}
    found = in_turns(subjects, now.times(15, 5))
    yield ratio("services status, 30 run", found["ours"], "docker compose ps", found["compose"], goal=0.5)
    stack.clear()


def up(now: Round) -> Iterator[Figure]:
    """Services in three waves, none of which can check itself: Compose waits for nothing, we for each port."""
    sizes = (1, 2, 2) if now.quick else (2, 4, 4)
    stack = now.scratch.stack(sizes, checked=False)
    subjects = _ups(stack)
    found = in_turns({name: _from_nothing(stack, one) for name, one in subjects.items()}, now.times(7, 2), warm=False)
    for anchor in ("up -d --wait", "up -d, then ask each port"):
        yield ratio(
            f"services up, {sum(sizes)} from nothing",
            found["ours"],
            f"docker compose {anchor}",
            found[anchor],
            goal=1.1,
        )
    subjects["ours"]()
    again = {"ours": subjects["ours"], "up -d": timed(stack.compose("up", "-d"))}
    again["deploy"] = timed(stack.usenet("deploy"))
    found = in_turns(again, now.times(9, 3))
    yield ratio("services up, nothing to do", found["ours"], "docker compose up -d", found["up -d"])
    yield ratio("usenet deploy, nothing to do", found["deploy"], "docker compose up -d", found["up -d"])
    stack.clear()


def up_checked(now: Round) -> Iterator[Figure]:
    """The same with a check inside each image, which the engine asks every 15 s and Compose waits for."""
    sizes = (3,) if now.quick else (2, 4, 4)
    stack = now.scratch.stack(sizes, checked=True)
    subjects = {name: _from_nothing(stack, one) for name, one in _ups(stack).items()}
    if now.quick:
        del subjects["up -d, then ask each port"]
    found = in_turns(subjects, now.times(2, 1), warm=False)
    name = f"services up, {sum(sizes)} with checks inside"
    for anchor in list(found)[1:]:
        yield ratio(name, found["ours"], f"docker compose {anchor}", found[anchor], goal=1.1)
    stack.clear()


def hardware(now: Round) -> Iterator[Figure]:
    """What this machine has, beside two of the tools that are asked for it."""
    listed = timed([*usenet(), "hardware", "list"])
    drives, version = timed(["lsblk", "--json", "-O"]), timed(["docker", "compose", "version"])
    subjects: dict[str, Measured] = {"ours": listed, "theirs": lambda: drives() + version()}
    found = in_turns(subjects, now.times(11, 3))
    anchor = "lsblk --json -O; docker compose version"
    yield ratio("usenet hardware list", found["ours"], anchor, found["theirs"])
    if not json.loads(run([*usenet(), "hardware", "list", "--json"])[1])["gpus"]:
        yield _below("usenet hardware list, no GPU", found["ours"], 0.150)


FIGURES: dict[str, Measure] = {
    "start": start,
    "plan": plan,
    "scale": scale,
    "status": status,
    "up": up,
    "up-checked": up_checked,
    "hardware": hardware,
    "storage": drives.storage,
    "watch": watch.watch,
    "many": many.many,
    "recorder": recorder.recorder,
}
NEED_ENGINE = frozenset({"status", "up", "up-checked", "storage", "watch", "many"})
NEED_COMPOSE = NEED_ENGINE | {"plan", "scale", "hardware"}


def _inside(home: Path, sizes: tuple[int, ...], repetitions: int) -> dict[str, object]:
    home.mkdir(exist_ok=True)
    words = [sys.executable, str(INSIDE), str(home), ",".join(map(str, sizes)), str(repetitions)]
    return json.loads(run(words)[1])


def _secrets(home: Path) -> str:
    """Give every secret of a rendered stack a value, without which Compose stops; its compose file."""
    names = json.loads((home / "stack" / "plan.json").read_text())["secrets"]
    (home / ".env").write_text("".join(f"{name}=bench\n" for name in names))
    return str(home / "stack" / "compose.yaml")


def _parted(pairs: list[tuple[float, float]]) -> tuple[Series, Series]:
    clock, processor = zip(*pairs, strict=True)
    return Series(clock), Series(processor)


def _below(name: str, measured: Series, goal: float) -> Figure:
    value, words = measured.median, f"≤ {goal * 1000:.0f} ms"
    return Figure(name, measured, "the goal itself", None, value, f"{value * 1000:.0f} ms", words, value <= goal)


def _sum(found: dict[str, list[float]]) -> Series:
    return Series(tuple(map(sum, zip(found["plan"], found["render"], strict=True))))


def _slope(found: dict[int, Series]) -> float:
    """Of the line through (log services, log seconds) with the least squares: 1 is linear, 2 is quadratic."""
    points = [(math.log(size), math.log(series.median)) for size, series in found.items()]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def _rendered(stack: Stack) -> None:
    """Write the whole stack and make its directories, once: what follows is measured without."""
    run(stack.usenet("services", "up", stack.waves[0][0]))
    stack.clear()


def _ups(stack: Stack) -> dict[str, Measured]:
    _rendered(stack)

    def asked() -> float:
        began = time.perf_counter()
        run(stack.compose("up", "-d"))
        stack.answering()
        return time.perf_counter() - began

    return {
        "ours": timed(stack.usenet("services", "up")),
        "up -d --wait": timed(stack.compose("up", "-d", "--wait")),
        "up -d, then ask each port": asked,
    }


def _from_nothing(stack: Stack, one: Measured) -> Measured:
    def measured() -> float:
        stack.clear()
        return one()

    return measured
