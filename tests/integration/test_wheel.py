"""The built wheel is the whole tool, in an empty venv and from another directory: templates and completions too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "USENET"))}
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**keep, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # With the build tool that is here: the network is asked only for what the wheel itself needs.
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    command += ["--wheel-dir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("usenet-*.whl"))


@pytest.fixture(scope="module")
def tool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`usenet` in a venv that holds nothing else than the wheel and what it asks for."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
    command = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)]
    installed = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert installed.returncode == 0, installed.stderr
    return venv / "bin/usenet"


def test_it_holds_every_template_and_completion(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "completions"):
        ours = [file for file in (ROOT / folder).rglob("*") if file.is_file() and not file.name.startswith(".")]
        assert ours
        assert {f"usenet/share/{file.relative_to(ROOT).as_posix()}" for file in ours} <= inside
    assert "usenet/py.typed" in inside


def test_it_holds_no_tests_and_no_scripts(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"usenet"}


def test_executable_templates_stay_executable(wheel: Path) -> None:
    for entry in zipfile.ZipFile(wheel).infolist():
        source = ROOT / entry.filename.removeprefix("usenet/share/")
        if entry.filename.startswith("usenet/share/") and os.access(source, os.X_OK):
            assert (entry.external_attr >> 16) & 0o111, entry.filename


def test_help_comes_up_in_an_empty_home(tool: Path, tmp_path: Path) -> None:
    told = run(tool, "--help", cwd=tmp_path, home=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "deploy" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_catalog_came_with_it(tool: Path, tmp_path: Path) -> None:
    told = run(tool, "services", "list", "--json", cwd=tmp_path, home=tmp_path)
    assert told.returncode == 0, told.stderr
    for file in (ROOT / "templates/compose/services").glob("*.yaml.j2"):
        assert file.name.removesuffix(".yaml.j2") in told.stdout


def test_it_exports_the_schema(tool: Path, tmp_path: Path) -> None:
    told = run(tool, "config", "schema", cwd=tmp_path, home=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "services" in json.loads(told.stdout)["properties"]


def test_it_sees_the_machine(tool: Path, tmp_path: Path) -> None:
    told = run(tool, "hardware", "list", "--json", cwd=tmp_path, home=tmp_path)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)


def test_it_is_the_wheel_that_ran(tool: Path, tmp_path: Path) -> None:
    where = "import usenet; print(usenet.__file__)"
    told = run(tool.parent / "python", "-c", where, cwd=tmp_path, home=tmp_path)
    assert Path(told.stdout.strip()).is_relative_to(tool.parents[1])
