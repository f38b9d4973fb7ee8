"""A look at this machine begins before anyone needs the answer, and is not begun twice."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.saved import program
from usenet.actions import early, hardware, plan
from usenet.adapters import engine, shell, sockets
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure


def test_it_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(engine, "facts", lambda _: asked.set())
    looking = hardware.Looking()
    assert asked.wait(10)
    assert looking.host().memory.total > 0


def test_compose_is_asked_before_all_else_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_observers", [])
    program(tmp_path / "bin", "docker", "echo v9.8.7")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    programs: list[str] = []
    shell.watch(lambda words: programs.append(" ".join(words)))
    compose = early.Compose()
    assert programs == ["docker compose version --short"]
    hardware.look(None, compose)
    assert programs.count("docker compose version --short") == 1
    assert early.Compose().version() == "9.8.7"


@pytest.mark.parametrize("file", ["no program", "#!/nonexistent\n"])
def test_a_docker_that_can_not_be_run_is_told_and_no_bug(file: str, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "docker").write_text(file)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(engine, "request", lambda *_: {"Version": "1", "ApiVersion": "1"})
    host = hardware.look(None, early.Compose())
    assert host.engine is None
    (unseen,) = (one for one in host.unseen if one.what == "engine")
    assert f"{tmp_path / 'docker'} can't be run: " in unseen.why
    assert unseen.cure


def test_no_docker_is_left_behind_where_no_engine_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "docker", "exec sleep 300")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    compose = early.Compose()
    assert compose._begun
    with pytest.raises(SystemFailure, match="no container engine"):
        engine.facts(compose)
    assert compose._begun._process.returncode is not None


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
