"""Output: people's units, plain tables in a pipe, one JSON document, questions that never hang."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import settings
from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.domain.errors import ConfigError, UsageError
from usenet.domain.secret import Secret


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1610612736, "1.5 GiB"),
        (100 * 2**20, "100 MiB"),
        (8 * 10**12, "7.3 TiB"),
        (2**50, "1024 TiB"),
    ],
)
def test_bytes(amount: int | None, text: str) -> None:
    assert console.human_bytes(amount) == text


@given(st.integers(0, 2**62))
def test_bytes_are_short_and_near(amount: int) -> None:
    number, unit = console.human_bytes(amount).split()
    factor = 1024 ** ("B", "KiB", "MiB", "GiB", "TiB").index(unit)
    assert (
        abs(float(number) * factor - amount) <= 0.051 * factor or abs(float(number) * factor - amount) <= amount / 150
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (3600, "1h"), (93784, "1d 2h"), (86400, "1d")],
)
def test_time(seconds: float, text: str) -> None:
    assert console.human_time(seconds) == text


def test_a_table_in_a_pipe_is_aligned_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("name", "n"), [("a", 1), ("[bold]long[/bold]", None)], title="Things")
    assert capsys.readouterr().out == "Things\nname               n\na                  1\n[bold]long[/bold]\n"


def test_nothing_in_a_cell_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("name",), [("[\x1b[2Jä\n→]",)])
    assert capsys.readouterr().out == "name\n[\\x1b[2Jä\\n→]\n"


def test_an_empty_table_has_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(("name", "n"), [])
    assert capsys.readouterr().out == "name  n\n"


def test_a_table_on_a_terminal_prints_cells_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console._rich_table(("name",), [["[red]x[/red]"]], "")
    assert "[red]x[/red]" in capsys.readouterr().out


@dataclasses.dataclass(frozen=True)
class Thing:
    path: Path
    names: frozenset[str]
    inner: tuple[object, ...] = ()


def test_everything_becomes_plain_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.document({"t": Thing(Path("/ü"), frozenset({"b", "a"}), (None, 1.5, Secret("hunter2"))), 7: settings("x")})
    told = json.loads(capsys.readouterr().out)
    assert told["t"] == {"path": "/ü", "names": ["a", "b"], "inner": [None, 1.5, "[redacted]"]}
    assert "x" in told["7"]["services"]


def test_json_prints_the_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    FLAGS.json = True
    console.say("busy")
    console.line("a line")
    console.show({"a": 1}, lambda: console.line("for people"))
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_quiet_keeps_results_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    FLAGS.quiet = True
    console.say("busy")
    console.line("result")
    console.warn("careful")
    out, err = capsys.readouterr()
    assert (out, err) == ("result\n", "warning: careful\n")


def test_an_error_in_two_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.error(ConfigError("wrong", where="usenet.yaml:14: services", hint="do this"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: usenet.yaml:14: services: wrong\nhint:  do this\n")


def test_an_error_as_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    FLAGS.json = True
    console.error(ConfigError("wrong", where="usenet.yaml:14", hint="do this"))
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {"error": {"code": 4, "message": "wrong", "hint": "do this", "path": "usenet.yaml:14"}}


def test_a_detail_is_for_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    console.detail("hidden")
    FLAGS.verbose = True
    console.detail("shown")
    assert capsys.readouterr().err == "shown\n"


def asked() -> str:
    return console.ask("Name?", default="usenet", cure="take every default with --yes")


def test_without_a_terminal_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (io.StringIO("typed\n"), None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match=r"there is no terminal: Name\?") as caught:
            asked()
        assert caught.value.hint == "take every default with --yes"
        assert caught.value.code == 2


def test_yes_answers_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    FLAGS.yes = True
    assert asked() == "usenet"
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "answer"), [("films\n", "films"), ("  films \n", "films"), ("\n", "usenet")])
def test_a_person_answers(typed: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert asked() == answer


def test_the_end_of_input_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    with pytest.raises(KeyboardInterrupt):
        asked()


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_colour_only_on_a_terminal_that_wants_it(
    variable: str, *, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if variable:
        monkeypatch.setenv("NO_COLOR", variable)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    console.warn("x")
    assert ("\x1b[" in screen.getvalue()) is coloured
