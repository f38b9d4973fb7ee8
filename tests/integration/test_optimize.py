"""hardware optimize on running containers: the new limits arrive, and only where something differs."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Stack, docker, free_port

pytestmark = pytest.mark.engine


def limit(stack: Stack, service: str) -> tuple[int, float]:
    container = stack.containers()[service][0]
    memory, cpus = docker("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", container).split()
    return int(memory), int(cpus) / 1e9


def test_another_share_reaches_what_runs_and_nothing_else(stack: Stack) -> None:
    stack.service("large", wants={"memory": "1G", "load": "heavy"})
    stack.service("small", wants={"memory": "16M", "load": "light"})
    stack.service("asleep", wants={"memory": "1G", "load": "heavy"})
    stack.settings({name: {"port": free_port()} for name in ("large", "small", "asleep")}, profile="dedicated")
    stack.run("services", "up")
    stack.run("services", "stop", "asleep")
    before, was = stack.containers(), limit(stack, "large")

    told = stack.json("hardware", "optimize", "--profile", "custom", "--share", "0.02", "--dry-run")
    assert told["settings"] == {"profile": "custom", "share": "0.02"}
    assert "custom" not in (stack.home / "usenet.yaml").read_text()
    assert limit(stack, "large") == was

    assert "--yes" in stack.run("hardware", "optimize", "--profile", "light", code=2).stderr  # nobody to ask
    assert limit(stack, "large") == was
    stack.run("hardware", "optimize", "--profile", "custom", "--share", "0.02", "--yes")
    memory, cpus = limit(stack, "large")
    then = {(c["service"], c["what"]): c["then"] for c in told["changes"]}
    assert (memory, cpus) == (then["large", "memory limit"], then["large", "cpus"])
    assert (memory, cpus) < was
    assert ("small", "memory limit") not in then
    after = stack.containers()
    assert "profile: custom" in (stack.home / "usenet.yaml").read_text()
    assert after["large"] != before["large"]
    assert after["asleep"] == before["asleep"]  # what a person stopped stays so

    again = stack.json("hardware", "optimize")
    assert [c for c in again["changes"] if c["service"] != "asleep"] == []
