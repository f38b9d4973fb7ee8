"""Looking at this machine and deciding for it: what only the two together can tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import gpu, host
from usenet.actions import plan
from usenet.adapters import sockets
from usenet.adapters.home import Home
from usenet.domain.errors import ConfigError, SystemFailure, ValidationError
from usenet.domain.plan import PortHolder


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens here and no engine answers: what else runs on the machine of the tests is no matter of theirs."""
    monkeypatch.setattr(sockets, "listening", lambda: ())
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def decide(directory: Path, **wishes: object) -> plan.Decision:
    """The plan of one service that is made here, so that no registry is asked."""
    text = {"name": "hx1-planning", "images": "build", "services": {"node-exporter": {"port": 29100}}} | wishes
    (directory / "usenet.yaml").write_text(json.dumps(text))
    return plan.decide(plan.look(Home(directory)))


def test_a_page_is_published_only_where_this_machine_has_the_address(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"203\.0\.113\.9 is no address of this machine; it has .*127\.0\.0\.1"):
        decide(tmp_path, publish="203.0.113.9")
    assert decide(tmp_path).plan.grants["node-exporter"].ports[0].address == "127.0.0.1"


def test_another_machine_may_have_it(tmp_path: Path) -> None:
    saved = Path(__file__).parents[1] / "hosts" / "vm-bare.json"
    text = {"publish": "203.0.113.9", "images": "build", "services": {"node-exporter": {}}}
    (tmp_path / "usenet.yaml").write_text(json.dumps(text))
    found = plan.decide(plan.look(Home(tmp_path), host_file=str(saved))).plan
    assert found.grants["node-exporter"].ports[0].address == "203.0.113.9"


def with_variable(value: str) -> dict[str, object]:
    return {"services": {"node-exporter": {"port": 29100, "environment": {"API_KEY": value}}}}


@pytest.mark.parametrize("env", [None, "", "OTHER=x\n", "FOO=\n", "# FOO=x\n"])
def test_a_variable_that_is_not_in_env_is_named_before_anything_is_done(tmp_path: Path, env: str | None) -> None:
    if env is not None:
        (tmp_path / ".env").write_text(env)
    with pytest.raises(ConfigError, match="FOO must be filled in by you: node-exporter can't run without") as caught:
        decide(tmp_path, **with_variable("${FOO}"))
    assert (caught.value.where, caught.value.code) == (".env", 4)
    assert caught.value.hint == f"add a line FOO=VALUE to {tmp_path}/.env"


def test_a_variable_that_is_in_env_is_referred_to_and_never_written(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FOO=hunter22\n")
    made = decide(tmp_path, **with_variable("${FOO}")).stack.files
    assert "${FOO:?" in made["compose.yaml"]
    assert "hunter22" not in "".join(made.values())


def test_a_variable_that_the_plan_makes_need_not_be_there_yet(tmp_path: Path) -> None:
    services = {"nzbget": {"port": 26789}, "node-exporter": {"environment": {"API_KEY": "${NZBGET_PASSWORD}"}}}
    assert "${NZBGET_PASSWORD:?" in decide(tmp_path, services=services).stack.files["compose.yaml"]


def test_a_dollar_that_is_no_variable_asks_for_nothing(tmp_path: Path) -> None:
    services = {"node-exporter": {"port": 29100, "environment": {"A": "$FOO", "B": "x${FOO}", "C": "${F-O}"}}}
    assert "$$FOO" in decide(tmp_path, services=services).stack.files["compose.yaml"]


def test_a_card_that_this_user_may_not_ask_stays_who_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = gpu("amd", "0000:03:00.0", driver="amdgpu", encode=("h264", "hevc", "av1"), decode=(), probed_by="vainfo")
    closed = replace(asked, encode=None, decode=None, probed_by="")
    seen = [gpu("intel", driver="i915"), asked]
    monkeypatch.setattr(plan.hardware, "look", lambda _: host(gpus=tuple(seen)))

    def card() -> str:
        made = decide(tmp_path, images="pull", services={"jellyfin": {"port": 29101}})
        for name, text in made.stack.files.items():
            (tmp_path / "stack").mkdir(exist_ok=True)
            (tmp_path / "stack" / name).write_text(text)
        return made.plan.grants["jellyfin"].encoder.gpu

    assert card() == asked.pci
    seen[1] = closed
    assert [card(), card()] == [asked.pci] * 2
    (tmp_path / "stack/plan.json").unlink()
    assert card() == seen[0].pci  # what was not written is not known


def test_without_an_engine_that_is_said_before_a_port_that_its_own_container_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = PortHolder(port=29100, protocol="tcp", owner="docker-proxy (process 31301)")
    monkeypatch.setattr(sockets, "listening", lambda: (held,))
    with pytest.raises(SystemFailure, match=r"(?i)engine.*29100/tcp for node-exporter is held") as caught:
        decide(tmp_path)
    assert "free port" not in caught.value.hint
    assert caught.value.hint
