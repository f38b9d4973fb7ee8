"""usenet services: list, plan, up, down, status and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home
from usenet.domain.errors import UsageError

app = Noun(help="List, plan, start, stop and watch the services of the stack.")


def _complete(incomplete: str) -> list[str]:
    from usenet.actions import services_list

    return [name for name in services_list.names(home()) if name.startswith(incomplete)]


Names = Annotated[
    list[str] | None, typer.Argument(metavar="SERVICE", autocompletion=_complete, help="None named: all.")
]
Some = Annotated[list[str] | None, typer.Argument(metavar="SERVICE", autocompletion=_complete)]
One = Annotated[str, typer.Argument(metavar="SERVICE", autocompletion=_complete)]
InGroup = Annotated[str, typer.Option("--group", "-g", metavar="GROUP", help="Only this group.")]
OfGroup = Annotated[
    str, typer.Option("--group", "-g", metavar="GROUP", help="This group too, without what is retired.")
]
HostFile = Annotated[
    str, typer.Option("--host", metavar="FILE", help="Plan for a saved machine (hardware list --json).")
]
Available = Annotated[bool, typer.Option("--available", help="Leave out services whose image can't be had.")]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", metavar="SECONDS", show_default=False, help="Longest wait for each service, instead of its own."
    ),
]


@app.command("list")
def list_(group: InGroup = "") -> None:
    """List every service that there is, by group."""
    from usenet.actions import services

    rows, warnings = services.listed(home(), group)
    for text in warnings:
        console.warn(text)

    def human() -> None:
        columns = ("service", "group", "on", "port", "what")
        told = ((r.name, r.group, "on" if r.enabled else "", r.port or "", _about(r)) for r in rows)
        console.table(columns, told)

    console.show(rows, human)


def _about(row: Any) -> str:
    replaced = f"; use {row.replaced_by}" if row.replaced_by else ""
    return f"{row.about} (retired: {row.retired}{replaced})" if row.retired else row.about


@app.command()
def plan(host: HostFile = "", available: Available = False) -> None:
    """Show what would run, why, and what differs from what is there."""
    from usenet.cli import plan_view

    plan_view.show(home(), host_file=host, available=available)


@app.command()
def up(names: Names = None, group: InGroup = "", available: Available = False, timeout: Timeout = 0) -> None:
    """Write the stack and start it in order, until all is healthy."""
    from usenet.cli import up_view

    up_view.run(home(), names or (), group=group, available=available, timeout=timeout or None)


_DOING = {"removed": "removing", "stopped": "stopping", "started": "starting", "restarted": "restarting"}


def _compose(verb: tuple[str, ...], names: list[str] | None, group: str, done: str) -> None:
    """Run a verb of Compose; what it does is said at once, as a container may take its time to end."""
    from usenet.actions import services

    place = home()
    if FLAGS.dry_run:
        console.commands([services.command(place, verb, names or (), group)])
        return

    def begun(them: Sequence[str]) -> None:
        slow = "" if done == "started" else "; each has 30 s to end by itself"
        console.say(f"{_DOING[done]}: {', '.join(them)}{slow}")

    chosen = services.change(place, verb, names or (), group, say=begun)
    console.show({"services": chosen, "done": done}, lambda: console.say(f"{done}: {', '.join(chosen) or 'nothing'}"))


@app.command()
def down(names: Names = None, group: InGroup = "") -> None:
    """Stop and remove containers; configuration and data stay."""
    _compose(("rm", "--stop", "--force") if names or group else ("down",), names, group, "removed")


@app.command()
def stop(names: Names = None, group: InGroup = "") -> None:
    """Stop containers and keep them."""
    _compose(("stop",), names, group, "stopped")


@app.command()
def start(names: Names = None, group: InGroup = "") -> None:
    """Start containers that were stopped."""
    _compose(("start",), names, group, "started")


@app.command()
def restart(names: Names = None, group: InGroup = "") -> None:
    """Restart containers."""
    _compose(("restart",), names, group, "restarted")


@app.command()
def status(names: Names = None, group: InGroup = "") -> None:
    """Show health, uptime, restarts, ports, image, memory and CPU."""
    from usenet.cli import status_view

    status_view.show(names or (), group)


@app.command()
def logs(
    names: Names = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
    tail: Annotated[str, typer.Option("--tail", metavar="N", help="Lines of each service, or all.")] = "100",
    group: InGroup = "",
) -> None:
    """Show what services wrote."""
    from usenet.actions import services

    if follow and FLAGS.json:
        raise UsageError("--follow never ends, and --json is one document", hint="leave one of the two out")
    options = ("--tail", tail, *(("--follow",) if follow else ()))
    told: list[str] = []
    code = services.logs(home(), options, names or (), group, say=told.append if FLAGS.json else console.relay)
    if FLAGS.json:
        console.document({"lines": told})
    raise typer.Exit(code)


@app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def exec_(service: One, command: Annotated[list[str], typer.Argument(metavar="COMMAND")]) -> None:
    """Run a command inside a service's container."""
    from usenet.actions import services

    place, terminal = home(), console.on_terminal()
    if FLAGS.dry_run:
        console.commands([services.execution(place, service, command, terminal=terminal)])
        return
    raise typer.Exit(services.execute(place, service, command, terminal=terminal))


@app.command()
def enable(names: Some = None, group: OfGroup = "") -> None:
    """Turn services on in usenet.yaml."""
    _switch(names or [], group, on=True)


@app.command()
def disable(names: Some = None, group: OfGroup = "") -> None:
    """Turn services off in usenet.yaml; their configuration stays."""
    _switch(names or [], group, on=False)


def _switch(named: list[str], group: str, *, on: bool) -> None:
    from usenet.actions import services

    if not (named or group):
        raise UsageError(
            "no service is named", hint="name services, or a group with --group; see: usenet services list"
        )
    place = home()
    names = services.switched(place, named, group, on=on)
    changed = services.switch(place, names, on=on, dry_run=FLAGS.dry_run)
    word = "on" if on else "off"

    def human() -> None:
        for name in names:
            console.say(f"{name}: {word}" if name in changed else f"{name}: already {word}")
        if changed and not FLAGS.dry_run:
            console.say("to make it so: usenet services up")

    console.show({"changed": changed, "enabled": on}, human)


@app.command()
def pull(names: Names = None, group: InGroup = "") -> None:
    """Get the images again: pull, or build where they are made here."""
    from usenet.cli import images

    images.get(names or (), group=group)


@app.command()
def url(names: Names = None, group: InGroup = "") -> None:
    """Show where to click."""
    from usenet.actions import services

    found = services.urls(home(), names or (), group)
    console.show(found, lambda: _addresses(found))


def _addresses(found: Mapping[str, Any]) -> None:
    # The second column is there only if somebody else than this machine can use it.
    lan = any(page.lan for page in found.values())
    rows = ((name, page.url, *((page.lan,) if lan else ())) for name, page in found.items())
    console.table(("service", "address", *(("for others",) if lan else ())), rows)
