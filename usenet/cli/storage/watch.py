"""usenet storage watch: the drives of the stack, for as long as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.storage import app
from usenet.cli.storage.consent import through_root

if TYPE_CHECKING:
    from usenet.actions.storage.watch import News


@app.command()
def watch() -> None:
    """Mount drives as they come, take away what died, and say so. Runs until Ctrl-C.

    With --json each event is one document on a line of its own.
    """
    attend()


def attend() -> None:
    """The loop of `storage watch` and `agent run`; with --dry-run what it would do at once."""
    import signal

    from usenet.actions.storage import watch as action

    if FLAGS.dry_run:
        steps = _steps()
        console.show({"steps": steps}, lambda: console.line("\n".join(steps) or "nothing to do"))
        return
    through_root(["storage", "watch"], _steps, goes_on="mount drives of the stack as they come, until Ctrl-C")
    signal.signal(signal.SIGTERM, _end)
    try:
        action.watch(home(), _tell)
    except KeyboardInterrupt:  # how a person ends it: no failure
        console.say("no longer watching")
        raise typer.Exit(130) from None


def _steps() -> list[str]:
    from usenet.actions.storage import watch
    from usenet.domain.storage.steps import describe

    return [describe(step) for step in watch.preview(home())]


def _end(*_: object) -> None:
    raise SystemExit(0)


def _tell(news: News) -> None:
    if FLAGS.json:
        import json

        console.relay(json.dumps(console.plain(news), ensure_ascii=False))
    elif news.event:
        console.relay(news.text)
    else:
        console.say(news.text)
