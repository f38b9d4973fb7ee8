"""The agent under systemd: what is written, what is run, and what is said where systemd is not."""

from __future__ import annotations

import json
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from usenet.adapters import systemd
from usenet.cli.main import run
from usenet.compose import unit

CALLS = """#!/bin/sh
echo "$@" >> {log}
[ "$1" != is-active ] || [ -e {log}.active ]
[ "$1" != restart ] || touch {log}.active
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "my stack"
    home.mkdir()
    (home / "usenet.yaml").write_text("name: media\n")
    return home


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that systemd runs; what systemctl was asked for."""
    log, programs = tmp_path / "called", tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(CALLS.format(log=log))
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "RUNNING", tmp_path)
    monkeypatch.setattr(systemd, "UNITS", tmp_path / "units")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "units").mkdir()
    return log


def test_it_is_written_and_run_once(home: Path, called: Path, tmp_path: Path, capsys) -> None:
    assert run(["--home", str(home), "agent", "install"]) == 0
    text = (tmp_path / "units" / "media-agent.service").read_text()
    parsed = ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment]
    parsed.read_string(text)
    assert parsed["Service"]["ExecStart"] == f'"{sys.executable}" "-m" "usenet" "--home" "{home}" "agent" "run"'
    assert parsed["Unit"]["RequiresMountsFor"] == f'"{home}"'
    words = called.read_text().splitlines()
    assert words == ["daemon-reload", "enable media-agent.service", "restart media-agent.service"]
    called.unlink()
    assert run(["--home", str(home), "agent", "install"]) == 0
    assert called.read_text().splitlines() == ["is-active --quiet media-agent.service"]
    assert "installed already" in capsys.readouterr().out


def test_a_dry_run_writes_and_runs_nothing(home: Path, called: Path, tmp_path: Path, capsys) -> None:
    assert run(["--home", str(home), "--json", "agent", "install", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(tmp_path / "units" / "media-agent.service")
    assert ["systemctl", "restart", "media-agent.service"] in told["commands"]
    assert not list((tmp_path / "units").iterdir())
    assert not called.exists()


def test_without_systemd_it_says_so(home: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(systemd, "RUNNING", tmp_path / "nothing")
    assert run(["--home", str(home), "agent", "install"]) == 5
    told = capsys.readouterr().err
    assert "systemd does not run this machine" in told
    assert "usenet agent run" in told


def test_without_a_stack_it_says_so(tmp_path: Path, called: Path) -> None:
    assert run(["--home", str(tmp_path / "none"), "agent", "install"]) == 4


def test_a_path_is_no_variable_and_no_specifier() -> None:
    text = unit.render("{{ home }}\n{{ command }}\n", name="x", home="/a %h", command=("/b $HOME", 'c"d'))
    assert text == '"/a %%h"\n"/b $$HOME" "c\\"d"\n'
