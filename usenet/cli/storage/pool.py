"""usenet storage pool: drives shown as one, by mergerfs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home
from usenet.cli.storage import app, findings, taken
from usenet.cli.storage.consent import through_root
from usenet.cli.storage.names import complete
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from usenet.actions.storage.pool import Pooled
    from usenet.domain.storage.balance import Move

pool = Noun(help="Show several drives as one directory, with mergerfs.")
app.add_typer(pool, name="pool")

_POLICY = "Which drive gets a new file: mfs (most room), pfrd, lus, lfs, ff, rand."
_MIN_FREE = "A drive with less room gets no new file; such as 4G."
PolicyOption = Annotated[str, typer.Option("--policy", metavar="POLICY", help=_POLICY)]
MinFreeOption = Annotated[str, typer.Option("--min-free", metavar="SIZE", help=_MIN_FREE)]


@pool.command()
def create(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Drives; all for media.", autocompletion=complete)
    ] = None,
    policy: PolicyOption = "mfs",
    min_free: MinFreeOption = "4G",
) -> None:
    """Show drives as one at <data>/drives/pool; running containers see it at once."""
    from usenet.actions.storage import pool as action

    do = partial(action.create, home(), names or (), policy=policy, min_free=min_free, say=taken.say)
    words = ["create", f"--policy={policy}", f"--min-free={min_free}", "--", *(names or ())]
    _told(_through_root(words, do), "the pool is there")


@pool.command()
def show() -> None:
    """Show the pool, and how full its drives are."""
    from usenet.actions.storage import pooled

    view = pooled.show(home())

    def human() -> None:
        console.line(f"{view.path}: {'mounted' if view.mounted else 'not mounted'}, policy {view.policy}")
        sizes = console.human_bytes
        cells = ((d.name, d.mode, sizes(d.size), sizes(d.used), sizes(d.free), d.state) for d in view.drives)
        console.table(("drive", "mode", "size", "used", "free", "state"), cells)
        findings.tell(view.findings)

    console.show(view, human)


@pool.command()
def add(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Drives of the stack.", autocompletion=complete)
    ],
) -> None:
    """Let drives join the pool; nothing is unmounted."""
    from usenet.actions.storage import pool as action

    do = partial(action.add, home(), names, say=taken.say)
    _told(_through_root(["add", "--", *names], do), f"in the pool: {', '.join(names)}")


@pool.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A drive of the pool.", autocompletion=complete)],
) -> None:
    """Take a drive out of the pool; its files stay on it. Refused while one of them is open."""
    from usenet.actions.storage import pool as action

    _told(
        _through_root(["remove", "--", name], partial(action.remove, home(), name, say=taken.say)),
        f"{name}: out of the pool",
    )


@pool.command("policy")
def policy_(
    policy: Annotated[str, typer.Argument(metavar="[POLICY]", help=_POLICY)] = "", min_free: MinFreeOption = ""
) -> None:
    """Change which drive gets a new file."""
    from usenet.actions.storage import pool as action

    if not (policy or min_free):
        raise UsageError("neither a policy nor --min-free is given", hint="what holds now: usenet storage pool show")
    words = ["policy", f"--min-free={min_free}", "--", *([policy] if policy else [])]
    done = _through_root(words, partial(action.policy, home(), policy, min_free, say=taken.say))
    _told(done, "changed" if done.steps else "nothing to change at the mounted pool")


@pool.command()
def destroy() -> None:
    """Take the pool away; every file stays on its drive."""
    from usenet.actions.storage import pool as action

    done = _through_root(["destroy"], partial(action.destroy, home(), say=taken.say))
    _told(done, "the pool is gone; every file is on its drive")


@pool.command()
def balance() -> None:
    """Move files until the drives are about equally full. It can be stopped and run again at any time."""
    from usenet.actions.storage import balance as action

    def planned() -> list[str]:
        return [_words(move) for move in action.balance(home(), dry_run=True, say=_move).moves]

    through_root(["storage", "pool", "balance"], planned, goes_on="end what a run that was killed left")
    done = action.balance(home(), dry_run=FLAGS.dry_run, say=_move)

    def human() -> None:
        for move in done.moves if FLAGS.dry_run else ():
            console.line(_words(move))
        for left in done.left:
            console.line(f"left: {left.path}: {left.why}")
        for note in done.notes:
            console.warn(note)
        if not FLAGS.dry_run:
            console.say(f"{len(done.moves)} files moved, {console.human_bytes(sum(m.size for m in done.moves))}")
        elif not (done.moves or done.notes):
            console.line("nothing to do")

    console.show(done, human)


def _through_root(words: Sequence[str], do: Callable[..., Pooled]) -> Pooled:
    through_root(["storage", "pool", *words], lambda: taken.lines(do(dry_run=True).steps))
    return do(dry_run=FLAGS.dry_run)


def _move(move: Move) -> None:
    console.say(_words(move))


def _words(move: Move) -> str:
    more = f" and {len(move.paths) - 1} more names" if move.paths[1:] else ""
    size = console.human_bytes(move.size)
    return f"{move.paths[0]!r}{more} ({size}): {move.source} to {move.target}"


def _told(done: Pooled, words: str) -> None:
    taken.tell(done.steps, done.findings, words)
