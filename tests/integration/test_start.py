"""scripts/start takes this machine to eight real services that answer; a second run changes nothing."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.engine, pytest.mark.slow]

# What each service says to a stranger: the path, the status, and a part of the body.
PAGES = {
    "transmission": ("/transmission/rpc", {401, 409}, b""),
    "sabnzbd": ("/api?mode=version", {200}, b"."),
    "nzbget": ("/", {401}, b""),
    "qbittorrent": ("/", {200, 401, 403}, b""),
    "caddy": ("/health", {200}, b""),
    "prometheus": ("/-/ready", {200}, b"Ready"),
    "node-exporter": ("/metrics", {200}, b"node_memory_MemTotal_bytes"),
}
# Container ports beside the first; each gets a free host port as well.
OTHER_PORTS = {"transmission": (51413,), "qbittorrent": (6881,), "caddy": (8443,)}
SERVICES = (*PAGES, "samba")


@dataclass(frozen=True, slots=True)
class Stack:
    name: str
    home: Path
    ports: dict[str, int]

    def start(self) -> tuple[str, float]:
        """Run scripts/start as a person would; what it printed, and how long it took."""
        command = [ROOT / "scripts/start", "--available", "--images", "build", "--home", self.home]
        begin = time.monotonic()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2400
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout, time.monotonic() - begin

    def containers(self) -> dict[str, tuple[str, str]]:
        """service → id and the time of its start, as the engine says."""
        ids = docker("ps", "-aq", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.name}").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        service = "com.docker.compose.service"
        return {one["Config"]["Labels"][service]: (one["Id"], one["State"]["StartedAt"]) for one in found}

    def files(self) -> dict[str, int]:
        """Every file of ours, and when it was last written; what services write themselves is not ours."""
        ours = (self.home / "usenet.yaml", self.home / ".env", *(self.home / "stack").rglob("*"))
        return {str(file): file.stat().st_mtime_ns for file in ours}


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("start") / "home"
    home.mkdir()
    settings = {
        service: {"port": free_port(), "ports": {inside: free_port() for inside in OTHER_PORTS.get(service, ())}}
        for service in SERVICES
    }
    name = f"test-start-{uuid.uuid4().hex[:8]}"
    text = json.dumps({"version": 1, "name": name, "services": settings}, indent=2)
    (home / "usenet.yaml").write_text(text, encoding="utf-8")  # JSON is YAML
    made = Stack(name, home, {service: one["port"] for service, one in settings.items()})  # type: ignore[misc]
    yield made
    ours = ("-q", "--filter", f"label=com.docker.compose.project={name}")
    for kind, found in (("container", docker("ps", "-a", *ours)), ("network", docker("network", "ls", *ours))):
        if found.split():
            docker(kind, "rm", *(("-f", "-v") if kind == "container" else ()), *found.split())


def page(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def speaks_smb(port: int) -> bool:
    """Whether an SMB 2 server answers: negotiate dialect 2.0.2 (MS-SMB2, 2.2.3) and look at the protocol id."""
    header = b"\xfeSMB" + struct.pack("<HHIHHIIQIIQ16s", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, b"")
    body = struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, b"usenet-test-0000", 0, 0x0202)
    with socket.create_connection(("127.0.0.1", port), 60) as link:
        link.sendall(struct.pack(">I", len(header + body)) + header + body)
        return link.recv(8)[4:] == b"\xfeSMB"


@pytest.mark.timeout(3600)  # eight images are made, where no registry answers
def test_from_a_checkout_to_eight_services_and_nothing_twice(
    stack: Stack, record_property: Callable[[str, object], None]
) -> None:
    said, seconds = stack.start()
    built = said.count("\nbuilding ")
    record_property(f"scripts/start to {len(SERVICES)} healthy services, {built} images built", f"{seconds:.1f} s")

    for service, (path, statuses, part) in PAGES.items():
        status, body = page(stack.ports[service], path)
        assert status in statuses, f"{service}: {status} {body[:200]!r}"
        assert part in body, f"{service}: {body[:200]!r}"
    assert speaks_smb(stack.ports["samba"])
    containers, files = stack.containers(), stack.files()
    assert set(containers) == set(SERVICES)

    said, seconds = stack.start()
    record_property("scripts/start again, nothing to do", f"{seconds:.1f} s")
    assert stack.containers() == containers
    assert stack.files() == files
    assert "now: " not in said
