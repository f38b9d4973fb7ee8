"""What `services plan` says differs: on disk, and among what runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import peers, stacks
from tests.saved import only_path, program
from usenet.actions import difference
from usenet.actions.plan import Decision
from usenet.adapters import stack
from usenet.adapters.home import Home

HASHES = {"prowlarr": "hash-1", "sonarr": "hash-2"}


def decision(**changes: Any) -> Decision:
    host = stacks.HOSTS["amd"]
    plan = stacks.plan(host, stacks.settings(("sonarr", "prowlarr"), **changes))
    return Decision(plan, stacks.stack(host, plan))


def container(tmp_path: Path, service: str, state: str = "running", digest: str = "") -> dict[str, Any]:
    label = "com.docker.compose"
    labels = {f"{label}.project": "usenet", f"{label}.service": service, f"{label}.config-hash": digest}
    labels[f"{label}.project.working_dir"] = str(tmp_path / "home" / "stack")
    more = {"Names": [f"/usenet-{service}-1"], "Image": "i:1", "Created": 1, "Status": "", "Ports": []}
    return {"Id": service, "Labels": labels, "State": state, **more}


class Engine:
    """An engine with these containers, and a Compose that computes these hashes."""

    def __init__(self, door: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exits: ExitStack) -> None:
        self.containers: list[dict[str, Any]] = []
        exits.enter_context(peers.listening(self._behave, path=door))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{door}")
        told = "".join(f"echo '{name} {digest}'; " for name, digest in HASHES.items())
        program(
            tmp_path / "bin", "docker", f'case "$*" in *"config --hash"*) cat >/dev/null; {told};; *) exit 64;; esac'
        )
        monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))

    def _behave(self, peer: socket.socket) -> None:
        peers.ok(json.dumps(self.containers).encode())(peer)


@pytest.fixture
def engine(socket_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with ExitStack() as exits:
        yield Engine(socket_path, tmp_path, monkeypatch, exits)


def home(tmp_path: Path, written: Decision | None = None) -> Home:
    made = Home(tmp_path / "home")
    if written:
        stack.write(made, written.stack.files, ())
    return made


def test_before_the_first_up_everything_is_new(tmp_path: Path, engine: Engine) -> None:
    wanted = decision()
    found = difference.find(home(tmp_path), wanted)
    lines = len(wanted.stack.files["compose.yaml"].splitlines())
    assert found.text == (f"new: stack/compose.yaml, {lines} lines",)
    assert set(found.missing) == {"sonarr", "prowlarr"}
    assert (found.changed, found.extra, found.unknown, found.same) == ((), (), "", False)


def test_as_planned(tmp_path: Path, engine: Engine) -> None:
    engine.containers = [container(tmp_path, name, digest=digest) for name, digest in HASHES.items()]
    found = difference.find(home(tmp_path, decision()), decision())
    assert found.same, found


def test_each_kind_of_difference(tmp_path: Path, engine: Engine) -> None:
    engine.containers = [
        container(tmp_path, "sonarr", "exited", "hash-2"),
        container(tmp_path, "prowlarr", digest="old"),
        container(tmp_path, "gone"),
    ]
    found = difference.find(home(tmp_path, decision()), decision())
    assert (found.missing, found.changed, found.extra) == (("sonarr",), ("prowlarr",), ("gone",))
    assert not found.same


def test_the_change_of_a_file_is_shown_line_by_line(tmp_path: Path, engine: Engine) -> None:
    engine.containers = [container(tmp_path, name, digest=digest) for name, digest in HASHES.items()]
    found = difference.find(home(tmp_path, decision()), decision(publish="lan"))
    assert found.text[:2] == ("--- stack/compose.yaml (on disk)", "+++ stack/compose.yaml (planned)")
    assert '-        host_ip: "127.0.0.1"' in found.text
    assert '+        host_ip: "0.0.0.0"' in found.text
    assert not any("plan.json" in line for line in found.text)


def test_without_an_engine_the_files_are_still_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    found = difference.find(home(tmp_path, decision()), decision(publish="lan"))
    assert "no container engine answers" in found.unknown
    assert found.text
    assert not found.same


def test_a_compose_that_fails_is_told(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.containers = [container(tmp_path, "sonarr")]
    program(tmp_path / "bin", "docker", "cat >/dev/null; echo 'unknown flag: --hash' >&2; exit 125")
    found = difference.find(home(tmp_path, decision()), decision())
    assert found.unknown == "docker compose config failed: unknown flag: --hash"
