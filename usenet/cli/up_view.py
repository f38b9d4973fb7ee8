"""What a person sees while services start, and afterwards."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from usenet.actions.deploy import Deployed
    from usenet.actions.places import Home
    from usenet.actions.plan import Decision, Situation
    from usenet.actions.services import Page
    from usenet.domain.plan import Plan
    from usenet.domain.settings import ImageSource
    from usenet.domain.starting import Progress

Watch = Callable[[Mapping[str, "Progress"]], None]
_MARKS = {"waiting": "·", "starting": "…", "healthy": "✓", "failed": "✗", "skipped": "-"}
_COLOURS = {"waiting": "dim", "starting": "yellow", "healthy": "green", "failed": "bold red", "skipped": "magenta"}


def run(
    home: Home,
    names: Sequence[str],
    *,
    group: str = "",
    available: bool = False,
    timeout: float | None = None,
    images: ImageSource | None = None,
    draft: str = "",
) -> None:
    """Look, decide, prepare, start, and tell; exit 1 when a service is not healthy in the end.

    `draft`, for a dry run: the usenet.yaml that would be written.
    """
    from usenet.actions.hardware import Looking

    check_timeout(timeout)
    console.say("looking at the machine")
    begun = Looking()  # loading the rest takes as long
    from usenet.actions import deploy
    from usenet.actions import plan as planning

    if not FLAGS.dry_run:
        deploy.require_free(home)
    situation = planning.look(home, source=images, draft=draft, begun=begun)
    for text in situation.warnings:
        console.warn(text)
    if not FLAGS.dry_run:
        deploy.require_engine(situation)
    situation, decision = _decided(situation, available=available)
    chosen = deploy.chosen(decision.plan, names, group, situation.catalog)
    _warn(decision.plan)
    if FLAGS.dry_run:
        _dry_run(situation, decision, chosen, draft=draft)
        return
    carry_out(situation, decision, chosen, timeout=timeout)


def carry_out(situation: Situation, decision: Decision, names: Sequence[str], *, timeout: float | None = None) -> None:
    """Start what was decided, and tell; exit 1 when a service is not healthy in the end."""
    from usenet.actions import deploy

    with _view(decision) as watch:
        result = deploy.up(situation, decision, names, say=console.say, watch=watch, timeout=timeout)
    for text in result.warnings:
        console.warn(text)
    _tell(situation.home, decision, result)
    if result.failed:
        raise typer.Exit(1)


def check_timeout(timeout: float | None) -> None:
    """UsageError unless it is a time to wait."""
    if timeout is not None and not timeout > 0:  # not a number is no time either
        raise UsageError(f"--timeout: expected seconds, more than 0; found {timeout:g}")


def _warn(plan: Plan) -> None:
    from usenet.actions import owners
    from usenet.domain.plan import NOTHING_ON, by_reason

    if not (plan.grants or plan.left_out):
        console.warn(NOTHING_ON)
    for text in by_reason(plan.left_out):
        console.warn(f"left out: {text}")
    for text in owners.warnings(plan):
        console.warn(text)


def _decided(situation: Situation, *, available: bool) -> tuple[Situation, Decision]:
    """With `available`, images are pulled first: what a registry refuses is not in the plan."""
    from usenet.actions import plan as planning
    from usenet.actions.images import pulled

    decision = planning.decide(situation, available=available)
    if FLAGS.dry_run or not available:
        return situation, decision
    situation = pulled(situation, decision, console.say)
    return situation, planning.decide(situation, available=True)


def _dry_run(situation: Situation, decision: Decision, chosen: Sequence[str], *, draft: str) -> None:
    from usenet.actions import deploy
    from usenet.domain import steps

    if absent := deploy.not_given(situation.home, decision.plan):
        console.warn(f"{absent}; {absent.hint}")
    todo = deploy.todo(situation, decision, chosen)
    commands = deploy.commands(situation, decision.plan, todo)

    def human() -> None:
        for step, argv in zip(todo, commands, strict=True):
            console.line(steps.describe(step))
            if argv:
                console.line(f"    {shlex.join(argv)}")

    told = [
        {"step": type(s).__name__, "what": steps.describe(s), "command": c} for s, c in zip(todo, commands, strict=True)
    ]
    first = [{"step": "WriteSettings", "what": f"write {situation.home.settings}", "command": []}] if draft else []
    console.show([*first, *told], human)


@contextmanager
def _view(decision: Decision) -> Iterator[Watch]:
    if not console.on_terminal() or FLAGS.quiet:
        yield _lines()
        return
    with console.live() as live:
        yield lambda now: live.update(_table(now, decision))


def _lines() -> Watch:
    """One line for each change of state, for a pipe or a log."""
    told: dict[str, str] = {}

    def watch(now: Mapping[str, Progress]) -> None:
        for name, progress in now.items():
            if told.get(name, "waiting") != progress.state:
                told[name] = progress.state
                console.say(f"{progress.seconds:6.1f} s  {name}: {progress.state}")

    return watch


def _table(now: Mapping[str, Progress], decision: Decision) -> Table:
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2))
    for name, progress in now.items():
        colour = _COLOURS[progress.state]
        mark = Text(f"{_MARKS[progress.state]} {progress.state}", style=colour)
        seconds = f"{progress.seconds:.1f} s" if progress.state != "waiting" else ""
        made.add_row(mark, Text(name, style="bold"), Text(decision.plan.grants[name].title, style="dim"), seconds)
    return made


def _tell(home: Home, decision: Decision, result: Deployed) -> None:
    from usenet.actions import services

    pages = services.urls(home)
    document = {
        "services": [
            {**console.plain(p), **console.plain(pages.get(p.service, {"url": "", "lan": ""}))} for p in result.services
        ],
        "left_out": decision.plan.left_out,
    }
    console.show(document, lambda: _human(result, pages))


def _human(result: Deployed, pages: Mapping[str, Page]) -> None:
    rows = ((p.service, p.state, f"{p.seconds:.1f} s", _address(pages.get(p.service))) for p in result.services)
    console.table(("service", "state", "after", "address"), rows)
    for progress in result.failed:
        console.problem(f"{progress.service}: {progress.reason}")
        for text in progress.log:
            console.problem(f"  | {text}", mark="")
    healthy = len(result.services) - len(result.failed)
    console.say(f"{healthy} of {len(result.services)} services are healthy")


def _address(page: Page | None) -> str:
    return f"{page.url} {page.lan}".rstrip() if page else ""
