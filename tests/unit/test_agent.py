"""The agent under systemd: what is written, what is run, and what is said where systemd is not."""

from __future__ import annotations

import json
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from usenet.adapters import systemd
from usenet.cli.flags import FLAGS
from usenet.cli.main import run
from usenet.compose import unit

UNIT = "usenet-media-agent.service"
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
    text = (tmp_path / "units" / UNIT).read_text()
    parsed = ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment]
    parsed.read_string(text)
    assert parsed["Service"]["ExecStart"] == f'"{sys.executable}" "-P" "-m" "usenet" "--home" "{home}" "agent" "run"'
    assert parsed["Unit"]["RequiresMountsFor"] == f'"{home}"'
    words = called.read_text().splitlines()
    assert words == ["daemon-reload", f"enable {UNIT}", f"restart {UNIT}"]
    called.unlink()
    assert run(["--home", str(home), "agent", "install"]) == 0
    assert called.read_text().splitlines() == [f"is-active --quiet {UNIT}"]
    assert "installed already" in capsys.readouterr().out


def test_a_dry_run_writes_and_runs_nothing(home: Path, called: Path, tmp_path: Path, capsys) -> None:
    assert run(["--home", str(home), "--json", "agent", "install", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(tmp_path / "units" / UNIT)
    assert ["systemctl", "restart", UNIT] in told["commands"]
    assert not list((tmp_path / "units").iterdir())
    assert not called.exists()


def words_of(called: Path) -> list[str]:
    words = called.read_text().splitlines()
    called.unlink()
    return words


def agent(home: Path, *words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:  # as in a process of its own
        patch.setattr(FLAGS, "dry_run", False)
        return run(["--home", str(home), "agent", *words])


def test_a_stack_with_another_name_has_its_old_agent_no_more(home: Path, called: Path, capsys) -> None:
    units = systemd.UNITS
    agent(home, "install")
    (units / UNIT).rename(units / "media-agent.service")  # as it was called at first
    (home / "usenet.yaml").write_text("name: films\n")
    called.unlink()
    assert agent(home, "install", "--dry-run") == 0
    assert "systemctl disable --now media-agent.service" in capsys.readouterr().out
    assert [path.name for path in units.iterdir()] == ["media-agent.service"]
    assert agent(home, "install") == 0
    assert "media-agent.service: removed" in capsys.readouterr().out
    assert [path.name for path in units.iterdir()] == ["usenet-films-agent.service"]
    assert words_of(called)[:2] == ["disable --now media-agent.service", "daemon-reload"]


def test_it_is_removed_whatever_the_stack_is_called_by_now(home: Path, called: Path, capsys) -> None:
    agent(home, "install")
    (systemd.UNITS / "guest-agent.service").write_text("[Service]\nExecStart=/bin/true\n")
    (home / "usenet.yaml").unlink()
    called.unlink()
    assert agent(home, "remove", "--dry-run") == 0
    assert f"systemctl disable --now {UNIT}" in capsys.readouterr().out
    assert agent(home, "remove") == 0
    assert [path.name for path in systemd.UNITS.iterdir()] == ["guest-agent.service"]
    assert words_of(called) == [f"disable --now {UNIT}", "daemon-reload"]
    assert agent(home, "remove") == 0
    assert not called.exists()


@pytest.mark.parametrize("text", ["[Service]\nExecStart=/bin/true\n", "", None])
def test_a_file_that_is_not_ours_is_left_as_it_is(text: str | None, home: Path, called: Path, capsys) -> None:
    unit_ = systemd.UNITS / UNIT
    if text is None:  # masked
        unit_.symlink_to("/dev/null")
    else:
        unit_.write_text(text)
    assert agent(home, "install") == 3
    assert "not from usenet" in capsys.readouterr().err
    assert unit_.read_text() == (text or "")
    assert not called.exists()


def test_another_stack_of_the_same_name_keeps_its_agent(home: Path, tmp_path: Path, called: Path, capsys) -> None:
    other = tmp_path / 'their "50 %" \\ stack'
    other.mkdir()
    (other / "usenet.yaml").write_text("name: media\n")
    agent(other, "install")
    before = (systemd.UNITS / UNIT).read_text()
    assert agent(home, "install") == 3
    assert str(other) in capsys.readouterr().err
    agent(home, "remove")
    assert (systemd.UNITS / UNIT).read_text() == before
    assert agent(other, "remove") == 0
    assert not list(systemd.UNITS.iterdir())


def test_without_systemd_it_says_so(home: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(systemd, "RUNNING", tmp_path / "nothing")
    assert run(["--home", str(home), "agent", "remove"]) == 5
    assert run(["--home", str(home), "agent", "install"]) == 5
    told = capsys.readouterr().err
    assert "systemd does not run this machine" in told
    assert "usenet agent run" in told


def test_without_a_stack_it_says_so(tmp_path: Path, called: Path) -> None:
    assert run(["--home", str(tmp_path / "none"), "agent", "install"]) == 4


def test_a_path_is_no_variable_and_no_specifier() -> None:
    text = unit.render("{{ home }}\n{{ command }}\n", name="x", home="/a %h", command=("/b $HOME", 'c"d'))
    assert text == '"/a %%h"\n"/b $$HOME" "c\\"d"\n'
