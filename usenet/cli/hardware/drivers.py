"""usenet hardware install-drivers: what the cards of this machine need, and why."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.hardware import app
from usenet.cli.hardware.facts import SAVED
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.domain.hardware.drivers import DriverStep


@app.command("install-drivers")
def install_drivers(
    apply: Annotated[bool, typer.Option("--apply", help="Run the commands, each step with consent.")] = False,
    host: Annotated[Path | None, SAVED] = None,
) -> None:
    """Show what the cards of this machine need: packages, toolkit, groups; run it with --apply."""
    if apply and host:
        raise UsageError("--apply is for this machine, --host for another")
    from usenet.actions.hardware import drivers

    if not host:
        console.say("looking at the machine")
    steps = drivers.look(host)[1]
    if host:
        console.say("what is installed there is not in the file: these are the steps from nothing")
    if apply and not FLAGS.dry_run:
        steps = _carry_out(steps)
    console.show({"steps": steps}, lambda: _print(steps, applied=apply and not FLAGS.dry_run))


def _carry_out(steps: tuple[DriverStep, ...]) -> tuple[DriverStep, ...]:
    """Each step that is not done and can be run, with consent; then what is seen of the machine afterwards.

    A step may show what else is needed, so the machine is looked at again after each.
    """
    from usenet.actions.hardware import drivers

    tried: set[str] = set()
    before = drivers.prefix() if any(_open(steps, tried)) else ()
    while waiting := _open(steps, tried):
        step = waiting[0]
        tried.add(step.what)
        _tell(step)
        answer = console.ask("do it? [Y/n]", default="y", cure="agree beforehand with --yes")
        if answer.lower().startswith("y"):
            drivers.carry_out(step, lambda text: console.say(f"  | {text}"), before)
            steps = drivers.look()[1]
    return steps


def _open(steps: tuple[DriverStep, ...], tried: set[str]) -> list[DriverStep]:
    return [step for step in steps if step.commands and not step.done and step.what not in tried]


def _tell(step: DriverStep) -> None:
    console.ahead(f"{step.what}: {step.because}")
    for command in step.commands:
        console.ahead(f"    {shlex.join(command)}")


def _print(steps: tuple[DriverStep, ...], *, applied: bool) -> None:
    if not steps:
        console.line("No card on this machine needs a driver from here.")
    for step in steps:
        console.line(f"{_state(step)}: {step.what}")
        if step.done:
            continue
        console.line(f"    because: {step.because}")
        for command in step.commands:
            console.line(f"    {shlex.join(command)}")
        if step.then:
            console.line(f"    then: {step.then}")
    if not applied and any(step.commands and not step.done for step in steps):
        console.say("run these with: usenet hardware install-drivers --apply")


def _state(step: DriverStep) -> str:
    if step.done:
        return "done"
    return "to do" if step.commands else "to do by hand"
