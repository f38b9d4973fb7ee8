"""A look at this machine begins before anyone needs the answer, and is not begun twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from usenet.actions import hardware, plan
from usenet.adapters import engine, shell, sockets
from usenet.adapters.home import Home


def test_it_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(engine, "facts", asked.set)
    looking = hardware.Looking()
    assert asked.wait(10)
    assert looking.host().memory.total > 0


def test_a_plan_for_a_look_that_has_begun_asks_no_program_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setattr(sockets, "listening", lambda: ())
    monkeypatch.setattr(shell, "_observers", [])
    programs: list[str] = []
    shell.watch(lambda words: programs.append(words[0]))
    (tmp_path / "usenet.yaml").write_text("")
    begun = hardware.Looking()
    assert plan.look(Home(tmp_path), begun=begun).host == begun.host()
    assert programs.count("findmnt") == 1
    plan.look(Home(tmp_path))
    assert programs.count("findmnt") == 2
