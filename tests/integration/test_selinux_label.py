"""Compose hands the shared label on to the engine, which sets it where SELinux is on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.integration.conftest import Stack, docker
from usenet.compose import shape
from usenet.domain.plan import Bind, Grant, Plan

pytestmark = pytest.mark.engine


def test_the_label_reaches_the_engine_and_nothing_else_is_lost(stack: Stack, web_image: str, tmp_path: Path) -> None:
    binds = (
        Bind(source=str(tmp_path), target="/own", relabel=True),
        Bind(source=str(tmp_path), target="/tree", relabel=True, read_only=True, propagation="rslave"),
        Bind(source="/sys", target="/host/sys", read_only=True),
    )
    grant = Grant(service="a", title="A", group="other", role="local", image=web_image, binds=binds)
    plan = Plan(
        **{"project": stack.name, "home": "/h", "data": "/d", "uid": 1, "gid": 1, "umask": "002", "timezone": "UTC"},
        grants={"a": grant},
        waves=(("a",),),
    )
    file = tmp_path / "compose.yaml"
    service = json.loads(json.dumps(shape.service(grant, plan, start_interval=False)))
    file.write_text(yaml.safe_dump({"name": stack.name, "services": {"a": {**service, "command": ["true"]}}}))
    docker("compose", "-f", str(file), "create")
    (container,) = (container for container, _ in stack.containers().values())
    made = json.loads(docker("inspect", container))[0]["HostConfig"]
    assert sorted(made["Binds"]) == [f"{tmp_path}:/own:rw,z", f"{tmp_path}:/tree:ro,z,rslave"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in made["Mounts"]] == [("/sys", "/host/sys", True)]
