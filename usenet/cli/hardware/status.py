"""usenet hardware status: what the GPUs do now, and for whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.hardware import app
from usenet.cli.places import home
from usenet.domain.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from usenet.actions.hardware.load import Load
    from usenet.domain.host import Unseen


@app.command()
def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again until Ctrl-C; with --json a line each.")
    ] = False,
    interval: Annotated[float, typer.Option("--interval", metavar="SECONDS", help="How long each look takes.")] = 1.0,
) -> None:
    """Show what the GPUs do now and for which service: engines, memory, temperature, power."""
    if not 0.1 <= interval <= 60:
        raise UsageError(f"--interval: expected 0.1 to 60 seconds, found {interval:g}")
    from usenet.actions.hardware import load

    found, unseen = load.cards()
    for one in unseen:
        console.warn(f"could not see {one.what}: {one.why}")
    if not found:
        console.show(_document(load.Load(cards=(), uses=()), unseen), _none)
        return
    place = home()
    if not watch:
        now = load.read(found, place, interval)
        console.show(_document(now, unseen), lambda: _print(now))
        return
    try:
        while True:
            _again(load.read(found, place, interval), unseen)
    except KeyboardInterrupt:  # how a person ends it: no failure
        raise typer.Exit(Interrupted.code) from None


def _document(now: Load, unseen: tuple[Unseen, ...]) -> dict[str, object]:
    """The same whatever there is to tell; `unseen` of the look for cards comes before that of their load."""
    return {"cards": now.cards, "uses": now.uses, "unseen": (*unseen, *now.unseen)}


def _none() -> None:
    console.line("There is no GPU on this machine; what transcodes does so in software.")


def _again(now: Load, unseen: tuple[Unseen, ...]) -> None:
    if FLAGS.json:
        console.relay(json.dumps(console.plain(_document(now, unseen)), ensure_ascii=False))
        return
    if console.on_terminal():
        console.clear()
    _print(now)
    console.flush()


def _print(now: Load) -> None:
    columns = ("gpu", "name", "engines", "sessions", "memory", "temperature", "power")
    rows = (
        (
            one.pci,
            one.name,
            _engines(one.engines),
            "" if one.sessions is None else one.sessions,
            " of ".join(filter(None, (console.human_bytes(one.memory_used), console.human_bytes(one.memory)))),
            "" if one.temperature is None else f"{one.temperature:.0f} °C",
            "" if one.watts is None else f"{one.watts:.1f} W",
        )
        for one in now.cards
    )
    console.table(columns, rows)
    if now.uses:
        console.line()
        uses = ((one.service, one.pci, _engines(one.engines), console.human_bytes(one.memory)) for one in now.uses)
        console.table(("service", "gpu", "engines", "memory"), uses)
    else:
        console.line("No program has a GPU open.")
    for one in now.unseen:
        console.warn(f"could not see {one.what}: {one.why}; {one.cure}")


def _engines(parts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {part:.0%}" for name, part in sorted(parts.items())) or "idle"
