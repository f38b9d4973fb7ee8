"""usenet storage watch: the drives of the stack, for as long as it runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.storage import app
from usenet.cli.storage.consent import through_root

if TYPE_CHECKING:
    from usenet.actions.storage import Changed
    from usenet.actions.storage.watch import News
    from usenet.adapters.home import Home


@app.command()
def watch() -> None:
    """Mount drives of the stack as they come, take away what died, and say so; runs until Ctrl-C.

    With --json each event is one document on a line of its own.
    """
    attend()


def attend() -> None:
    """The loop of `storage watch` and `agent run`; with --dry-run what it would do at once."""
    import signal

    from usenet.actions.storage import watch as action

    if FLAGS.dry_run:
        from usenet.domain.storage.steps import describe

        steps = [describe(step) for step in action.preview(home())]
        console.show({"steps": steps}, lambda: console.line("\n".join(steps) or "nothing to do"))
        return
    plan = partial(_steps, home())
    through_root(["storage", "watch"], plan, goes_on="mount drives of the stack as they come, until Ctrl-C")
    signal.signal(signal.SIGTERM, _end)
    action.watch(home(), _tell)


def _steps(place: Home) -> Changed:
    from usenet.actions.storage import Changed, watch

    return Changed(steps=tuple(watch.preview(place)))


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
