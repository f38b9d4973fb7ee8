"""A rendered file that changes reaches the container that reads it."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Stack, fetch, free_port

pytestmark = pytest.mark.engine

SERVE = 'command: ["busybox", "httpd", "-f", "-p", "8000", "-h", "/srv/www"]'


def fetched(port: int) -> str:
    with fetch(f"http://127.0.0.1:{port}/names") as reply:
        text: str = reply.read().decode()
    return text


def test_another_service_switched_on_is_in_the_file_that_is_served(stack: Stack) -> None:
    port = free_port()
    stack.service("lister", body=SERVE, files={"names": "/srv/www/names"})
    template = stack.home / "services" / "lister" / "names.j2"
    template.parent.mkdir()
    template.write_text("{% for name in plan.grants %}{{ name }} {% endfor %}\n")
    stack.service("other")
    stack.service("third")
    stack.settings({"lister": {"port": port}, "third": {"port": free_port()}})
    stack.run("services", "up")
    assert fetched(port).split() == ["lister", "third"]
    before = stack.containers()
    stack.settings({"lister": {"port": port}, "third": {"port": free_port()}, "other": {"port": free_port()}})
    stack.run("services", "up")
    assert fetched(port).split() == ["lister", "other", "third"]
    after = stack.containers()
    assert after["lister"][0] != before["lister"][0]
    stack.run("services", "up")
    assert stack.containers() == after
