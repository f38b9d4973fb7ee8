"""The socket proxy's network: reached by the host and by those who want the engine, and by nobody else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.conftest import WEB, Stack, docker, free_port

pytestmark = pytest.mark.engine

# A web server where the socket proxy listens, and the tool that its health check calls.
RECIPE = f"""
FROM {WEB}
RUN mkdir /srv/www && echo pong > /srv/www/_ping \\
 && echo 'exec busybox wget -q -O /dev/null http://127.0.0.1:2375/_ping' > /usr/bin/wget && chmod 755 /usr/bin/wget
ENTRYPOINT ["busybox", "httpd", "-f", "-p", "2375", "-h", "/srv/www"]
"""


@pytest.fixture
def proxied(stack: Stack) -> Iterator[Stack]:
    """A stack with a stand-in for the socket proxy, and two services of which one wants the engine."""
    image = f"usenet-test/proxy:{stack.name}"
    recipe = stack.home.parent / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text(RECIPE)
    docker("build", "-q", "-t", image, str(recipe))
    stack.service("friend", wants={"engine": True, "memory": "16M"})
    stack.service("stranger")
    ports = {name: {"port": free_port()} for name in ("friend", "stranger")}
    stack.settings({**ports, "socket-proxy": {"image": image}})
    yield stack
    for container, _ in stack.containers().values():
        docker("rm", "-f", container)
    docker("rmi", image)


def asked_from(container: str, address: str, patience: int = 60) -> str:
    """What the proxy answers when a container asks it; empty when it can't be reached."""
    ask = ("timeout", str(patience), "busybox", "wget", "-q", "-O", "-", f"http://{address}:2375/_ping")
    done = subprocess.run(["docker", "exec", container, *ask], capture_output=True, text=True, timeout=240)
    return done.stdout.strip()


def test_only_who_wants_the_engine_reaches_the_proxy(proxied: Stack) -> None:
    proxied.run("services", "up")
    healthy = {s["service"]: s["health"] for s in proxied.json("services", "status")}
    assert healthy == dict.fromkeys(("socket-proxy", "friend", "stranger"), "healthy"), "the host reaches all of them"
    before = proxied.containers()
    friend, stranger, proxy = (before[name][0] for name in ("friend", "stranger", "socket-proxy"))
    networks = json.loads(docker("inspect", proxy))[0]["NetworkSettings"]["Networks"]
    (address,) = (network["IPAddress"] for network in networks.values())
    assert asked_from(friend, "socket-proxy") == "pong"
    assert asked_from(friend, address) == "pong"
    assert asked_from(stranger, "socket-proxy", 5) == ""
    assert asked_from(stranger, address, 5) == ""
    proxied.run("services", "up")
    assert proxied.containers() == before


def test_nothing_is_left_of_the_network_after_down(proxied: Stack) -> None:
    proxied.run("services", "up")
    label = f"label=com.docker.compose.project={proxied.name}"
    assert len(docker("network", "ls", "-q", "--filter", label).split()) == 2
    proxied.run("services", "down", "--yes")
    assert docker("network", "ls", "-q", "--filter", label) == ""
