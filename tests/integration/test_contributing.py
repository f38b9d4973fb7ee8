"""A newcomer's addition: CONTRIBUTING.md followed to the letter gives all that it says."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.integration import pages
from tests.integration.conftest import WEB, Stack, free_port
from tests.integration.pages import ROOT

PAGE = pages.read("CONTRIBUTING.md")
ADD = PAGE.section("Add a service")
PACKAGE = PAGE.section("Bring services in a package of your own")
HELLO = "templates/compose/services/hello.yaml.j2"
LEFT_OUT = (".git", ".venv", ".*_cache", "__pycache__", ".hypothesis", "*.egg-info", "dist")
# The page's image comes from a registry, and its address is everybody's: here another image and address of the tests.
HERE = (
    f".venv/bin/usenet config set services.hello.image {WEB}",
    f".venv/bin/usenet config set publish 127.{random.randint(2, 254)}.{random.randint(2, 254)}.7",
)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout with the file of the page in it; its .venv is the one that runs the tests."""
    copy = tmp_path / "checkout"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (copy / ".venv").symlink_to(sys.prefix)
    write(copy, ADD.files())
    return copy


def follow(checkout: Path, lines: list[str]) -> str:
    return pages.shell(lines, checkout, PYTHONPATH=str(checkout), PYTHONDONTWRITEBYTECODE="1")


def completed(folder: Path, *words: str, **environment: str) -> list[str]:
    """What the shell offers after these words."""
    asked = f'_USENET_COMPLETE=complete_bash COMP_WORDS="usenet {" ".join(words)}" COMP_CWORD={len(words)} '
    return pages.shell([f"{asked} {sys.executable} -m usenet"], folder, **environment).split()


def usenet(checkout: Path, *words: str) -> str:
    return follow(checkout, [f".venv/bin/usenet {' '.join(words)}"])


@pytest.mark.slow
def test_one_file_gives_a_list_entry_completion_pages_and_golden_files(checkout: Path) -> None:
    listing, *_ = told = ADD.blocks()
    before = {p: p.read_text() for p in (checkout / "tests/golden").rglob("*.yaml")}
    said = follow(checkout, listing)

    rows = {row["name"]: row for row in json.loads(usenet(checkout, "--json", "services", "list"))}
    assert rows["hello"]["about"] == "Serves the files of a folder to a browser"
    assert rows["hello"]["port"] == 8123
    assert completed(checkout, "services", "up", "hel", PYTHONPATH=str(checkout)) == ["hello"]
    assert "| hello |" in (checkout / "docs/services.md").read_text()
    assert "wrote tests/golden/services/hello.yaml" in said
    golden = (checkout / "tests/golden/services/hello.yaml").read_text()
    assert "# probe: http://127.0.0.1:8123/ answers 200 or 404 within 60 s" in golden
    assert "target: 8000" in golden
    after = {p: p.read_text() for p in (checkout / "tests/golden").rglob("*.yaml")}
    assert {p.name for p in after if after[p] != before.get(p)} == {"hello.yaml"}
    assert len(told) == 2


@pytest.mark.engine
@pytest.mark.slow
def test_it_is_planned_with_a_probe_and_becomes_healthy(checkout: Path, web_image: str) -> None:
    lines = ADD.blocks()[1]
    assert lines[1].startswith(".venv/bin/usenet init")
    asked = (
        ".venv/bin/usenet --json services plan > plan.json",
        ".venv/bin/usenet --json services status > status.json",
    )
    remove = "trap '.venv/bin/usenet services down --quiet' EXIT"
    text = follow(checkout, [*lines[:2], *HERE, lines[2], asked[0], remove, *lines[3:-1], asked[1], lines[-1]])

    grant = json.loads((checkout / "plan.json").read_text())["plan"]["grants"]["hello"]
    assert (grant["probe"]["kind"], grant["probe"]["path"], grant["probe"]["port"]) == ("http", "/", 8123)
    assert "1 of 1 services are healthy" in text
    (status,) = json.loads((checkout / "status.json").read_text())
    assert (status["service"], status["health"]) == ("hello", "healthy")
    assert "removed: hello" in text


@pytest.mark.engine
def test_the_same_file_is_a_service_of_one_stack_alone(stack: Stack) -> None:
    write(stack.home / "services", {"hello.yaml.j2": ADD.files()[HELLO]})
    stack.settings({"hello": {"image": WEB, "port": free_port()}})
    assert "hello" in {row["name"] for row in stack.json("services", "list")}
    assert completed(stack.home, "services", "stop", "hel", USENET_HOME=str(stack.home)) == ["hello"]
    assert "1 of 1 services are healthy" in stack.run("services", "up").stdout
    assert [one["health"] for one in stack.json("services", "status")] == ["healthy"]


def install(venv: Path, package: Path) -> None:
    """pip install, from what is here."""
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "--python", str(venv / "bin/python"), "install", *options, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with usenet installed in it, which finds the packages that usenet needs where the tests find them."""
    venv = tmp_path_factory.mktemp("plugins") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install(venv, ROOT)
    return venv


@pytest.fixture
def venv(installed: Path, tmp_path: Path) -> Path:
    """One of its own for each test, with the package of the page as pip leaves it."""
    copy = tmp_path / "venv"
    shutil.copytree(installed, copy, symlinks=True)
    script = copy / "bin/usenet"
    script.write_text(script.read_text().replace(str(installed), str(copy)))
    files = PACKAGE.files()
    files["usenet-hello/usenet_hello/services/hello.yaml.j2"] = ADD.files()[HELLO]
    write(tmp_path, files)
    install(copy, tmp_path / "usenet-hello")
    return copy


def told(venv: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("USENET", "PYTHON", "VIRTUAL_ENV"))}
    command = [str(venv / "bin/usenet"), *words]
    done = subprocess.run(
        command, cwd=venv, env=known, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_a_package_brings_a_service_and_a_command(venv: Path, tmp_path: Path) -> None:
    listed = told(venv, "--home", str(tmp_path), "--json", "services", "list")
    assert listed.stderr == ""
    assert {row["name"]: row["port"] for row in json.loads(listed.stdout)}["hello"] == 8123
    asked = f'_USENET_COMPLETE=complete_bash COMP_WORDS="usenet services up hel" COMP_CWORD=3 {venv}/bin/usenet'
    assert pages.shell([asked], tmp_path).split() == ["hello"]
    assert "  hello " in told(venv, "--help").stdout
    assert told(venv, "hello").stdout == "hello\n"
    assert json.loads(told(venv, "hello", "--json").stdout) == {"said": "hello"}


@pytest.mark.engine
@pytest.mark.slow
def test_its_service_is_planned_and_becomes_healthy(venv: Path, stack: Stack) -> None:
    stack.settings({"hello": {"image": WEB, "port": (port := free_port())}})
    plan = json.loads(told(venv, "--home", str(stack.home), "--json", "services", "plan").stdout)["plan"]
    assert plan["grants"]["hello"]["probe"]["port"] == port
    assert "1 of 1 services are healthy" in told(venv, "--home", str(stack.home), "services", "up").stdout
    (status,) = json.loads(told(venv, "--home", str(stack.home), "--json", "services", "status").stdout)
    assert status["health"] == "healthy"


@pytest.mark.slow
def test_a_broken_package_is_left_out_with_a_warning(venv: Path, tmp_path: Path) -> None:
    (package,) = venv.glob("lib/python*/site-packages/usenet_hello")
    (package / "__init__.py").write_text("raise RuntimeError('no luck today')\n")
    listed = told(venv, "--home", str(tmp_path), "--json", "services", "list")
    names = {row["name"] for row in json.loads(listed.stdout)}
    assert "the plugin hello is left out: RuntimeError: no luck today" in listed.stderr
    assert "hello" not in names
    assert "jellyfin" in names
    assert "services" in told(venv, "--help").stdout
    refused = told(venv, "hello", code=2)
    assert "no luck today" in refused.stderr


@pytest.mark.slow
def test_a_package_may_not_take_a_name_that_is_taken(venv: Path, tmp_path: Path) -> None:
    (folder,) = venv.glob("lib/python*/site-packages/usenet_hello/services")
    (folder / "hello.yaml.j2").rename(folder / "jellyfin.yaml.j2")
    refused = told(venv, "--home", str(tmp_path), "services", "list", code=3)
    assert refused.stderr.count("jellyfin.yaml.j2") == 2
