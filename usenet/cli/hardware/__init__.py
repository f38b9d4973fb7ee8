"""usenet hardware: each module of this folder has some of its verbs."""

from usenet.cli.noun import Noun

app = Noun(help="Show what this machine has.")


@app.callback()
def _noun() -> None:
    """Show what this machine has."""  # Typer makes an app with one command that command, unless there is this


from usenet.cli.hardware import (  # noqa: E402
    facts,  # noqa: F401 - it adds its verbs to the app
)
