"""usenet storage list, add, remove: the drives of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.storage import app, taken
from usenet.cli.storage.consent import through_root
from usenet.cli.storage.names import complete
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.actions.storage import Changed
    from usenet.domain.storage.intent import Role

ROLES = ("media", "downloads", "recordings", "backup")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", "-a", help="What can't be used too, with the reason.")] = False,
) -> None:
    """Show every drive, whether it is in the stack or can join it."""
    from usenet.actions import storage

    rows, hidden = storage.listed(home(), all_=all_ or FLAGS.json)

    def human() -> None:
        columns = ("drive", "device", "type", "label", "size", "used", "smart", "state")
        sizes = console.human_bytes
        cells = (
            (r.name, r.device, r.type, r.label, sizes(r.size or None), sizes(r.used), r.smart.state, r.state)
            for r in rows
        )
        if rows:
            console.table(columns, cells)
        else:
            console.line("no drive is in the stack, and none can be added")
        if hidden:
            console.say(f"{hidden} more can't be used; see why with: usenet storage list --all")

    console.show(rows, human)


@app.command()
def add(
    drive: Annotated[str, typer.Argument(metavar="DRIVE", help="A device, UUID, label or directory.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it; its label otherwise.")] = "",
    role: Annotated[
        str, typer.Option("--role", metavar="|".join(ROLES), help="What it is for; media if it is new.")
    ] = "",
    read_only: Annotated[bool | None, typer.Option("--read-only/--read-write", help="Write nothing to it.")] = None,
    optional: Annotated[bool | None, typer.Option("--optional/--needed", help="No service waits for it.")] = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over a drive of another stack.")] = False,
) -> None:
    """Let a drive join the stack; running containers see it at once. What is not said of one that is in it stays so."""
    from usenet.actions import storage

    if role and role not in ROLES:
        raise UsageError(f"--role: expected one of {', '.join(ROLES[:-1])} or {ROLES[-1]}, found {role!r}")
    wish = storage.Wish(
        drive=drive,
        name=name,
        role=cast("Role", role) or None,
        needed=None if optional is None else not optional,
        read_only=read_only,
        adopt=adopt,
    )
    flags = {
        f"--role={role}": role,
        "--read-only": read_only,
        "--read-write": read_only is False,
        "--optional": optional,
        "--needed": optional is False,
        "--adopt": adopt,
    }
    words = ["storage", "add", f"--name={name}", *(flag for flag, on in flags.items() if on)]
    through_root(
        [*words, "--", drive], lambda: taken.lines(storage.add(home(), wish, dry_run=True, say=taken.say).steps)
    )
    done = storage.add(home(), wish, dry_run=FLAGS.dry_run, say=taken.say)
    _told(done, f"{done.name}: {'added' if done.steps else 'in the stack already'}")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete)],
    eject: Annotated[bool, typer.Option("--eject", help="Power a USB drive down, so that it can be pulled.")] = False,
) -> None:
    """Take a drive out of the stack; nothing on it is touched."""
    from usenet.actions import storage

    words = ["storage", "remove", *(["--eject"] if eject else []), "--", name]
    through_root(words, lambda: taken.lines(storage.remove(home(), name, dry_run=True, say=taken.say).steps))
    _told(storage.remove(home(), name, eject=eject, dry_run=FLAGS.dry_run, say=taken.say), f"{name}: removed")


def _told(done: Changed, words: str) -> None:
    taken.tell(done.steps, done.findings, words, drive=done.name, notes=done.notes)
