"""Images come from a registry or out of a file, and a failure says why; on a real engine and a real registry."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests import peers
from tests.integration.conftest import free_port
from usenet.adapters import engine, images, shell
from usenet.domain.errors import SystemFailure, UsageError
from usenet.domain.pulls import Why

pytestmark = [pytest.mark.engine]


def docker(*words: str, text: str | None = None) -> str:
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry of our own; the engine takes loopback addresses without TLS."""
    if not shell.found("docker-registry"):
        pytest.skip("there is no docker-registry on PATH")
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    command = [shell.found("docker-registry"), "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _until_it_listens(port)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def _until_it_listens(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the registry does not listen")


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[str]:
    """A reference of an image of some bytes that nothing else has."""
    reference = f"usenet/hb-{uuid.uuid4().hex[:8]}:1"
    (tmp_path / "content").write_bytes(os.urandom(2**20))
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "tiny.tar", "content"], check=True)
    docker("import", str(tmp_path / "tiny.tar"), reference)
    yield reference
    subprocess.run(["docker", "rmi", "--force", reference], capture_output=True, timeout=60)


def test_an_image_is_pulled_from_a_registry_that_answers(registry: str, tiny: str) -> None:
    there = f"{registry}/hb/thing:1"
    docker("tag", tiny, there)
    docker("push", "--quiet", there)
    docker("rmi", there)
    assert there not in engine.images()
    assert images.reachable({registry}) == {registry: True}
    said: list[str] = []
    images.pull(there, said.append)
    assert there in engine.images()
    assert said == [f"pulling {there}"]
    docker("rmi", there)


def test_an_image_that_a_registry_lacks_is_told_from_a_registry_that_is_silent(registry: str) -> None:
    lacking = f"{registry}/hb/nothing:1"
    assert (found := images.pull_or_why(lacking)) is not None
    assert found.why is Why.NOT_FOUND
    with pytest.raises(SystemFailure, match="has no image") as failure:
        images.pull(lacking, str, service="thing")
    assert failure.value.hint.endswith("services.thing.image NAME:TAG")
    with peers.nobody() as port:
        silent = f"127.0.0.1:{port}/hb/thing:1"
        assert (found := images.pull_or_why(silent)) is not None
        assert found.why is Why.UNREACHABLE
        with pytest.raises(SystemFailure, match="does not answer"):
            images.pull(silent, str)


def test_registries_are_asked_together_and_each_once(registry: str) -> None:
    asked: list[str] = []

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server, peers.nobody() as silent:
        Thread(target=server.serve_forever, daemon=True).start()
        wanted = {registry, f"127.0.0.1:{silent}", f"127.0.0.1:{server.server_port}"}
        first = images.reachable(wanted)
        before = len(asked)
        assert before > 0
        assert images.reachable(wanted) == first
        assert len(asked) == before
        server.shutdown()
    assert first[registry]
    assert sum(first.values()) < len(wanted)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', Why.LIMITED),
        (401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', Why.DENIED),
        (403, b'{"errors":[{"code":"DENIED","message":"not for you"}]}', Why.DENIED),
        (503, b"", Why.UNREACHABLE),
    ],
)
def test_what_a_registry_refuses_with_becomes_the_reason(status: int, body: bytes, kind: Why) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v2/" else status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the server looks for this name

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        refusal = images.pull_or_why(f"127.0.0.1:{server.server_port}/hb/thing:1")
        server.shutdown()
    assert refusal is not None
    assert refusal.why is kind


def test_a_saved_file_brings_the_image_back(tiny: str, tmp_path: Path) -> None:
    file = tmp_path / "images.tar"
    before = docker("image", "inspect", "--format", "{{.Id}}", tiny)
    assert images.save([tiny], file) == file.stat().st_size > 2**20
    docker("rmi", tiny)
    assert images.contents(file) == (tiny,)
    assert tiny not in engine.images()
    assert images.load(file) == (tiny,)
    assert docker("image", "inspect", "--format", "{{.Id}}", tiny) == before


def test_a_full_disk_leaves_the_file_of_before_and_nothing_else(tiny: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small filesystem that this needs")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount")
    try:
        file = disk / "images.tar"
        file.write_text("of before")
        with pytest.raises(SystemFailure, match="no space left to write") as failure:
            images.save([tiny], file)
        assert "df -h" in failure.value.hint
        assert file.read_text() == "of before"
        assert [p.name for p in disk.iterdir()] == ["images.tar"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_a_killed_save_left_is_removed_by_the_next(tiny: str, tmp_path: Path) -> None:
    left = tmp_path / ".tmp-.images.tar.usenet-999999999~123"  # more than Linux ever counts to
    living = tmp_path / f".tmp-.images.tar.usenet-{os.getpid()}~123"
    for each in (left, living):
        each.write_text("half")
    images.save([tiny], tmp_path / "images.tar")
    assert (left.exists(), living.exists()) == (False, True)


def test_saving_what_is_not_there_names_it(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"not in the engine's store: usenet/hb-nothing:1"):
        images.save(["usenet/hb-nothing:1"], tmp_path / "images.tar")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b broken", b"\0" * 10240])
def test_a_file_without_images_is_refused_before_the_engine_sees_it(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "images.tar"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="holds no saved images"):
        images.load(file)


def test_a_cut_file_is_refused(tiny: str, tmp_path: Path) -> None:
    file = tmp_path / "images.tar"
    images.save([tiny], file)
    file.write_bytes(file.read_bytes()[: 2**20 // 2])
    with pytest.raises(UsageError, match="holds no saved images"):
        images.load(file)


def test_a_missing_file_and_a_missing_directory_are_named(tiny: str, tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match="can't be read: No such file"):
        images.load(tmp_path / "nothing.tar")
    with pytest.raises(UsageError, match="there is no directory"):
        images.save([tiny], tmp_path / "no" / "images.tar")
