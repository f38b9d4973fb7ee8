"""What is granted of a card arrives in the container; what changed of it since is told, and deploy mends it.

No card is here: mknod makes a render node without a driver. The node, its group and the right to open it are real.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Stack, docker, free_port
from tests.integration.test_hardware_proof import Here
from usenet.actions.hardware import Looking
from usenet.adapters import engine
from usenet.domain.host import Gpu

pytestmark = pytest.mark.engine
GROUP, OTHER = 54321, 54322  # that no distribution uses


@pytest.fixture
def here(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    if os.geteuid():
        pytest.skip("only root makes device nodes")
    stack.service("coder", wants={"encoder": True, "memory": "16M"})
    stack.service("other")
    stack.settings({"coder": {"port": free_port()}, "other": {"port": free_port()}})
    made = Here(stack, tmp_path / "renderD128", capsys)
    give(made, GROUP)
    seen = Looking.host
    monkeypatch.setattr(Looking, "host", lambda self: dataclasses.replace(seen(self), gpus=(made.card,)))
    return made


def node(here: Here) -> str:
    assert here.card.render is not None
    return here.card.render.path


def give(here: Here, group: int) -> None:
    """The node belongs to `group` from now on, on disk and for who looks at the machine."""
    os.chown(node(here), 0, group)
    assert here.card.render is not None
    here.card = dataclasses.replace(here.card, render=dataclasses.replace(here.card.render, gid=group))


def inside(stack: Stack, service: str, script: str) -> str:
    return docker("exec", stack.containers()[service][0], "sh", "-c", script)


def test_node_group_and_the_right_to_open_it_arrive(here: Here) -> None:
    here.run("services", "up")
    path = node(here)
    assert inside(here.stack, "coder", f"stat -c '%F %t:%T %g' {path}") == f"character special file e2:80 {GROUP}"
    assert str(GROUP) in inside(here.stack, "coder", "id -G").split()
    # A driver would answer here; that the kernel asks for one is the right to open it.
    assert "No such device" in inside(here.stack, "coder", f"cat {path} 2>&1 || true")
    assert "Operation not permitted" in inside(
        here.stack, "coder", "mknod /tmp/n c 226 129 2>&1 || cat /tmp/n 2>&1 || true"
    )
    assert str(GROUP) not in inside(here.stack, "other", "id -G").split()
    assert inside(here.stack, "other", f"test -e {path} || echo none") == "none"


def test_a_group_that_changed_is_told_and_deploy_mends_it(here: Here) -> None:
    here.run("services", "up")
    before = here.stack.containers()
    assert "group" not in here.run("services", "status", "coder")
    assert next(f for f in here.json("doctor") if f["about"] == "stack")["state"] == "ok"

    give(here, OTHER)
    words = f"belongs to group {OTHER} now, it was given {GROUP}: usenet deploy"
    assert words in here.run("services", "status", "coder")
    wrong = [f for f in here.json("doctor", code=1) if f["state"] == "wrong"]
    assert [(f["about"], f["cure"]) for f in wrong] == [("stack", "usenet deploy")]
    assert f"were {GROUP}, they are {OTHER} now" in wrong[0]["said"]

    here.run("deploy")
    assert str(OTHER) in inside(here.stack, "coder", "id -G").split()
    assert "group" not in here.run("services", "status", "coder")
    assert here.stack.containers()["other"] == before["other"]


def test_a_card_that_is_gone_is_told_and_deploy_gives_software(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("services", "up")
    Path(node(here)).unlink()
    assert f"{node(here)} of its GPU is gone" in here.run("services", "status", "coder")
    seen = Looking.host
    monkeypatch.setattr(Looking, "host", lambda self: dataclasses.replace(seen(self), gpus=()))
    wrong = [f["said"] for f in here.json("doctor", code=1) if f["about"] == "stack" and f["state"] == "wrong"]
    assert wrong == [f"coder was given the card at {here.card.pci}, would be given no card now"]
    here.run("deploy")
    container = json.loads(docker("inspect", here.stack.containers()["coder"][0]))[0]
    assert not container["HostConfig"]["Devices"]
    assert "GPU" not in here.run("services", "status", "coder")


def supports_cdi() -> bool:
    """Engines from 28.3 on tell the devices of their specs, and those only are granted by CDI."""
    version: dict[str, Any] = engine.request("/version")
    return tuple(map(int, version["ApiVersion"].split("."))) >= (1, 51)


def test_a_card_by_cdi_arrives(stack: Stack, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    if not supports_cdi():
        pytest.skip("this engine does not tell of CDI devices")
    spec = Path("/etc/cdi/usenet-test.json")
    device = {"name": "GPU-usenet-test", "containerEdits": {"env": ["CDI_CAME=yes"]}}
    spec.parent.mkdir(exist_ok=True)
    spec.write_text(json.dumps({"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [device]}))
    try:
        stack.service("coder", wants={"encoder": True, "memory": "16M"})
        stack.settings({"coder": {"port": free_port()}})
        made = Here(stack, tmp_path / "renderD128", capsys)
        made.card = Gpu(pci="0000:01:00.0", vendor="nvidia", id="10de:1", driver="nvidia", uuid="GPU-usenet-test")
        seen = Looking.host
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Looking, "host", lambda self: dataclasses.replace(seen(self), gpus=(made.card,)))
            made.run("services", "up")
        assert inside(stack, "coder", "echo $CDI_CAME") == "yes"
    finally:
        spec.unlink()


def test_an_application_is_told_of_its_card_before_it_starts_and_only_when_that_changes(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.stack.service(
        "coder",
        wants={"encoder": True, "memory": "16M"},
        config={"config": "/config"},
        encoding="config/config/encoding.xml",
    )
    file = here.stack.home / "config/coder/config/config/encoding.xml"
    assert f"tell coder to transcode by vaapi: {file}" in here.run("services", "up", "--dry-run")
    assert not file.exists()
    here.run("services", "up")
    seen = inside(here.stack, "coder", "cat /config/config/encoding.xml")
    assert "<HardwareAccelerationType>vaapi<" in seen
    assert f"<VaapiDevice>{node(here)}<" in seen
    assert file.stat().st_uid == 1000

    off = file.read_text().replace("vaapi</Hard", "none</Hard")  # a person turns it off in the application
    file.write_text(off)
    here.run("services", "up")
    assert file.read_text() == off

    file.write_text(seen)
    looked = Looking.host
    monkeypatch.setattr(Looking, "host", lambda self: dataclasses.replace(looked(self), gpus=()))
    here.run("deploy")
    assert "<HardwareAccelerationType>none<" in file.read_text()
