"""usenet images, as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from usenet.adapters import recipes

pytestmark = [pytest.mark.engine]


def usenet(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "usenet", "--home", str(home), *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stack of one service that can be made here and one that can't, with no registry asked."""
    services = {"node-exporter": {}, "sonarr": {}}
    text = {"name": f"hb-{uuid.uuid4().hex[:8]}", "images": "build", "services": services}
    (tmp_path / "usenet.yaml").write_text(json.dumps(text))
    return tmp_path


def test_list_shows_what_is_made_here_and_what_can_not_be_had(home: Path) -> None:
    done = usenet(home, "images", "list", "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first["service"], first["source"]) == ("node-exporter", "build")
    assert first["reference"] == recipes.built_reference("node-exporter")
    assert second["service"] == "sonarr"
    assert second["state"].startswith("can't be had: there is no recipe")


def test_a_dry_run_prints_the_commands_and_makes_nothing(home: Path) -> None:
    done = usenet(home, "images", "build", "node-exporter", "--fresh", "-n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"docker build --tag {recipes.built_reference('node-exporter')} ")
    assert "--no-cache" in done.stdout
    assert done.stdout.strip().endswith("/images/node-exporter")


def test_an_index_with_a_password_is_not_in_the_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hidden@pypi.example/simple")
    monkeypatch.setenv("https_proxy", "http://me:hidden@proxy.example")
    done = usenet(home, "images", "build", "calibre-web", "--fresh", "-n", "--json")
    (command,) = json.loads(done.stdout)["commands"]
    assert "hidden" not in done.stdout + done.stderr
    assert "id=index,env=PIP_INDEX_URL" in command
    assert "https_proxy" in command


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("build", "sonarr"), 3, "there is no recipe to make an image of sonarr"),
        (("pull", "sonar"), 3, "there is no service 'sonar'"),
        (("load", "nothing.tar"), 5, "nothing.tar can't be read"),
        (("load",), 2, "Missing argument"),
    ],
)
def test_wrong_words_are_told_with_a_cure(home: Path, words: tuple[str, ...], code: int, message: str) -> None:
    done = usenet(home, "images", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert f"error: {message}" in done.stderr
    assert "hint:" in done.stderr


def test_pull_names_the_registry_that_is_silent(home: Path) -> None:
    text = {"name": "hb-pull", "images": "pull", "services": {"sonarr": {"image": "127.0.0.1:1/hb/sonarr:1"}}}
    (home / "usenet.yaml").write_text(json.dumps(text))
    done = usenet(home, "images", "pull")
    assert done.returncode == 5
    assert "error: 127.0.0.1:1 does not answer, so 127.0.0.1:1/hb/sonarr:1 can't be pulled" in done.stderr


@pytest.mark.slow
def test_a_stack_is_carried_in_a_file(home: Path) -> None:
    assert usenet(home, "images", "build").returncode == 0
    file = home / "stack.tar"
    saved = usenet(home, "images", "save", str(file), "--json")
    assert saved.returncode == 0, saved.stderr
    told = json.loads(saved.stdout)
    assert told["references"] == [recipes.built_reference("node-exporter")]
    assert told["size"] == file.stat().st_size
    assert "not in the file: sonarr" in saved.stderr
    loaded = usenet(home, "images", "load", str(file), "--json")
    assert json.loads(loaded.stdout) == told["references"]
