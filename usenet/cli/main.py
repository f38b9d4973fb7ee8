"""The `usenet` command: nouns loaded on first use, and the one place where an error becomes text and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from usenet.cli import console
from usenet.cli.flags import FLAGS, Group, take
from usenet.domain.errors import SystemFailure, UsageError, UsenetError

# Noun or verb → its line in the help; the module of the same name in usenet.cli. Help and completion import none.
COMMANDS = {
    "deploy": "Take this machine to a running stack: plan, get images, write, start, wait.",
    "init": "Write usenet.yaml and .env for this machine.",
    "services": "List, plan, start, stop and watch the services of the stack.",
    "images": "List, build, save and load the images of the stack.",
    "config": "Show, change and check usenet.yaml.",
    "hardware": "Show what this machine has.",
}
_FULL = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
_ONE_VERB = ("deploy", "init")


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


def main(arguments: list[str] | None = None) -> None:
    """Run one command line and exit with the house's code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; return the exit code (docs/architecture.md has the table)."""
    _open_outputs()
    try:
        code = get_command(app).main(arguments, prog_name="usenet", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except UsenetError as failure:
        return _failed(failure)
    except BrokenPipeError:
        _silence()
        return 1
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\ninterrupted\n")
        return 130
    except Exception as failure:
        if isinstance(failure, OSError) and failure.errno in _FULL and failure.filename is None:
            return _unwritten(failure)
        words = arguments if arguments is not None else sys.argv[1:]
        return _wrong_words(failure, words) if _is_usage(failure) else _bug(failure, words)


def _open_outputs() -> None:
    """Where the shell closed stdout or stderr (`>&-`), what is written goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - as long as the program runs


def _silence() -> None:
    """Let what still waits to be written to stdout go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritten(failure: OSError) -> int:
    _silence()
    with suppress(OSError):  # stderr may be as full
        console.problem(f"the output can't be written: {failure.strerror}")
    return SystemFailure.code


def _failed(failure: UsenetError) -> int:
    if FLAGS.verbose:
        import traceback

        traceback.print_exc()
    console.error(failure)
    return failure.code


def _is_usage(failure: Exception) -> bool:
    from typer.exceptions import TyperException

    return isinstance(failure, TyperException)


def _wrong_words(failure: Any, words: list[str]) -> int:
    # Words that don't fit end the run before --json is read.
    FLAGS.json = FLAGS.json or "--json" in words[: words.index("--") if "--" in words else None]
    context = getattr(failure, "ctx", None)
    hint = f"see: {context.command_path} --help" if context else "see: usenet --help"
    if type(failure).__name__ != "NoArgsIsHelpError":
        console.error(UsageError(failure.format_message().rstrip("."), hint=hint))
    elif FLAGS.json:
        console.error(UsageError("a verb is missing", hint=hint))
    else:
        console.line(failure.message)
    return 2


def _bug(failure: Exception, words: list[str]) -> int:
    from usenet.cli.report import describe, write_report

    if FLAGS.verbose:
        import traceback

        traceback.print_exc()
    path = write_report(failure, words)
    problem = UsenetError(
        f"this is a bug in usenet: {describe(failure, words)}",
        hint=f"a report without secrets is in {path}" if path else "run again with --verbose to see where",
    )
    problem.code = 70
    console.error(problem)
    return 70
