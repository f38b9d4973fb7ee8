"""Every verb works on this stack's containers, on all of them, and on no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.conftest import Stack, answers, docker, free_port, two

pytestmark = pytest.mark.engine


def test_a_twin_in_another_directory_can_touch_nothing(stack: Stack, make_stack: Callable[..., Stack]) -> None:
    two(stack)
    stack.run("services", "up")
    stack.run("services", "down")
    twin = make_stack(stack.name)
    two(twin)
    twin.run("services", "up")
    before = twin.containers()
    for words in (("stop",), ("down",), ("restart", "back"), ("exec", "back", "id"), ("logs",), ("up",)):
        done = stack.run("services", *words, code=3)
        assert f"belong to the stack in {twin.home}" in done.stderr
    assert {s["state"] for s in stack.json("services", "status")} == {"absent"}
    assert twin.containers() == before


def test_a_renamed_stack_must_be_taken_down_under_its_old_name_first(stack: Stack) -> None:
    two(stack)
    stack.run("services", "up")
    stack.run("config", "set", "name", f"{stack.name}-new")
    done = stack.run("services", "up", code=3)
    assert f"containers under its old name {stack.name}" in done.stderr
    assert f"docker compose -p {stack.name} down" in done.stderr


def test_the_environment_cannot_send_us_to_another_project(stack: Stack) -> None:
    _, front = two(stack)
    stack.environment |= {"COMPOSE_PROJECT_NAME": "elsewhere", "COMPOSE_FILE": "/nowhere", "DOCKER_CONTEXT": "nowhere"}
    stack.run("services", "up")
    assert set(stack.containers()) == {"back", "front"}
    stack.run("services", "stop", "front")
    assert not answers(front)
    stack.run("services", "down")
    assert stack.containers() == {}


def test_up_by_name_leaves_alone_what_is_as_planned(stack: Stack) -> None:
    two(stack)
    stack.service("later", after=["back"])
    stack.settings({n: {"port": free_port()} for n in ("back", "front", "later")})
    stack.run("services", "up")
    before = stack.containers()
    for name in ("front", "later", "back"):
        stack.run("services", "up", name)
        assert stack.containers() == before
    stack.run("services", "up")
    assert stack.containers() == before


def test_up_by_name_brings_what_it_comes_after(stack: Stack) -> None:
    two(stack)
    assert {s["service"] for s in stack.json("services", "up", "front")["services"]} == {"back", "front"}


def test_what_was_switched_off_goes_at_the_next_up_of_anything(stack: Stack) -> None:
    two(stack)
    stack.run("services", "up")
    stack.run("services", "disable", "front")
    assert "remove front (off)" in stack.run("services", "up", "back", "--dry-run").stdout
    stack.run("services", "up", "back")
    assert set(stack.containers()) == {"back"}


def test_the_last_service_goes_too(stack: Stack) -> None:
    stack.service("only")
    stack.settings({"only": {"port": free_port()}})
    stack.run("services", "up")
    stack.run("services", "disable", "only")
    stack.run("services", "up")
    assert stack.containers() == {}


def test_down_takes_what_is_off_along(stack: Stack) -> None:
    two(stack)
    stack.run("services", "up")
    stack.settings({"back": {"port": free_port()}})
    docker("stop", "-t", "0", stack.containers()["back"][0])
    stack.run("services", "down")
    assert stack.containers() == {}


def test_a_stack_without_its_env_can_still_be_stopped(stack: Stack) -> None:
    stack.service("web", environment={"K": "${K}"}, secrets={"K": "hex32"})
    stack.settings({"web": {"port": free_port()}})
    stack.run("services", "up")
    (stack.home / ".env").rename(stack.home / "lost")
    before = stack.containers()
    stack.run("services", "exec", "web", "true")
    stack.run("services", "stop")
    stack.run("services", "start")
    assert {n: c[0] for n, c in stack.containers().items()} == {n: c[0] for n, c in before.items()}
    stack.run("services", "down")
    assert stack.containers() == {}


def test_a_link_to_the_home_is_the_same_stack(stack: Stack) -> None:
    two(stack)
    stack.run("services", "up")
    link = stack.home.parent / "link"
    link.symlink_to(stack.home)
    linked = Stack(link, stack.name)
    assert {s["health"] for s in linked.json("services", "status")} == {"healthy"}
    linked.run("services", "stop", "front")


def test_settings_that_change_while_it_looks_are_not_overwritten(stack: Stack) -> None:
    """The plan of an older usenet.yaml is not written over a newer one."""
    two(stack)
    script = (
        "from usenet.actions import plan, deploy; from usenet.actions.places import find\n"
        f"home = find({str(stack.home)!r}); s = plan.look(home); d = plan.decide(s)\n"
        "home.settings.write_text(home.settings.read_text() + '\\n# changed\\n')\n"
        "deploy.up(s, d, say=print, watch=print)"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "was changed while this looked at the machine" in done.stderr
    assert not (stack.home / "stack").exists()


def test_on_the_hosts_network_a_second_up_is_no_conflict(stack: Stack) -> None:
    port = free_port()
    stack.service(
        "hosty",
        body=f'command: ["busybox", "httpd", "-f", "-p", "127.0.0.1:{port}", "-h", "/tmp"]',
        ports=[{"container": port}],
        wants={"network": "host", "memory": "16M"},
    )
    stack.settings({"hosty": {}})
    stack.run("services", "up")
    before = stack.containers()
    stack.run("services", "up")
    assert stack.containers() == before
