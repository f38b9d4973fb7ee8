"""The services verbs against the real engine."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import WEB, Stack, answers, docker, free_port, interrupt, two

pytestmark = pytest.mark.engine

DIES = 'command: ["sh", "-c", "echo the database is locked; exit 3"]'


def files(home: Path) -> dict[str, tuple[int, str]]:
    return {str(p): (p.stat().st_mtime_ns, oct(p.stat().st_mode)) for p in sorted(home.rglob("*")) if p.name != "lock"}


def test_up_starts_in_order_until_healthy_and_neither_we_nor_compose_change_it_again(stack: Stack) -> None:
    back, front = two(stack)
    told = stack.run("services", "up").stdout
    assert told.index("back: healthy") < told.index("front: starting")
    assert "2 of 2 services are healthy" in told
    assert answers(back)
    assert answers(front)
    before = stack.containers(), files(stack.home)
    assert "2 of 2 services are healthy" in stack.run("services", "up").stdout
    assert "Nothing differs" in stack.run("services", "plan").stdout
    docker("compose", "-f", str(stack.home / "stack" / "compose.yaml"), "up", "-d")
    assert (stack.containers(), files(stack.home)) == before


def test_dry_run_changes_nothing_and_prints_the_commands(stack: Stack) -> None:
    two(stack)
    before = files(stack.home)
    told = stack.run("services", "up", "--dry-run").stdout
    assert "write stack/compose.yaml" in told
    assert "docker compose" in told
    assert "wait until healthy: back" in told
    assert files(stack.home) == before
    assert stack.containers() == {}


def test_a_service_that_dies_is_named_with_its_log_and_the_others_run(stack: Stack) -> None:
    stack.service("good")
    stack.service("bad", body=DIES)
    stack.service("child", needs=["bad"])
    stack.service("later", after=["bad"])
    stack.settings({n: {"port": free_port()} for n in ("good", "bad", "child", "later")})
    done = stack.run("services", "up", code=1)
    assert "error: bad: it keeps stopping" in done.stderr
    assert "the database is locked" in done.stderr
    assert "error: child: it needs bad, which is not healthy" in done.stderr
    assert "2 of 4 services are healthy" in done.stdout
    health = {s["service"]: s["health"] for s in stack.json("services", "status")}
    assert (health["good"], health["later"], health["child"]) == ("healthy", "healthy", "stopped")


def test_a_service_that_never_answers_fails_after_its_time(stack: Stack) -> None:
    stack.service("mute", body='command: ["sleep", "600"]', health={"http": "/", "start_period": 600})
    stack.settings({"mute": {"port": free_port()}})
    (result,) = stack.json("services", "up", "--timeout", "2", code=1)["services"]
    assert result["state"] == "failed"
    assert "not healthy after" in result["reason"]
    assert result["url"].startswith("http://localhost:")


def test_secrets_of_env_do_not_reach_logs_of_failures_or_rendered_files(stack: Stack) -> None:
    stack.service(
        "leak",
        body='command: ["sh", "-c", "echo my key is $$LEAK_KEY; exit 1"]',
        environment={"LEAK_KEY": "${LEAK_KEY}"},
        secrets={"LEAK_KEY": "hex32"},
    )
    stack.settings({"leak": {"port": free_port()}})
    done = stack.run("services", "up", code=1)
    env = stack.home / ".env"
    secret = next(line.split("=", 1)[1] for line in env.read_text().splitlines() if line.startswith("LEAK_KEY="))
    assert len(secret) == 32
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert "my key is [redacted]" in done.stderr
    assert secret not in done.stdout + done.stderr
    for path in (stack.home / "stack").rglob("*"):
        assert path.is_symlink() or path.is_dir() or secret not in path.read_text()


def test_status_tells_what_is(stack: Stack) -> None:
    back, _ = two(stack)
    stack.run("services", "up")
    docker("kill", stack.containers()["front"][0])
    back_now, front_now = stack.json("services", "status")
    assert (back_now["state"], back_now["health"], back_now["restarts"]) == ("running", "healthy", 0)
    assert back_now["memory"] > 0
    assert back_now["cpu"] >= 0
    assert back_now["uptime"] >= 0
    assert back_now["ports"] == [f"127.0.0.1:{back}→8000/tcp"]
    assert back_now["page"] == back
    assert back_now["image"] == WEB
    assert (front_now["health"], front_now["memory"]) == ("stopped", None)


def test_health_in_status_is_asked_not_believed(stack: Stack) -> None:
    stack.service("web")
    stack.settings({"web": {"port": free_port()}})
    stack.run("services", "up")
    docker("exec", stack.containers()["web"][0], "sh", "-c", "kill -STOP 1 || true")
    docker("pause", stack.containers()["web"][0])
    (now,) = stack.json("services", "status")
    docker("unpause", stack.containers()["web"][0])
    assert now["health"] != "healthy"


def test_stop_start_restart_down(stack: Stack) -> None:
    back, front = two(stack)
    stack.run("services", "up")
    first = stack.containers()
    stack.run("services", "stop", "front")
    assert (answers(back), answers(front)) == (True, False)
    stack.run("services", "start", "front")
    stack.run("services", "restart", "back")
    again = stack.containers()
    assert {n: c[0] for n, c in again.items()} == {n: c[0] for n, c in first.items()}
    assert again["back"][1] > first["back"][1]
    stack.run("services", "down", "front")
    assert set(stack.containers()) == {"back"}
    assert "there is no container" in stack.run("services", "start", "front", code=3).stderr
    stack.run("services", "down")
    assert stack.containers() == {}
    assert (stack.home / "usenet.yaml").exists()


def test_groups_and_unknown_names(stack: Stack) -> None:
    stack.service("a", group="media")
    stack.service("b", group="download")
    stack.settings({"a": {"port": free_port()}, "b": {"port": free_port()}})
    stack.run("services", "up", "--group", "media")
    assert set(stack.containers()) == {"a"}
    assert "did you mean a" in stack.run("services", "up", "aa", code=3).stderr
    assert "there are: download, media" in stack.run("services", "stop", "--group", "x", code=3).stderr


def test_exec_logs_url(stack: Stack) -> None:
    back, front = two(stack)
    stack.run("services", "up")
    done = stack.run("services", "exec", "back", "sh", "-c", "echo -n $0 --json; exit 7", "inside", code=7)
    assert done.stdout == "inside --json"
    assert stack.json("services", "url") == {
        n: {"url": f"http://localhost:{p}/", "lan": ""} for n, p in (("back", back), ("front", front))
    }
    told = stack.run("services", "logs", "--tail", "5").stdout
    assert "\x1b" not in told
    assert stack.json("services", "logs", "--tail", "5") == {"lines": told.splitlines()}


def test_logs_are_followed_until_ctrl_c_which_says_nothing(stack: Stack) -> None:
    stack.service("talks", body='command: ["sh", "-c", "while :; do echo hello; sleep 0.1; done"]', health={})
    stack.settings({"talks": {"port": free_port()}})
    stack.run("services", "up")
    process = stack.begin("services", "logs", "-f")
    assert process.stdout is not None
    first = process.stdout.readline()
    interrupt(process)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "hello" in first
    assert "\x1b" not in first


def test_disable_removes_the_container_at_the_next_up_and_keeps_files(stack: Stack) -> None:
    two(stack)
    stack.run("services", "up")
    stack.run("services", "disable", "front")
    assert "would be removed: front" in stack.run("services", "plan").stdout
    stack.run("services", "up")
    assert set(stack.containers()) == {"back"}
    stack.run("services", "enable", "front")
    assert "front" in stack.run("services", "up").stdout
    assert set(stack.containers()) == {"back", "front"}


def test_no_verb_touches_what_is_not_ours(stack: Stack, make_stack: Callable[..., Stack]) -> None:
    other = make_stack()
    two(other)
    other.run("services", "up")
    foreign = f"{other.name}-volume"
    docker("volume", "create", "--label", f"com.docker.compose.project={other.name}", foreign)
    before = other.containers()
    two(stack)
    for verb in ("up", "restart", "stop", "start", "down"):
        stack.run("services", verb)
    assert other.containers() == before
    assert docker("volume", "ls", "-q", "--filter", f"name={foreign}") == foreign
    assert docker("network", "ls", "-q", "--filter", f"name={other.name}_default")
    docker("volume", "rm", foreign)


def test_two_stacks_of_one_name_are_refused(stack: Stack, make_stack: Callable[..., Stack]) -> None:
    two(stack)
    stack.run("services", "up")
    twin = make_stack(stack.name)
    two(twin)
    done = twin.run("services", "up", code=3)
    assert f"belong to the stack in {stack.home}" in done.stderr
    assert not (twin.home / "stack").exists()
    assert len(stack.containers()) == 2


def test_plain_compose_runs_the_same_file(stack: Stack, tmp_path: Path) -> None:
    """Without usenet: the same containers, dependents wait for health, and .env is found."""
    stack.service(
        "back", family="linuxserver", body=_answering_curl(), environment={"K": "${K}"}, secrets={"K": "hex32"}
    )
    stack.service("front", needs=["back"])
    stack.settings({"back": {"port": free_port()}, "front": {"port": free_port()}})
    stack.run("services", "up")
    stack.run("services", "down")
    file = stack.home / "stack" / "compose.yaml"
    assert "condition: service_healthy" in file.read_text()
    done = subprocess.run(
        ["docker", "compose", "-f", str(file), "up", "-d"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert set(stack.containers()) == {"back", "front"}
    assert "Nothing differs" in stack.run("services", "plan").stdout


def _answering_curl() -> str:
    # The image has no curl; the healthcheck of the family asks for one.
    make = "printf '#!/bin/sh\\necho 200\\n' >/usr/local/bin/curl; chmod +x /usr/local/bin/curl"
    script = f"{make}; exec busybox httpd -f -p 8000"
    return f"command: {json.dumps(['sh', '-c', script])}"
