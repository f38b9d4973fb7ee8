"""The house keeps its shape: arrows, doors to the outside, who prints, how long a file or a function may be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "usenet"

# Who may import whom. A room is a folder of usenet/; every room may import itself.
ARROWS = {
    "cli": {"actions", "domain"},
    "agent": {"actions", "domain"},
    "actions": {"domain", "compose", "adapters", "recorder"},
    "compose": {"domain"},
    "adapters": {"domain"},
    "domain": set[str](),
    "recorder": set[str](),
}
# Who alone may import these: a file, or a folder and what is in it.
DOORS: dict[str, str | tuple[str, ...]] = {
    "subprocess": ("adapters/shell.py", "adapters/together.py"),
    "docker": "adapters/engine",
    "python_on_whales": "adapters/engine",
    "pyudev": "adapters",
    "psutil": "adapters",
    "httpx": "adapters",
    "socket": ("adapters", "recorder/sources"),
    "_socket": "adapters",
    "ruamel": "adapters",
    "av": "recorder",
    "aiohttp": "recorder/sidecar",
    "boto3": "recorder/upload",
}
PURE = ("domain", "compose")
OUTSIDE = {"subprocess", "socket", "_socket", "os", "time", "random", "shutil", "tempfile", "secrets", "urllib", "http"}
# main.py flushes, replaces a closed pipe, and says "interrupted" where console.py may have been cut short.
STREAMS = {"cli/console.py", "cli/main.py"}

# What --help and a completion, which are asked for all the time, never load. Not pydantic: Typer loads it by itself
# when it reads the options of a command.
HEAVY = {"docker", "python_on_whales", "pyudev", "psutil", "httpx", "ruamel", "yaml", "jinja2", "rich"}

LONGEST_FILE = 400
LONGEST_FUNCTION = 40


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def room(file: Path) -> str:
    parts = file.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at any depth, under its full name; and the line."""
    package = ["usenet", *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield origin, node.lineno
            if origin == "usenet" or node.level:
                yield from ((f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def rooms_imported(file: Path) -> Iterator[tuple[str, int]]:
    for module, line in imports(file):
        parts = module.split(".")
        if parts[0] == "usenet" and len(parts) > 1 and parts[1] in ARROWS:
            yield parts[1], line


def test_every_room_is_on_the_drawing() -> None:
    rooms = {entry.name for entry in PACKAGE.iterdir() if entry.is_dir() and any(entry.glob("*.py"))}
    assert rooms <= set(ARROWS), f"not in house.md: {rooms - set(ARROWS)}"


@pytest.mark.parametrize("file", files(), ids=name)
def test_arrows(file: Path) -> None:
    own = room(file)
    if own not in ARROWS:
        return
    wrong = [
        f"line {line}: {own} → {other}" for other, line in rooms_imported(file) if other not in ARROWS[own] | {own}
    ]
    assert not wrong, f"{name(file)} imports against the arrows: {wrong}"


@pytest.mark.parametrize("file", files(), ids=name)
def test_doors_to_the_outside(file: Path) -> None:
    wrong = []
    for module, line in imports(file):
        top = module.split(".")[0]
        allowed = DOORS.get(top)
        if allowed and not name(file).startswith(allowed):
            wrong.append(f"line {line}: {module} belongs to {allowed}")
        if room(file) in PURE and top in OUTSIDE:
            wrong.append(f"line {line}: {module} is no business of a pure room")
    assert not wrong, f"{name(file)}: {wrong}"


@pytest.mark.parametrize("file", files(), ids=name)
def test_only_the_console_prints(file: Path) -> None:
    wrong = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _dotted(node.func) in {"print", "input", "typer.echo", "typer.secho"}:
            wrong.append(f"line {node.lineno}: {_dotted(node.func)}")
        if isinstance(node, ast.Attribute) and _dotted(node) in {"sys.stdout", "sys.stderr", "sys.stdin"}:
            wrong += [] if name(file) in STREAMS else [f"line {node.lineno}: {_dotted(node)}"]
    assert not wrong, f"{name(file)} prints or asks by itself: {wrong}"


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("file", files(), ids=name)
def test_lengths(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE, f"{name(file)} is too long: make it a folder of the same name"
    wrong = [
        f"{node.name} has {length} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not wrong, f"{name(file)}: {wrong}"


@pytest.mark.parametrize("file", files(), ids=name)
def test_every_module_says_what_it_owns(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), f"{name(file)} has no docstring"


@pytest.mark.parametrize("file", files(), ids=name)
def test_no_drawer_for_odds_and_ends(file: Path) -> None:
    assert file.stem not in {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--help"], {}),
        ([], {"_USENET_COMPLETE": "complete_bash", "COMP_WORDS": "usenet ser", "COMP_CWORD": "1"}),
    ],
    ids=["help", "completion"],
)
def test_help_and_completion_load_nothing_heavy(words: list[str], environment: dict[str, str]) -> None:
    program = (
        "import atexit, sys; from usenet.cli.main import main; "
        f"atexit.register(lambda: sys.stderr.write(' '.join(sorted({HEAVY!r} & set(sys.modules))))); "
        f"main({words!r} or None)"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert "services" in told.stdout
    assert told.stderr == ""


def test_a_forbidden_arrow_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    for number, text in enumerate(
        (
            "from usenet.adapters import shell",
            "from usenet import adapters",
            "import usenet.adapters.shell as door",
            "from .. import adapters",
            "from ..adapters.shell import run",
            "def later():\n    from usenet.adapters.shell import run",
        )
    ):
        file = tmp_path / "domain" / f"case{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        assert "adapters" in {other for other, _ in rooms_imported(file)}, text


def test_every_decision_is_in_the_table_with_its_own_number() -> None:
    folder = PACKAGE.parent / "docs" / "decisions"
    table = (folder / "README.md").read_text()
    for record in folder.glob("0*.md"):
        assert f"| [{record.name[:4]}]({record.name}) |" in table
        assert record.read_text().startswith(f"# {record.name[:4]}: ")
