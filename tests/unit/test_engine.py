"""The engine's answers, as engines of several ages gave them, replayed by a real server on a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import peers
from tests.saved import only_path, program
from tests.unit.test_files import alone, root_only
from usenet.adapters import compose, engine
from usenet.domain.errors import SystemFailure

Serve = Callable[[Mapping[str, Any]], list[str]]


def labels(service: str, project: str = "usenet") -> dict[str, str]:
    return {
        "com.docker.compose.config-hash": f"hash-of-{service}",
        "com.docker.compose.project": project,
        "com.docker.compose.project.working_dir": "/srv/usenet/stack",
        "com.docker.compose.service": service,
    }


SONARR = {
    "Id": "a" * 64,
    "Names": ["/usenet-sonarr-1"],
    "Image": "lscr.io/linuxserver/sonarr:4.0.19",
    "Created": 1700000000,
    "Ports": [
        {"IP": "127.0.0.1", "PrivatePort": 8989, "PublicPort": 8989, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"},
        {"IP": "::", "PrivatePort": 53, "PublicPort": 5353, "Type": "udp"},
        {"PrivatePort": 9000, "Type": "tcp"},
    ],
    "Labels": labels("sonarr"),
    "State": "running",
    "Status": "Up 3 hours (healthy)",
    "NetworkSettings": {"Networks": {"usenet_default": {"IPAddress": "172.18.0.2"}, "none": {"IPAddress": ""}}},
}
STOPPED = {
    "Id": "b" * 64,
    "Names": ["/usenet-bazarr-1"],
    "Image": "lscr.io/linuxserver/bazarr:1.5.6",
    "Created": 1700000001,
    "Ports": None,
    "Labels": labels("bazarr"),
    "State": "exited",
    "Status": "Exited (137) 2 minutes ago",
    "NetworkSettings": {"Networks": None},
}
STRANGER: dict[str, Any] = {
    "Id": "c" * 64,
    "Names": None,
    "Image": "nginx:1",
    "Created": 1,
    "Ports": [{"IP": "", "PrivatePort": 80, "PublicPort": 80, "Type": "tcp"}],
    "Labels": {},
    "State": "running",
    "Status": "Up 1 second",
}
VERSION = {"Version": "20.10.24+dfsg1", "ApiVersion": "1.41"}
INFO_20 = {
    "CgroupVersion": "1",
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {"path": "runc"}, "io.containerd.runc.v2": {"path": "runc"}},
    "MemoryLimit": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
}
INFO_28 = {
    "CgroupVersion": "2",
    "Driver": "overlayfs",
    "DockerRootDir": "/home/me/.local/share/docker",
    "Runtimes": {"nvidia": {}, "runc": {}},
    "MemoryLimit": False,
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"],
    "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}, {"Source": "other", "ID": "x"}],
}


@pytest.fixture
def serve(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Answers each path with JSON, or with bytes as they are; what was asked is noted. Other paths: 404."""
    with ExitStack() as stack:

        def begin(answers: Mapping[str, Any]) -> list[str]:
            asked: list[str] = []

            def behave(peer: socket.socket) -> None:
                path = unquote(peer.recv(65536).decode().split()[1])
                asked.append(path)
                answer = answers.get(path.split("?")[0], (404, {"message": f"no such thing: {path}"}))
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                peer.sendall(f"HTTP/1.1 {status} x\r\nApi-Version: 1.41\r\n\r\n".encode() + raw)

            stack.enter_context(peers.listening(behave, path=socket_path))
            monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
            return asked

        yield begin


def test_all_containers_in_one_question(serve: Serve) -> None:
    asked = serve({"/containers/json": [SONARR, STOPPED, STRANGER]})
    found = engine.containers()
    assert len(asked) == 1
    assert [c.service for c in found] == ["", "bazarr", "sonarr"]
    sonarr = found[2]
    assert (sonarr.name, sonarr.state, sonarr.status) == ("usenet-sonarr-1", "running", "Up 3 hours (healthy)")
    assert (sonarr.project, sonarr.directory, sonarr.hash) == ("usenet", "/srv/usenet/stack", "hash-of-sonarr")
    assert set(sonarr.ports) == {
        ("127.0.0.1", 8989, 8989, "tcp"),
        ("0.0.0.0", 5353, 53, "udp"),
        ("::", 5353, 53, "udp"),
    }
    assert sonarr.addresses == ("172.18.0.2",)
    assert (found[1].ports, found[1].addresses) == ((), ())
    assert (found[0].name, found[0].ports) == ("?", (("0.0.0.0", 80, 80, "tcp"),))


@pytest.mark.parametrize("name", ["my-stack", 'a"b', "a\\", "a\n", "\ud800"])
def test_only_this_stacks_containers_are_asked_for(name: str, serve: Serve) -> None:
    """Whatever stands in a plan.json that somebody else wrote."""
    asked = serve({"/containers/json": []})
    assert engine.containers(name) == ()
    assert json.loads(asked[0].partition("filters=")[2]) == {"label": [f"com.docker.compose.project={name}"]}
    assert "all=1" in asked[0]


def test_images_have_their_tags(serve: Serve) -> None:
    serve({"/images/json": [{"RepoTags": ["a:1", "b:2"], "Size": 7}, {"RepoTags": None, "Size": 1}, {"Size": 1}]})
    assert engine.images() == {"a:1": 7, "b:2": 7}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (INFO_20, (1, "overlay2", ("io.containerd.runc.v2", "runc"), (), True, False)),
        (INFO_28, (2, "overlayfs", ("nvidia", "runc"), ("nvidia.com/gpu=0",), False, True)),
        ({}, (1, "", (), (), False, False)),
    ],
)
def test_facts(
    serve: Serve, info: dict[str, Any], expected: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "docker", 'test "$*" = "compose version --short" && echo v2.26.1')
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    serve({"/info": info, "/version": VERSION})
    found = engine.facts()
    assert (found.version, found.api, found.compose) == ("20.10.24+dfsg1", "1.41", "2.26.1")
    assert (found.cgroup, found.driver, found.runtimes, found.cdi, found.memory_limit, found.rootless) == expected


def test_without_compose_its_version_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "docker", "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1")
    monkeypatch.setenv("PATH", only_path(tmp_path / "bin"))
    assert compose.version() == ""


def test_the_engines_own_words(serve: Serve) -> None:
    serve({})
    with pytest.raises(SystemFailure, match="the engine refused: no such thing: /containers/x/json"):
        engine.inspect("x")


@pytest.mark.parametrize("body", [b"", b"oops", b"[]", b'{"other": 1}', b"3"])
def test_a_refusal_without_words_tells_its_code(serve: Serve, body: bytes) -> None:
    serve({"/_ping": (503, body)})
    with pytest.raises(SystemFailure, match="the engine refused: code 503"):
        engine.ping()


@pytest.mark.parametrize("raw", [b"", b"SSH-2.0\r\n", b"\0\xff"])
def test_something_else_on_the_socket(raw: bytes, socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    refused = pytest.raises(SystemFailure, match="no container engine answers")
    with peers.listening(peers.answers(raw), path=socket_path), refused as caught:
        engine.containers()
    assert "scripts/start" in caught.value.hint
    assert caught.value.code == 5


@pytest.mark.parametrize("body", [b"3", b'{"a": 1}', b"[null]", b'[{"Id": "4f"}]', b'[{"Id": "4f", "Labels": null}]'])
def test_a_list_of_another_shape_is_no_bug_of_ours(serve: Serve, body: bytes) -> None:
    serve({"/containers/json": body})
    with pytest.raises(SystemFailure, match="makes no sense"):
        engine.containers()


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff\xfe", b'[{"Id": "4f'])
def test_an_engine_that_dies_while_it_speaks(serve: Serve, body: bytes) -> None:
    serve({"/containers/json": body, "/images/json": body, "/info": body, "/version": body})
    for question in (engine.containers, engine.facts):
        with pytest.raises(SystemFailure, match="makes no sense"):
            question()


def test_no_engine(socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    with pytest.raises(SystemFailure, match=r"no container engine answers \(No such file or directory\)"):
        engine.ping()
    assert engine.log_tail("x") == ()


@root_only
def test_a_user_who_may_not(socket_path: Path) -> None:
    with peers.listening(peers.ok(b"OK"), path=socket_path):
        socket_path.chmod(0o600)
        alone("a closed engine", socket_path.parent)


def test_an_engine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with peers.listening(peers.ok(b"OK")) as port:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{port}")
        engine.ping()
    monkeypatch.setenv("DOCKER_HOST", "ssh://me@nas")
    with pytest.raises(SystemFailure, match="DOCKER_HOST=ssh://me@nas is not supported"):
        engine.ping()


def test_how_long_it_runs() -> None:
    assert engine.age({"State": {"StartedAt": "2020-01-01T00:00:00.123456789Z"}}) > 5 * 365 * 86400


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    assert engine.age({"State": {"StartedAt": "2999-01-01T00:00:00Z"}}) == 0


def frame(stream: int, text: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(text).to_bytes(4, "big") + text


def test_the_last_lines_of_a_log(serve: Serve) -> None:
    raw = b"".join(frame(1 + n % 2, f"line {n}\n".encode()) for n in range(20)) + frame(2, b"\xff end")
    asked = serve({"/containers/x/logs": raw})
    assert engine.log_tail("x", 3) == ("line 18", "line 19", "\ufffd end")
    assert "tail=3" in asked[0]


def test_the_log_of_a_container_with_a_terminal_has_no_frames(serve: Serve) -> None:
    serve({"/containers/x/logs": b"plain\r\nwords\r\n"})
    assert engine.log_tail("x") == ("plain", "words")


def test_a_container_that_said_nothing_or_is_gone(serve: Serve) -> None:
    serve({"/containers/x/logs": b""})
    assert engine.log_tail("x") == ()
    assert engine.log_tail("gone") == ()


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.binary(max_size=50)), min_size=1), st.integers(0, 60))
def test_frames_are_taken_off_wherever_the_log_was_cut(pieces: list[tuple[int, bytes]], cut: int) -> None:
    raw = b"".join(frame(*piece) for piece in pieces)
    whole = b"".join(text for _, text in pieces)
    assert engine._unframed(raw) == whole
    if len(raw) - cut >= 8:
        assert whole.startswith(engine._unframed(raw[: len(raw) - cut]))


def test_compose_is_always_called_for_this_file_and_nothing_else(tmp_path: Path) -> None:
    argv = compose.command(tmp_path, "mine", "up", "-d")
    assert argv[:2] == ["docker", "compose"]
    assert argv[argv.index("--project-directory") + 1] == str(tmp_path / "stack")
    assert argv[argv.index("-f") + 1] == str(tmp_path / "stack" / "compose.yaml")
    assert argv[-2:] == ["up", "-d"]
    assert argv[argv.index("--project-name") + 1] == "mine", "whatever COMPOSE_PROJECT_NAME says"
