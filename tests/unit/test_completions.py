"""The completion scripts that the wheel ships are current and complete words in a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = Path(sys.executable).parent


def complete(*words: str) -> list[str]:
    """What bash offers after these words, with completions/usenet.bash loaded and our `usenet` on PATH."""
    script = (
        'source "$1"; shift; COMP_WORDS=(usenet "$@"); COMP_CWORD=$#; '
        "_usenet_completion usenet; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    told = subprocess.run(
        ["bash", "-c", script, "bash", str(ROOT / "completions/usenet.bash"), *words],
        env={**os.environ, "PATH": f"{OURS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return told.stdout.split()


def test_the_files_are_what_typer_generates() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts/completions"), "--check"], capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_changed_file_is_noticed_and_written_again(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "completions", tmp_path / "completions")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/completions", tmp_path / "scripts/completions")
    command = [sys.executable, str(tmp_path / "scripts/completions")]
    changed = tmp_path / "completions/usenet.fish"
    changed.write_text("nothing\n")

    noticed = subprocess.run([*command, "--check"], capture_output=True, text=True, timeout=60)
    assert noticed.returncode == 1
    assert "usenet.fish" in noticed.stderr
    assert changed.read_text() == "nothing\n"

    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert changed.read_bytes() == (ROOT / "completions/usenet.fish").read_bytes()


@pytest.mark.parametrize(("typed", "offered"), [("ser", "services"), ("dep", "deploy"), ("hard", "hardware")])
def test_bash_completes_a_noun(typed: str, offered: str) -> None:
    assert complete(typed) == [offered]


def test_bash_offers_nothing_for_an_unknown_word() -> None:
    assert complete("no-such-noun") == []


@pytest.mark.parametrize("verb", ["remove", "layout", "pool create", "pool add", "pool remove"])
def test_drives_of_the_stack_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    drives = "{films: {uuid: a}, films-2: {uuid: b}, shows: {uuid: c}}"
    (tmp_path / "usenet.yaml").write_text(f"storage: {{drives: {drives}}}\n")
    monkeypatch.setenv("USENET_HOME", str(tmp_path))
    assert complete("storage", *verb.split(), "fi") == ["films", "films-2"]
    (tmp_path / "usenet.yaml").write_text("storage: 5\n")
    assert complete("storage", *verb.split(), "fi") == []
