"""usenet agent: what runs all the time."""

from __future__ import annotations

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home

app = Noun(help="Watch over the stack all the time.")


@app.command()
def run() -> None:
    """Watch the drives, as storage watch does. For whatever starts programs on this machine."""
    from usenet.cli.storage.watch import attend

    attend()


@app.command()
def install() -> None:
    """Let systemd run the agent, now and at each start of the machine."""
    from usenet.actions import agent

    done = agent.install(home(), dry_run=FLAGS.dry_run)

    def human() -> None:
        if not done.commands:
            console.say(f"{done.unit}: installed already, and it runs")
        elif FLAGS.dry_run:
            console.line(f"write {done.path}:")
            console.line(done.text)
            for words in done.commands:
                console.line(" ".join(words))
        else:
            console.say(f"{done.unit}: installed; its log: journalctl -u {done.unit}")

    console.show(done, human)
