"""The `usenet` command, and the one place where an error becomes text and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import sys

from usenet.cli import console, quick
from usenet.cli.flags import FLAGS
from usenet.domain.errors import AS_ROOT, SystemFailure, UsageError, UsenetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TextIO
_FULL = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


def main(arguments: list[str] | None = None) -> None:
    """Run one command line and exit with the house's code."""
    words = sys.argv[1:] if arguments is None else arguments
    quickly = quick.takes(words)
    if quickly:
        gc.disable()  # it ends before there is anything to collect
    code = run(words)
    if quickly:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """Without Python's own tidying, which takes as long as a question to the engine: what was said is out."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; return the exit code (docs/architecture.md has the table)."""
    _open_outputs()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code = _answer(words)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence(sys.stdout)
        return 1
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as failure:
        if failure.errno in _FULL and failure.filename is None:
            return _unwritten(failure)
        try:
            return _bug(failure, words)
        except OSError as full:
            return _unwritten(full)


def _answer(words: list[str]) -> int:
    try:
        return _execute(words)
    except UsenetError as failure:
        return _failed(failure, words)
    except OSError:
        raise
    except Exception as failure:
        return _typers(failure, words) or _bug(failure, words)


def _execute(words: list[str]) -> int:
    if quick.execute(words):
        return 0
    from usenet.cli import root

    return root.execute(words)


def _interrupted() -> int:
    sys.stderr.write("\ninterrupted\n")
    return 130


def _open_outputs() -> None:
    """Where the shell closed stdout or stderr (`>&-`), what is written goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - as long as the program runs


def _silence(stream: TextIO) -> None:
    """Let what still waits to be written to a stream go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _unwritten(failure: OSError) -> int:
    _silence(sys.stdout)
    try:
        console.problem(f"the output can't be written: {failure.strerror}")
        sys.stderr.flush()
    except OSError:  # it is as full
        _silence(sys.stderr)
    return SystemFailure.code


def _failed(failure: UsenetError, words: list[str]) -> int:
    if FLAGS.verbose:
        import traceback

        traceback.print_exc()
    if failure.hint == AS_ROOT:
        failure.hint = _as_root(words)
    console.error(failure)
    return failure.code


def _as_root(words: list[str]) -> str:
    """The hint for what only root may do: sudo knows neither where the stack is nor, often, the program."""
    import shlex

    from usenet.actions.storage import rights
    from usenet.cli.places import home

    home_ = [f"--home={FLAGS.home}", "--home", FLAGS.home]
    rest = [word for word in words if word not in home_] if FLAGS.home else words
    return "run it as root: " + shlex.join(rights.command(str(home().path), rest, answers=True))


def _typers(failure: Exception, words: list[str]) -> int:
    """The exit code of what Typer raises; 0 for what isn't Typer's."""
    import typer
    from typer.exceptions import TyperException

    if isinstance(failure, typer.Abort):
        return _interrupted()
    return _wrong_words(failure, words) if isinstance(failure, TyperException) else 0


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
