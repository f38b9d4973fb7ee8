"""usenet images: list, build, pull, save and load."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home

if TYPE_CHECKING:
    from usenet.actions.images import Image, Wanted
    from usenet.actions.plan import Situation

app = Noun(help="List, build, save and load the images of the stack.")


def _with_recipe(incomplete: str) -> list[str]:
    from usenet.actions import images

    return [name for name in images.buildable() if name.startswith(incomplete)]


def _service(incomplete: str) -> list[str]:
    from usenet.actions import services_list

    return [name for name in services_list.names(home()) if name.startswith(incomplete)]


ToBuild = Annotated[
    list[str] | None,
    typer.Argument(metavar="SERVICE", autocompletion=_with_recipe, help="None named: what this stack has made here."),
]
ToPull = Annotated[
    list[str] | None,
    typer.Argument(metavar="SERVICE", autocompletion=_service, help="None named: what this stack pulls."),
]
ToWrite = Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as images.tar")]
ToRead = Annotated[Path, typer.Argument(metavar="FILE", help="What images save has written.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Make it again, with the packages of today.")]


@app.command("list")
def list_() -> None:
    """Show where each image comes from, whether it is here, its size."""
    from usenet.actions import images

    found = images.rows(_look())
    console.show(found, lambda: _rows(found))


def _rows(found: Sequence[Image]) -> None:
    from usenet.domain.plan import LeftOut, by_reason

    cells = ((i.service, i.reference, i.source, console.human_bytes(i.size), i.state) for i in found if i.source)
    console.table(("service", "image", "source", "size", "state"), cells)
    for text in by_reason(LeftOut(service=i.service, because=i.state) for i in found if not i.source):
        console.line(text)


@app.command()
def build(names: ToBuild = None, fresh: Fresh = False) -> None:
    """Make images from Debian's packages, where they are not here yet."""
    from usenet.actions import images

    wanted = images.to_build(names, fresh=fresh) if names else images.of_stack_to_build(_look(), fresh=fresh)
    _get(wanted, fresh=fresh, nothing="nothing to build")


@app.command()
def pull(names: ToPull = None) -> None:
    """Pull images from their registries, newer ones too."""
    from usenet.actions import images

    _get(images.to_pull(_ready(), names or ()), nothing="nothing to pull")


def get(names: Sequence[str], *, group: str = "") -> None:
    """Get the images of the stack's services again: pull, or build where they are made here and absent."""
    from usenet.actions import images, plan

    situation = _ready()
    wanted = images.of_stack(plan.decide(situation, available=True), names, group)
    there = situation.observed.images
    _get([w for w in wanted if not (w.build and w.reference in there)], nothing="nothing to get: it is all here")


def _get(wanted: Sequence[Wanted], *, nothing: str, fresh: bool = False) -> None:
    from usenet.actions import images

    if FLAGS.dry_run:
        console.commands(images.commands(wanted, fresh=fresh))
        return
    got = images.get(wanted, console.say, fresh=fresh)

    def human() -> None:
        console.say("\n".join(f"here: {w.reference}" for w in got) or nothing)

    console.show(got, human)


@app.command()
def save(file: ToWrite) -> None:
    """Save the images of the whole stack to a file, to carry them."""
    from usenet.actions import images
    from usenet.domain.plan import by_reason

    todo = images.to_save(_ready(), file)
    for text in by_reason(todo.left_out):
        console.warn(f"not in the file: {text}")
    if FLAGS.dry_run:
        console.commands([todo.command])
        return
    console.say(f"saving {_count(todo.references)} to {file}")
    saved = images.save(todo.references, file)
    size, cure = console.human_bytes(saved.size), shlex.join(["usenet", "images", "load", str(file)])
    console.show(saved, lambda: console.say(f"saved {_count(saved.references)}, {size}: load them with: {cure}"))


@app.command()
def load(file: ToRead) -> None:
    """Load the images of a file into the engine's store."""
    from usenet.actions import images

    references, command = images.contents(file)
    if FLAGS.dry_run:
        console.commands([command])
        return
    console.say(f"loading {_count(references)} from {file}")
    console.show(images.load(file), lambda: console.say("\n".join(f"here: {r}" for r in references)))


def _count(references: Sequence[str]) -> str:
    return f"{len(references)} image{'' if len(references) == 1 else 's'}"


def _ready() -> Situation:
    """A look at a machine whose engine answers; a dry run needs none. Raises what deploy.require_engine raises."""
    from usenet.actions import deploy

    situation = _look()
    if situation.host.engine is None and not FLAGS.dry_run:
        deploy.require_engine(situation)
    return situation


def _look() -> Situation:
    from usenet.actions import plan

    situation = plan.look(home())
    for text in situation.warnings:
        console.warn(text)
    return situation
