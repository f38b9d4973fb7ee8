"""Hooks: who may write them, what they say, and what they leave running."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import time
from pathlib import Path

import pytest

from tests.waiting import wait
from usenet.adapters.home import Home
from usenet.adapters.storage import hooks

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A stack directory that is its owner's alone, with a folder for hooks."""
    home = tmp_path / "home"
    for folder in (home, home / "hooks", home / "hooks/storage", home / "hooks/storage/lost.d"):
        folder.mkdir()
        folder.chmod(0o755)
    return Home(home)


def hook(home: Home, script: str, name: str = "10-tell", mode: int = 0o755) -> Path:
    path = home.path / "hooks" / "storage" / "lost.d" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def said(home: Home) -> list[str]:
    lines: list[str] = []
    hooks.run(home, "lost", {"USENET_DRIVE": "films"}, lines.append)
    return lines


def members(monkeypatch: pytest.MonkeyPatch, name: str, *others: str) -> None:
    """Let every group have this name and these members."""
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group((name, "x", number, list(others))))


def test_they_run_in_the_order_of_their_names(home: Home) -> None:
    hook(home, "echo $USENET_DRIVE; echo no >&2; exit 3", "20-b")
    hook(home, "pwd", "10-a")
    hook(home, "echo never", "30-c~")
    hook(home, "echo never", ".hidden")
    assert said(home) == [
        f"hook 10-a: {home.path}",
        "hook 20-b: films",
        "hook 20-b: no",
        "hook 20-b failed with code 3",
    ]


def wait_for_the_end_of(process: int) -> None:
    """Ended by a signal, which takes a moment, and perhaps not yet taken note of by its new parent."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] in "ZX":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        time.sleep(0.01)
    pytest.fail("it goes on")


PLACES = [".", "hooks", "hooks/storage", "hooks/storage/lost.d", "hooks/storage/lost.d/10-tell"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_what_others_may_write_or_replace_is_not_run(place: str, mode: int, home: Home, monkeypatch) -> None:
    hook(home, "echo ran")
    members(monkeypatch, "media", ME)
    assert said(home) == ["hook 10-tell: ran"]
    (home.path / place).chmod(mode)
    assert said(home) == [f"hook 10-tell was not run: others may write {home.path / place}"]


def test_a_group_of_the_owner_alone_is_nobody_else(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    hook(home, "echo ran", mode=0o775)
    for group in ((ME,), (ME, ME)):
        members(monkeypatch, *group)
        assert said(home) == ["hook 10-tell: ran"]
    members(monkeypatch, ME, ME, "guest")
    assert "others may write" in said(home)[0]


def test_a_group_that_nobody_knows_may_be_anybodys(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> grp.struct_group:
        raise KeyError

    hook(home, "echo ran", mode=0o775)
    monkeypatch.setattr(grp, "getgrgid", unknown)
    assert "others may write" in said(home)[0]


@pytest.mark.parametrize("place", PLACES[1:])
def test_a_link_is_not_run(place: str, home: Home) -> None:
    hook(home, "echo ran")
    real = home.path / place
    real.rename(home.path / "real")
    real.symlink_to(home.path / "real")
    assert said(home) == [f"hook 10-tell was not run: {real} is a link"]


def test_what_is_no_program_is_said(home: Home) -> None:
    path = hook(home, "echo ran", mode=0o644)
    (path.parent / "20-folder").mkdir(0o755)
    assert said(home) == [
        f"hook 10-tell was not run: it is not executable: chmod +x {path}",
        "hook 20-folder was not run: it is no file",
    ]


def test_what_a_hook_leaves_running_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PATIENCE", 30.0)
    hook(home, "sleep 600 & echo $!")
    (line,) = said(home)
    os.kill(int(line.split()[-1]), 9)  # which is still there


def test_a_hook_that_hangs_is_ended_with_all_that_it_began(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "PATIENCE", 0.5)
    hook(home, "sleep 600 & echo $! > begun && mv begun child; wait")
    child, real = home.path / "child", subprocess.Popen.wait

    def patient(process: subprocess.Popen[str], timeout: float | None = None) -> int:
        wait(child.exists)  # its time begins when it has begun something
        return real(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", patient)
    (line,) = said(home)
    assert "10-tell failed" in line
    assert "did not end within 0.5 s" in line
    wait_for_the_end_of(int(child.read_text()))
