"""doctor: each check by itself, and none that fails hides another."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.making import host
from usenet.actions import doctor
from usenet.actions.hardware import Looking
from usenet.actions.standing import Status
from usenet.adapters.home import Home
from usenet.cli.main import run
from usenet.domain.host import Engine, Unseen


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack that was never written, on a machine without an engine and with something that can't be seen."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    dark = Unseen(what="drives", why="lsblk is missing", cure="install util-linux")
    monkeypatch.setattr(Looking, "__init__", lambda _: None)
    monkeypatch.setattr(Looking, "host", lambda _: host(engine=None, unseen=(dark,)))
    (tmp_path / "usenet.yaml").write_text("version: 1\nservices: {sonarr: {}}\n")
    return tmp_path


def told(home: Path) -> dict[str, tuple[str, str, str]]:
    return {one.about: (one.state, one.said, one.cure) for one in doctor.look(Home(home))}


def test_every_check_answers_though_others_fail(home: Path) -> None:
    found = told(home)
    assert list(found) == ["settings", "engine", "stack", "services", "drives", "machine"]
    assert found["settings"][0] == found["drives"][0] == "ok"
    assert found["engine"][0] == "wrong"
    assert "no container engine answers" in found["engine"][1]
    assert found["stack"][:2] == ("wrong", f"no stack was written in {home}")
    assert "usenet deploy" in found["stack"][2]
    assert found["machine"] == ("note", "drives: lsblk is missing", "install util-linux")


def test_without_an_engine_no_port_is_called_taken(home: Path) -> None:
    """The process that listens may be the stack's own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        (home / "usenet.yaml").write_text(f"version: 1\nservices: {{sonarr: {{port: {port}}}}}\n")
        (home / "stack").mkdir()
        (home / "stack/plan.json").write_text('{"project": "p", "grants": {}, "files": []}')
        state, said, _ = told(home)["stack"]
    assert (state, said) == ("note", "what would be written now can't be told while the engine does not answer")


def test_a_mistake_in_the_settings_has_its_line(home: Path) -> None:
    (home / "usenet.yaml").write_text("version: 1\nprofile: huge\n")
    state, said, _ = told(home)["settings"]
    assert (state, said.startswith("usenet.yaml:2: ")) == ("wrong", True)


def test_a_check_that_breaks_the_rules_is_a_bug_and_not_hidden(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(doctor._CHECKS, "drives", broken)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        doctor.look(Home(home))


def test_the_exit_code_says_whether_something_is_wrong(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--home", str(home), "--json", "doctor"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {one["about"] for one in document} == {"settings", "engine", "stack", "services", "drives", "machine"}


def test_without_a_stack_it_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--home", str(home / "none"), "doctor"]) == 4
    assert "usenet init" in capsys.readouterr().err


def test_a_service_that_is_not_well_is_told_with_what_helps(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = (
        Status(service="well", group="media", state="running", health="healthy"),
        Status(service="ill", group="media", state="running", health="unhealthy", reason="answered 500"),
        Status(service="off", group="media", state="exited", health="stopped"),
    )
    monkeypatch.setattr(doctor.status, "look", lambda _: seen)
    found = [one for one in doctor.look(Home(home)) if one.about == "services"]
    assert [(one.state, one.said, one.cure) for one in found] == [
        ("wrong", "ill is unhealthy: answered 500", "see: usenet services logs ill"),
        ("wrong", "off is stopped", "usenet services up"),
    ]


def test_drives_and_a_pool_that_are_not_well_are_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "usenet.yaml").write_text("version: 1\nstorage: {drives: {films: {uuid: u-1}}}\n")

    def found(pool: str, **films: object) -> list[tuple[str, str]]:
        drive = SimpleNamespace(**{"drive": "films", "state": "mounted", "why": "", "well": True} | films)
        seen = SimpleNamespace(drives=(drive,), pool=SimpleNamespace(state=pool))
        monkeypatch.setattr(doctor.storage, "look", lambda _: seen)
        return [(one.state, one.said) for one in doctor.look(Home(home)) if one.about == "drives"]

    assert found("mounted") == [("ok", "all of the stack are there")]
    assert found("mounted", state="away", why="it is not plugged in", well=False) == [
        ("wrong", "films is away: it is not plugged in")
    ]
    assert found("dead") == [("wrong", "the pool is dead")]


def test_an_engine_without_compose_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = host(engine=Engine(version="26", api="1.45", compose=""))
    monkeypatch.setattr(Looking, "host", lambda _: bare)
    assert told(home)["engine"][:2] == ("wrong", "Docker Compose is not installed")
    monkeypatch.setattr(Looking, "host", lambda _: host())
    assert told(home)["engine"][0] == "ok"
