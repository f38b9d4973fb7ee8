"""usenet storage sync: what the services know of the drives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.places import home
from usenet.cli.storage import app

if TYPE_CHECKING:
    from usenet.actions.storage.sync import Synced


@app.command()
def sync() -> None:
    """Let Sonarr, Radarr and their like, and Jellyfin, know the drives. Root folders and library paths follow them."""
    from usenet.actions.storage import sync as action

    done = action.sync(home(), dry_run=FLAGS.dry_run, say=console.say)
    console.show(done, lambda: _tell(done))


def _tell(done: Synced) -> None:
    if FLAGS.dry_run:
        for path in done.directories:
            console.line(f"make {path}")
        for call in done.calls:
            console.line(f"{call.service}: {call.request} {call.path}: {call.because}")
    if done.off:
        console.line(f"off, and left out: {', '.join(done.off)}")
    for name in done.asleep:
        console.line(f"{name} does not run, and is left out: usenet services up {name}")
    for note in done.notes:
        console.line(note)
    if not done.calls:
        console.say("nothing to change")
    elif not FLAGS.dry_run:
        console.say(f"changed: {len(done.calls)}")
