"""The only writer to stdout and stderr: tables, JSON, quiet, colour, progress, questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from usenet.cli.flags import FLAGS
from usenet.domain.errors import UsageError, UsenetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any

    from rich.console import Console
    from rich.live import Live

Row = Sequence[object]


def on_terminal() -> bool:
    """Whether a person is looking at stdout."""
    return sys.stdout.isatty() and not FLAGS.json


def narrow() -> bool:
    """Whether a person looks at a terminal without room for long columns."""
    if not on_terminal():
        return False
    import shutil  # 4 ms, which status in a pipe does without

    return shutil.get_terminal_size().columns < 120


def show(result: object, human: Callable[[], None]) -> None:
    """Print the result of a verb: as JSON with --json, else by `human`."""
    if FLAGS.json:
        document(result)
    else:
        human()


def document(value: object) -> None:
    """Print `value` as one JSON document; dataclasses, models, sets and paths become plain."""
    import json  # 5 ms, which a table does without

    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def plain(value: object) -> Any:
    """`value` in JSON's types."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        from dataclasses import fields  # 2 ms, which a table does without

        shape: Any = value
        return {field.name: plain(getattr(value, field.name)) for field in fields(shape)}
    return _collection(value)


def _collection(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(v) for v in value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def commands(found: Sequence[Sequence[str]], *, nothing: str = "nothing to do") -> None:
    """The command lines that a dry run stands for, quoted for a shell."""
    import shlex

    show({"commands": found}, lambda: line("\n".join(map(shlex.join, found)) or nothing))


def line(text: str = "") -> None:
    """One line of the result itself: printed with --quiet too, never with --json."""
    if not FLAGS.json:
        sys.stdout.write(text + "\n")


def flush() -> None:
    """Let what was printed reach its reader now: for a program that goes on."""
    sys.stdout.flush()


def clear() -> None:
    """Begin a terminal's screen anew, for what is shown again and again."""
    sys.stdout.write("\x1b[H\x1b[2J")


def relay(text: str) -> None:
    """One line of another program's output, as it came and at once; with --quiet and --json too."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line about what is going on; silent with --quiet and --json."""
    if not (FLAGS.quiet or FLAGS.json):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def ahead(text: str) -> None:
    """One line of what a person is about to be asked; with --quiet and --json on stderr, as the question is."""
    if FLAGS.yes or not (FLAGS.quiet or FLAGS.json):
        say(text)
    else:
        sys.stderr.write(text + "\n")


def warn(text: str) -> None:
    """A warning, on stderr."""
    sys.stderr.write(_coloured("warning:", "33") + f" {text}\n")


def problem(text: str, *, mark: str = "error:") -> None:
    """A line of a failure that is part of a result, on stderr."""
    sys.stderr.write((_coloured(mark, "1;31") + " " if mark else "") + text + "\n")


def detail(text: str) -> None:
    """A line for --verbose, on stderr."""
    if FLAGS.verbose:
        sys.stderr.write(text + "\n")


def error(failure: UsenetError) -> None:
    """The failure in the form of the house: two lines on stderr, or JSON on stdout with --json."""
    if FLAGS.json:
        path = failure.where
        document({"error": {"code": failure.code, "message": failure.message, "hint": failure.hint, "path": path}})
        return
    sys.stderr.write(_coloured("error:", "1;31") + f" {failure}\n")
    if failure.hint:
        sys.stderr.write(_coloured("hint:", "36") + f"  {failure.hint}\n")


def _coloured(text: str, code: str) -> str:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def table(columns: Sequence[str], rows: Iterable[Row], *, title: str = "") -> None:
    """A table: with rules and colour on a terminal, aligned plain text in a pipe. Rich markup in cells is not read.

    Labels and names come from whoever gave them: nothing in a cell may steer the terminal.
    """
    cells = [["" if cell is None else _visible(str(cell)) for cell in row] for row in rows]
    if on_terminal():
        _rich_table(columns, cells, title)
        return
    if title:
        line(title)
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (list(columns), *cells):
        line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _rich_table(columns: Sequence[str], cells: list[list[str]], title: str) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, style="" if number else "bold cyan", no_wrap=not number, overflow="fold")
    for row in cells:
        made.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    rich().print(made)


_STYLES = {"healthy": "green", "running": "green", "starting": "yellow", "unhealthy": "bold red", "exited": "red"}


def rich() -> Console:
    """Rich's console, made on first use (importing rich costs 80 ms)."""
    from rich.console import Console

    return Console(highlight=False)


def live() -> AbstractContextManager[Live]:
    """A live view for a terminal; the caller updates it with renderables."""
    from rich.live import Live

    return Live(console=rich(), refresh_per_second=8, transient=True)


def ask(question: str, *, default: str, cure: str) -> str:
    """Ask for a line of text; the default with --yes. Without a terminal on stdin: UsageError with the cure."""
    if FLAGS.yes:
        return default
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        raise UsageError(f"this needs an answer and there is no terminal: {question}", hint=cure)
    sys.stderr.write(f"{question} ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise KeyboardInterrupt
    return answer.strip() or default


def human_bytes(value: int | None) -> str:
    """`1610612736` → `1.5 GiB`; an unknown size is empty."""
    if value is None:
        return ""
    size = float(value)
    unit, *larger = ("B", "KiB", "MiB", "GiB", "TiB")
    while size >= 1024 and larger:
        size /= 1024
        unit, *larger = larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def human_time(seconds: float) -> str:
    """`93784` → `1d 2h`; two units at most."""
    rest = int(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
