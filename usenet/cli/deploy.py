"""usenet deploy: from a bare machine to a running stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.domain.settings import ImageSource

Timeout = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        show_default=False,
        help="Longest wait for each service, instead of its own.",
    ),
]
app = Noun(help="Take this machine to a running stack: plan, get images, write, start, wait.")


@app.command()
def deploy(
    services: Annotated[
        str, typer.Option("--services", metavar="A,B,…", help="With a new stack: these, not the usual ones.")
    ] = "",
    available: Annotated[
        bool, typer.Option("--available", help="Leave out services whose image can't be had.")
    ] = False,
    images: Annotated[str, typer.Option("--images", metavar="auto|pull|build", help="Where images come from.")] = "",
    timeout: Timeout = 0,
) -> None:
    """Take this machine to a running stack: plan, get images, write, start, wait."""
    from usenet.cli import up_view

    place = home()
    if images not in ("", "auto", "pull", "build"):
        raise UsageError(f'--images: expected auto, pull or build, found "{images}"')
    up_view.check_timeout(timeout or None)
    draft = ""
    if not place.exists:
        from usenet.cli import init

        begun = init.write(services=services, cure="take the defaults with --yes, or answer first with: usenet init")
        if not FLAGS.json:
            init.tell(begun)
        draft = begun.text if FLAGS.dry_run else ""
    elif services:
        console.warn(f"--services is for a new stack; {place.settings} is there and says what runs")
    chosen = cast("ImageSource | None", images or None)
    up_view.run(place, (), available=available, timeout=timeout or None, images=chosen, draft=draft)
