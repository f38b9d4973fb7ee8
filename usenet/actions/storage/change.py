"""The steps that make the drives of a machine as usenet.yaml wants them. A verb writes that first, then calls `apply`.

A run that is killed anywhere is finished by the next one that changes something.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from usenet.actions.storage import settling
from usenet.actions.storage.shelf import Shelf, observe
from usenet.adapters.home import Home
from usenet.adapters.storage import fstab, guards, mounting
from usenet.domain.errors import UsenetError
from usenet.domain.storage.converge import Converged, Finding, converge, drive_of
from usenet.domain.storage.intent import POOL
from usenet.domain.storage.steps import (
    BindDirectory,
    Detach,
    Give,
    Guard,
    Mark,
    MountDrive,
    Persist,
    Share,
    Step,
    Unmark,
    Unmount,
)

Say = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a verb did or would do: steps in their order, sentences for a person, and what stays wrong."""

    name: str = ""
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def apply(
    home: Home, *, say: Say, must: str = "", leave: Collection[str] = (), dead: Collection[str] | None = None
) -> Converged:
    """Take the steps from what is mounted to what usenet.yaml wants; those that were taken. Call it under the lock.

    What fails for one drive is a finding, and the others go on; for the drive `must`, and for what is no drive's, it
    is raised. The drives `leave`, or the pool, are not mounted, though they could be. `dead` is what somebody knows who
    feels the pulse of the drives: none is woken then. Else each is asked, and has half a minute to spin up.
    """
    mounting.tidy()
    shelf = observe(home, wake=dead is None, dead=dead or ())
    planned = converge(shelf.drives, shelf.seen)
    failed: dict[str, Finding] = {}
    taken: list[Step] = []
    for step in planned.steps:
        name = drive_of(step, shelf.seen)
        if name in failed or (name in leave and isinstance(step, MountDrive | BindDirectory)):
            continue
        say(step)
        try:
            take(step, shelf)
        except UsenetError as failure:
            if name in ("", must):
                raise
            failed[name] = Finding(drive=name, what=failure.message, cure=failure.hint)
        else:
            taken.append(step)
    settled = settling.settle(shelf, say=say, mount=POOL not in leave, wake=dead is None)
    return Converged((*taken, *settled.steps), (*planned.findings, *failed.values(), *settled.findings))


def walk(steps: Sequence[Step], shelf: Shelf, say: Say) -> None:
    """Take steps one after the other. Call it under the lock."""
    for step in steps:
        say(step)
        take(step, shelf)


def take(step: Step, shelf: Shelf) -> None:  # noqa: C901 - one for each step
    """Take one step; those of the pool are not taken here."""
    match step:
        case Share(path=path):
            mounting.share(Path(path), shelf.seen.uid, shelf.seen.gid)
        case Guard(path=path):
            guards.guard(Path(path), shelf.seen.uid, shelf.seen.gid)
        case Mark():
            mounting.mark(step)
        case Give():
            mounting.give(step)
        case Unmark():
            mounting.unmark(step)
        case MountDrive():
            mounting.show_drive(step)
        case BindDirectory():
            mounting.show_directory(step)
        case Unmount(target=target):
            mounting.unmount(Path(target))
        case Detach(target=target):
            mounting.detach(Path(target))
        case Persist(lines=lines):
            fstab.write(shelf.seen.stack, lines)
