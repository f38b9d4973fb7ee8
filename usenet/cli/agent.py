"""usenet agent: what runs all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home

if TYPE_CHECKING:
    from usenet.actions.agent import Installed, Removed

app = Noun(help="Watch over the stack all the time.")


@app.command()
def run() -> None:
    """Watch the drives, as storage watch does; for whatever starts programs on this machine."""
    from usenet.cli.storage.watch import attend

    attend()


@app.command()
def install() -> None:
    """Let systemd run the agent, now and at each start of the machine."""
    from usenet.actions import agent

    _through_root("install", agent.install)
    done = agent.install(home(), dry_run=FLAGS.dry_run)

    def human() -> None:
        if not done.commands:
            console.say(f"{done.unit}: installed already, and it runs")
        elif FLAGS.dry_run:
            console.line(f"write {done.path}:")
            console.line(done.text)
            _lines(done.commands)
        else:
            for one in done.replaced:
                console.say(f"{one}: removed, the stack has another name now")
            console.say(f"{done.unit}: installed; its log: journalctl -u {done.unit}")

    console.show(done, human)


@app.command()
def remove() -> None:
    """End the agent of this stack, and let systemd forget it."""
    from usenet.actions import agent

    _through_root("remove", agent.remove)
    done = agent.remove(home(), dry_run=FLAGS.dry_run)

    def human() -> None:
        if not done.units:
            console.say("systemd has no agent of this stack")
        elif FLAGS.dry_run:
            _lines(done.commands)
        else:
            for one in done.units:
                console.say(f"{one}: removed")

    console.show(done, human)


def _through_root(verb: str, do: Callable[..., Installed | Removed]) -> None:
    from usenet.cli.storage.consent import through_root

    through_root(["agent", verb], lambda: [" ".join(words) for words in do(home(), dry_run=True).commands])


def _lines(commands: Iterable[Sequence[str]]) -> None:
    for words in commands:
        console.line(" ".join(words))
