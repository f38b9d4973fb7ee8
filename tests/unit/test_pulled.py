"""deploy --available: an image that its registry refuses leaves out that service, and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.saved import TESTS, only_path, program
from usenet.actions import images, plan
from usenet.adapters.home import Home
from usenet.domain.errors import SystemFailure


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def situation(directory: Path) -> plan.Situation:
    text = {"images": "pull", "services": {"radarr": {}, "sonarr": {}}}
    (directory / "usenet.yaml").write_text(json.dumps(text))
    seen = plan.look(Home(directory), host_file=str(TESTS / "hosts/vm-bare.json"))
    return replace(seen, observed=replace(seen.observed, images=frozenset()))


def engine_says(directory: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    refuses = f'case "$*" in *sonarr*) echo "Error response from daemon: {words}" >&2; exit 1;; esac'
    program(directory / "bin", "docker", refuses)
    monkeypatch.setenv("PATH", only_path(directory / "bin"))


@pytest.mark.parametrize("words", ["manifest unknown", "pull access denied", "toomanyrequests: later"])
def test_what_a_registry_refuses_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    engine_says(tmp_path, monkeypatch, words)
    before = situation(tmp_path)
    after = images.pulled(before, plan.decide(before, available=True), lambda _: None)
    found = plan.decide(after, available=True).plan
    assert list(found.grants) == ["radarr"]
    assert [out.service for out in found.left_out] == ["sonarr"]
    assert "sonarr" in found.left_out[0].because
    assert found.grants["radarr"].image in after.observed.images


def test_a_full_disk_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine_says(tmp_path, monkeypatch, "write /x: no space left on device")
    before = situation(tmp_path)
    with pytest.raises(SystemFailure, match="no space left for the image"):
        images.pulled(before, plan.decide(before, available=True), lambda _: None)
