"""The command tree: nouns loaded on first use, and plugins."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from usenet.cli import console
from usenet.cli.noun import Group, take

# Noun or verb → its line in the help; the module of the same name in usenet.cli. Help and completion import none.
COMMANDS = {
    "deploy": "Take this machine to a running stack: plan, get images, write, start, wait.",
    "init": "Write usenet.yaml and .env for this machine.",
    "services": "List, plan, start, stop and watch the services of the stack.",
    "images": "List, build, save and load the images of the stack.",
    "config": "Show, change and check usenet.yaml.",
    "storage": "List, add, remove and check the drives of the stack.",
    "agent": "Watch over the stack all the time.",
    "doctor": "Tell what is wrong with this machine and the stack, and what mends it.",
    "hardware": "Show what this machine has, and share it out among the services.",
    "recorder": "Record cameras into plain MP4 files that survive a power cut; list, check, finish and cut them.",
}


class Root(Group):
    """The top of the command tree; a noun's module is imported when the noun is used."""

    listing = False

    def invoke(self, ctx: Any) -> Any:
        take(ctx)
        if ctx.params.get("version"):
            from usenet import __version__

            console.show({"version": __version__}, lambda: console.line(f"usenet {__version__}"))
            return None
        return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *(entry.name for entry in _plugins())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self.listing:
            return TyperCommand(cmd_name, help=COMMANDS.get(cmd_name, "(plugin)"))
        if cmd_name in COMMANDS:
            return _loaded(import_module(f"usenet.cli.{cmd_name}").app, cmd_name)
        return next((_plugin(entry) for entry in _plugins() if entry.name == cmd_name), None)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS.get(name, "(plugin)")) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        self.listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.listing = False


def _loaded(app: typer.Typer, name: str) -> Any:
    command = get_command(app)
    command.name = name
    return command


def _plugins() -> list[Any]:
    from importlib.metadata import entry_points

    return [entry for entry in entry_points(group="usenet.commands") if entry.name not in COMMANDS]


def _plugin(entry: Any) -> Any:
    try:
        return _loaded(entry.load(), entry.name)
    except Exception as failure:  # a plugin may fail in any way; the rest of the tool must not
        console.warn(f"plugin {entry.name} ({entry.value}) is left out: {type(failure).__name__}: {failure}")
        return None


app = typer.Typer(cls=Root, no_args_is_help=True, rich_markup_mode=None, context_settings={"max_content_width": 110})


@app.callback(help="A home media server, planned from the machine it runs on.", epilog="Start with: usenet deploy")
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None: ...


def execute(words: list[str]) -> int:
    """Run one command line; what its verb asks for as exit code. Typer's own failures come through as they are."""
    code = get_command(app).main(words, prog_name="usenet", standalone_mode=False)
    return code if isinstance(code, int) else 0
