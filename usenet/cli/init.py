"""usenet init: write usenet.yaml and .env for this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home
from usenet.domain.errors import UsageError

if TYPE_CHECKING:
    from usenet.actions.init import Begun

app = Noun(help="Write usenet.yaml and .env for this machine.")


@app.command()
def init(
    services: Annotated[str, typer.Option("--services", metavar="A,B,…", help="The services that run.")] = "",
    group: Annotated[str, typer.Option("--group", "-g", metavar="GROUP", help="All services of a group.")] = "",
    data: Annotated[str, typer.Option("--data", metavar="DIR", help="Where media and downloads are.")] = "",
    publish: Annotated[
        str, typer.Option("--publish", metavar="127.0.0.1|lan|ADDRESS", help="Who reaches the pages.")
    ] = "",
    profile: Annotated[
        str, typer.Option("--profile", metavar="auto|light|…", help="How much of the machine to use.")
    ] = "",
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")] = "",
    uid: Annotated[int | None, typer.Option("--uid", metavar="ID", help="The user that owns the data.")] = None,
    gid: Annotated[int | None, typer.Option("--gid", metavar="ID", help="The group that owns the data.")] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name of the stack.")] = "",
) -> None:
    """Write usenet.yaml and .env for this machine; ask for what no flag says."""
    plain = {"data": data, "publish": publish, "profile": profile, "timezone": timezone, "name": name}
    given: dict[str, Any] = {path: value for path, value in plain.items() if value}
    given |= {f"user.{key}": value for key, value in (("uid", uid), ("gid", gid)) if value is not None}
    begun = write(services=services, group=group, given=given)
    console.show(begun, lambda: tell(begun))


def write(*, services: str = "", group: str = "", given: Mapping[str, Any] | None = None, cure: str = "") -> Begun:
    """Begin a stack from what was given, asking for the rest: for `init`, and for `deploy` on a bare machine.

    `cure`: what to do where nobody can answer, if not to give the flag.
    """
    from usenet.actions import init as action

    if services and not services.replace(",", " ").strip():
        raise UsageError(f'--services: expected names, found "{services}"', hint="see: usenet services list")
    place, wishes = home(), dict(given or {})
    chosen = action.services_of(place, names=services, group=group)
    if chosen is not None:
        wishes["services"] = chosen
    if not place.exists:
        wishes |= _asked(wishes, cure)
    return action.begin(place, wishes, dry_run=FLAGS.dry_run)


def _asked(wishes: Mapping[str, Any], cure: str) -> dict[str, Any]:
    """Answers to the questions that no flag has answered."""
    from usenet.actions import init as action

    default = action.proposed()
    questions = {
        "data": f"Where are films, shows and downloads? [{default['data']}]",
        "publish": f"Who may reach the pages: 127.0.0.1 (this machine only) or lan? [{default['publish']}]",
    }
    return {
        path: console.ask(
            question, default=default[path], cure=cure or f"give it with --{path}, or take the defaults with --yes"
        )
        for path, question in questions.items()
        if path not in wishes
    }


def tell(begun: Begun) -> None:
    """Say what `write` did, for a person."""
    if not begun.new:
        console.say(f"{begun.settings} is there already")
        return
    if FLAGS.dry_run:
        console.line(f"would write {begun.env}, and {begun.settings}:")
        console.line(begun.text)
    else:
        console.say(f"{begun.settings} and {begun.env} are written")
    for secret in begun.missing:
        console.warn(f"{secret} can't be made up: put yours into {begun.env}")
