"""Create containers, start them in the order of their needs, and watch each until it is healthy or known not to be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from usenet.actions import ours
from usenet.adapters import compose, engine, probes, secrets
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.domain import steps
from usenet.domain.errors import SystemFailure
from usenet.domain.plan import Plan
from usenet.domain.reach import at
from usenet.domain.starting import Progress, State, blocked, ready
from usenet.domain.steps import Create

SOON, LATER = 0.03, 0.3  # seconds between two looks: less where something happened just now
RESTARTS = 4
STEADY = 3.0  # a container with nothing to ask must have run so long

Watch = Callable[[Mapping[str, Progress]], None]


class _Run:
    """One `up`: what is known of each service, and since when."""

    def __init__(self, home: Home, plan: Plan, names: Sequence[str], watch: Watch, timeout: float | None) -> None:
        self.home, self.plan, self.watch, self.timeout = home, plan, watch, timeout
        self.now = {n: Progress(service=n) for wave in plan.waves for n in wave if not names or n in names}
        self.began = time.monotonic()
        self.started: dict[str, float] = {}
        self.beginning: set[str] = set()  # the engine hasn't answered yet to the wish to start them
        self.refused: dict[str, str] = {}
        self.news = threading.Event()

    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 2)

    def mark(self, name: str, state: State, reason: str = "", log: Sequence[str] = ()) -> None:
        progress = replace(self.now[name], state=state, seconds=self.seconds(), reason=reason, log=tuple(log))
        self.now[name] = progress
        self.watch(self.now)


def start(
    home: Home,
    plan: Plan,
    names: Sequence[str],
    *,
    watch: Watch,
    timeout: float | None = None,
    waits: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Progress, ...]:
    """Start `names` (none: all) and remove what is off; what became of each, in the order of starting.

    `waits`: service → why it is not started now; one that runs already goes on.
    A service that fails doesn't stop the others; those that need it are skipped. Raises SystemFailure when the
    engine itself goes away.
    """
    run = _Run(home, plan, names, watch, timeout)
    _create(run)
    for name in waits.keys() & run.now.keys():
        if not run.now[name].settled:
            run.mark(name, "skipped", waits[name])
    pause = SOON
    while not all(p.settled for p in run.now.values()):
        _skip(run)
        _begin(run, ready(plan.grants, run.now))
        if _observe(run):
            pause = SOON
            continue
        run.news.wait(pause)
        run.news.clear()
        pause = min(pause * 1.3, LATER)
    return tuple(run.now.values())


def _skip(run: _Run) -> None:
    for name, lost in blocked(run.plan.grants, run.now).items():
        run.mark(name, "skipped", f"it needs {lost}, which is not healthy")


def _create(run: _Run) -> None:
    """All of them at once; one by one only where that fails, to know which one is to blame."""
    try:
        _compose(run, tuple(run.now), off=off(run.home, run.plan))
        return
    except SystemFailure:
        engine.ping()  # the engine gone is not one service's failure
    for name in run.now:
        _skip(run)
        if run.now[name].settled:
            continue
        try:
            _compose(run, (name,))
        except SystemFailure as failure:
            engine.ping()
            run.mark(name, "failed", _plain(run, failure.message))


def off(home: Home, plan: Plan) -> tuple[str, ...]:
    """The services that have a container of this stack and are not in the plan."""
    return tuple(name for name in ours.containers(home, plan.project) if name not in plan.grants)


def _compose(run: _Run, names: tuple[str, ...], *, off: tuple[str, ...] = ()) -> None:
    among = [n for n, p in run.now.items() if not p.settled]
    step = steps.create(run.plan, names, among=among, off=off)
    if names or off:
        compose.run(command(run.home, run.plan, step))


def _creation(step: Create) -> list[str]:
    if not step.services:
        return ["down", "--remove-orphans"]
    # Never --no-deps without need: Compose then forgets depends_on, and would make the container anew the next time.
    options = [*(["--remove-orphans"] if step.off else []), *(["--no-deps"] if step.alone else [])]
    return ["up", "--no-start", "--no-build", *options, *step.services]


def command(home: Home, plan: Plan, step: Create) -> list[str]:
    """The command line that creates containers, and removes what is off."""
    return compose.command(home.path, plan.project, *_creation(step))


def _begin(run: _Run, names: Sequence[str]) -> None:
    """Start their containers, each in a thread of its own: Compose would wait for what the engine thinks of health."""
    found = ours.containers(run.home, run.plan.project) if names else {}
    for name in names:
        run.mark(name, "starting")
        run.started[name] = time.monotonic()
        if name in found and found[name].state != "running":
            run.beginning.add(name)
            threading.Thread(target=_start, args=(run, name, found[name].id), daemon=True).start()


def _start(run: _Run, name: str, container: str) -> None:
    try:
        engine.start(container)
    except SystemFailure as failure:
        run.refused[name] = failure.message
    finally:
        run.beginning.discard(name)
        run.news.set()


def _plain(run: _Run, text: str) -> str:
    return secrets.redact(text, run.home)


def _observe(run: _Run) -> bool:
    """Look at those that were started; whether one of them is settled now."""
    waiting = [n for n, p in run.now.items() if p.state == "starting" and n not in run.beginning]
    if not waiting:
        return False
    found = ours.containers(run.home, run.plan.project)
    running = {n: found[n] for n in waiting if n in found and found[n].state == "running"}
    asked = {n: at(run.plan.grants[n].probe, c.addresses) for n, c in running.items()}
    answers = probes.Asked(asked, timeout=2).answers()
    for name in waiting:
        _judge(run, name, found.get(name), answers.get(name))
    return any(run.now[name].settled for name in waiting)


def _judge(run: _Run, name: str, container: Container | None, answer: str | None) -> None:
    if answer == "" and container is not None and _steady(run, name, container):
        run.mark(name, "healthy")
        return
    waited = time.monotonic() - run.started[name]
    allowed = run.timeout or run.plan.grants[name].start_period
    reason = ""
    if container is None:
        reason = "its container is gone"
    elif name in run.refused:
        reason = run.refused[name]
    elif container.state in ("exited", "dead"):
        reason = f"it stopped: {container.status}"
    elif container.state == "restarting" and (again := engine.inspect(container.id)["RestartCount"]) >= RESTARTS:
        reason = f"it keeps stopping: {container.status}, {again} restarts"
    elif waited > max(allowed, 2 * STEADY):
        reason = f"not healthy after {waited:.0f} s: {answer or container.status}"
    if reason:
        log = [_plain(run, line) for line in engine.log_tail(container.id)] if container else []
        run.mark(name, "failed", _plain(run, reason), log)


def _steady(run: _Run, name: str, container: Container) -> bool:
    return run.plan.grants[name].probe.kind != "running" or engine.age(engine.inspect(container.id)) >= STEADY
