"""usenet config: show, change and check usenet.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.noun import Noun
from usenet.cli.places import home

app = Noun(help="Show, change and check usenet.yaml.")
Path = Annotated[str, typer.Argument(metavar="PATH", help="Such as services.sonarr.port")]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="Such as 8990, lan or {A: b}")]


@app.command()
def show() -> None:
    """Show every setting in force, and which of them are defaults."""
    from usenet.actions import config

    shown = config.show(home())
    console.show(shown, lambda: console.line("\n".join(_lines(shown.settings, set(shown.defaults)))))


def _lines(values: Mapping[str, Any], defaults: set[str], path: str = "") -> Iterator[str]:
    indent = "  " * path.count("/")
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _lines(value, defaults, f"{path}{key}/")
            continue
        text = f"{indent}{key}: {_scalar(value)}"
        yield f"{text:<32}  # default" if path + key in defaults else text


def _block(value: Any) -> str:
    return "\n".join(_lines(value, set())) if isinstance(value, Mapping) else _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


@app.command()
def get(path: Path) -> None:
    """Print one setting in force."""
    from usenet.actions import config

    value = config.get(home(), path)

    console.show(value, lambda: console.line(_block(value)))


# A value may begin with a dash: what is no known option is taken as it is.
@app.command("set", context_settings={"ignore_unknown_options": True})
def set_(path: Path, value: Value) -> None:
    """Change one setting; the rest of the file stays as it is."""
    _change(path, value)


@app.command()
def unset(path: Path) -> None:
    """Take one setting out of the file, so that its default holds."""
    _change(path, None)


def _change(path: str, value: str | None) -> None:
    from usenet.actions import config

    place = home()
    made = config.change(place, path, value, dry_run=FLAGS.dry_run)
    difference = config.difference(made)
    console.show(
        {"path": path, "changed": bool(difference), "dry_run": FLAGS.dry_run, "difference": difference},
        lambda: _say(difference, path, unset=value is None),
    )
    # A name that no service has is found in the file that was written.
    written = value is not None and path.startswith("services.") and not FLAGS.dry_run
    for problem in config.check(place).problems if written else made.remaining:
        console.warn(f"{problem.where}: {problem.message}" + (f"; {problem.hint}" if problem.hint else ""))


def _say(difference: str, path: str, *, unset: bool) -> None:
    if FLAGS.dry_run and difference:
        console.line(difference)
    elif difference:
        done = "taken out" if unset else "changed"
        console.say(f"{path} is {done}; see what it means with: usenet services plan")
    else:
        console.say(f"{path} is not in the file" if unset else f"{path} is so already")


@app.command()
def validate() -> None:
    """Check usenet.yaml: its form, its values and its services."""
    from usenet.actions import config

    checked = config.check(home())
    for text in checked.warnings:
        console.warn(text)
    if not checked.problems:
        console.show(checked, lambda: console.say(f"{checked.path} is right"))
        return
    failure = config.refuse(checked.problems)
    if FLAGS.json:
        error = {"code": failure.code, "message": failure.message, "hint": failure.hint, "path": failure.where}
        console.document({"error": error, "problems": checked.problems})
        raise typer.Exit(failure.code)
    raise failure


@app.command()
def path() -> None:
    """Print where usenet.yaml is, or would be."""
    place = home()
    found = {"settings": place.settings, "env": place.env, "exists": place.exists}
    console.show(found, lambda: console.line(str(place.settings)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of usenet.yaml, for an editor."""
    from usenet.actions import config

    console.document(config.schema())
