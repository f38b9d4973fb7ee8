"""Every command on the pages for people runs, and what they name is there."""

from __future__ import annotations

import html
import random
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import pages
from tests.integration.conftest import docker
from tests.integration.pages import ROOT
from usenet.adapters import images
from usenet.domain import errors

README = pages.read("README.md")
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
TOUR = README.section("Five minutes").blocks()[:-1]
# What is not run here, and where it is.
ELSEWHERE = {
    "scripts/start": "tests/integration/test_start.py runs it",
    "scripts/test": "this test is part of it",
    "pipx install .": "tests/integration/test_wheel.py installs the same wheel into an empty venv",
    "uv tool install .": "as pipx",
    "usenet --install-completion": "it changes the shell's own files; see tests/unit/test_completions.py",
    "usenet images save stack.tar": "tests/integration/test_images_cli.py carries a stack",
    "usenet images load stack.tar": "as save",
}


def command(line: str) -> str:
    return line.partition("#")[0].strip()


def commands(page: str) -> set[str]:
    return {command(line) for block in pages.read(page).blocks() for line in block}


def test_every_command_is_run_here_or_elsewhere() -> None:
    run = {command(line) for block in TOUR for line in block}
    add = {command(line) for block in pages.read("CONTRIBUTING.md").section("Add a service").blocks() for line in block}
    told = {page: commands(page) - run - add - set(ELSEWHERE) for page in PAGES}
    assert {page: left for page, left in told.items() if left} == {}
    assert set(ELSEWHERE) <= commands("README.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", pages.read(page).text)
    for target, heading in targets:
        if "://" not in target and "<" not in target:
            file = (ROOT / page).parent / target
            assert file.exists(), f"{page}: {target}"
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
            assert not heading or heading in [h.lower().replace(" ", "-") for h in headings], f"{page}: #{heading}"


NAMED = re.compile(r"`([\w./-]+\.py|(?:tests|usenet|scripts|templates|docs)/[\w./-]+)`")
MADE = re.compile(r"usenet-hello/.*|templates/compose/services/hello\.yaml\.j2|tests/golden/services/hello\.yaml")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    """From the top or from usenet/; a bare name is in the folder of the path before it."""
    folder, missing = Path(), []
    for name in (n for n in NAMED.findall(pages.read(page).text) if not MADE.fullmatch(n)):
        places = (ROOT / name, ROOT / "usenet" / name) if "/" in name else (ROOT / folder / name,)
        folder = Path(name).parent if "/" in name else folder
        missing += [] if any(place.exists() for place in places) else [name]
    assert missing == []


def test_architecture_is_short_and_has_every_exit_code() -> None:
    text = pages.read("docs/architecture.md").text
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert told == {0, 70, *(kind.code for kind in (errors.UsenetError, *errors.UsenetError.__subclasses__()))}
    assert len(text.splitlines()) <= 150


def test_it_is_short_and_its_numbers_are_right() -> None:
    assert len(README.text.splitlines()) < 150
    services = list((ROOT / "templates/compose/services").glob("*.yaml.j2"))
    assert f"[{len(services)} services]" in README.text
    assert f"images for {len(images.buildable())} services" in README.text


@pytest.fixture
def name() -> Iterator[str]:
    name = f"readme-{uuid.uuid4().hex[:8]}"
    yield name
    label = f"label=com.docker.compose.project={name}"
    if ids := docker("ps", "-aq", "--filter", label).split():
        docker("rm", "-f", *ids)
    if networks := docker("network", "ls", "-q", "--filter", label).split():
        docker("network", "rm", *networks)


def address() -> str:
    """One of this machine's own that nobody else publishes on."""
    return f"127.{random.randint(2, 254)}.{random.randint(2, 254)}.{random.randint(2, 254)}"


@pytest.mark.engine
@pytest.mark.slow
def test_the_tour(tmp_path: Path, name: str) -> None:
    lines = [line for block in TOUR for line in block]
    begun = next(n for n, line in enumerate(lines) if line.startswith("usenet init")) + 1
    # A name and an address of this test's own; and no registry is asked.
    own = [f"usenet config set {key}" for key in (f"name {name}", f"publish {address()}", "images build")]
    told = pages.shell([*lines[:begun], *own, *lines[begun:]], tmp_path, USENET_HOME=str(tmp_path / "home"))
    assert re.search(r"left out: .*\bjellyfin\b", told)
    assert "2 of 2 services are healthy" in told
    assert "3 of 3 services are healthy" in told
    assert re.search(r"^transmission +http://127\.\S+:9091/$", told, re.MULTILINE)
    assert re.search(r"^sabnzbd +healthy .*:8090/$", told, re.MULTILINE)
    assert "uid=1000" in told
    assert "removed: " in told


def lines_of(picture: Path) -> list[str]:
    """The commands in the picture, and service and state of each row below them."""
    rows: dict[float, list[str]] = {}
    for y, text in re.findall(r'<text class="terminal-r\d+"[^>]* y="([\d.]+)"[^>]*>(.*?)</text>', picture.read_text()):
        rows.setdefault(float(y), []).append(html.unescape(text).replace("\xa0", " ").strip())
    told = [" ".join(part for part in parts if part) for _, parts in sorted(rows.items())]
    return sorted(found[0] for row in told if (found := re.match(r"\$ .*|[a-z-]+ healthy\b|\d+ of \d+.*", row)))


@pytest.mark.engine
@pytest.mark.slow
def test_the_picture_is_what_a_run_looks_like(tmp_path: Path) -> None:
    again = tmp_path / "again.svg"
    recorded = subprocess.run(
        [sys.executable, str(ROOT / "scripts/picture"), "--publish", address(), str(again)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert recorded.returncode == 0, recorded.stderr
    assert lines_of(again) == lines_of(ROOT / "docs/terminal.svg")
    assert "$ usenet services up" in lines_of(again)
