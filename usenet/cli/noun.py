"""How nouns and verbs are declared: Typer's, with the global flags accepted before and after every verb."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from usenet.cli.flags import FLAGS, NAMES, interruptible

Verb = TypeVar("Verb", bound=Callable[..., None])
_NUMBERS: dict[type[Any] | None, str] = {int: "a whole number", float: "a number"}


_HOME = "The stack directory. Default: $USENET_HOME, the nearest with a usenet.yaml, ~/usenet; for root /srv/usenet."


def _declared(
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Print what would be done; change nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print commands, and tracebacks.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Never ask; take the safe default.")] = False,
    home: Annotated[str, typer.Option("--home", metavar="DIR", help=_HOME)] = "",
) -> None: ...


def _parameters() -> list[Any]:
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_declared)
    return list(get_command(carrier).params)


_PARAMETERS = _parameters()


def _lighten(parameters: list[Any]) -> None:
    """Leave alone what was not given, and words: Typer coerces both with pydantic, whose import costs 90 ms."""
    for parameter in parameters:
        if not parameter.required and not isinstance(parameter.process_value, partial):
            parameter.process_value = partial(_process, parameter, parameter.process_value)


def _process(parameter: Any, coerce: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    many = parameter.multiple or parameter.nargs == -1
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if not value or (kind in (str, list[str]) and parameter.callback is None):
        return list(value or ()) if many else value
    if kind not in _NUMBERS:
        return coerce(context, value)
    try:
        return int(value) if kind is int else float(value)
    except ValueError as wrong:
        told = f'expected {_NUMBERS[kind]}, found "{value}"'
        raise typer.BadParameter(told, ctx=context, param=parameter) from wrong


def take(context: Any) -> None:
    """Move what was given of the global flags from a command's parameters to FLAGS."""
    for name in NAMES:
        value = context.params.pop(name, None)
        if value:
            setattr(FLAGS, name, value)


def _tell_commands() -> None:
    from usenet.actions import commands
    from usenet.cli import console

    commands.watch(console.detail)


def _no_type(ctx: Any) -> None:
    """In place of Typer's `<list[str]>` behind the name of an argument: a person is no Python."""


class Command(TyperCommand):
    """A verb that takes the global flags."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        taken = {o for p in self.params for o in p.opts}
        for parameter in self.params:
            if parameter.param_type_name == "argument":
                vars(parameter)["display_type_rich"] = _no_type
        self.params.extend(p for p in _PARAMETERS if not taken & set(p.opts))

    def get_short_help_str(self, limit: int = 45) -> str:
        """Its first sentence, whole: Typer would cut it off where the line ends."""
        return super().get_short_help_str(max(limit, 200))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        take(ctx)
        if FLAGS.verbose:
            _tell_commands()
        with interruptible():
            return super().invoke(ctx)


class Group(TyperGroup):
    """A noun that takes the global flags."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.extend(_PARAMETERS)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _lighten(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        take(ctx)
        return super().invoke(ctx)


class Noun(typer.Typer):
    """A Typer app whose verbs all take the global flags; use one per file of cli/."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=Group, no_args_is_help=True, rich_markup_mode=None, add_completion=False, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Verb], Verb]:
        return super().command(name, **{"cls": Command, **options})
