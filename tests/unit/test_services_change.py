"""A verb of Compose that takes its time says at once what it does, and to whom."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from usenet.actions import ours
from usenet.adapters import compose, stack
from usenet.cli import console
from usenet.cli.main import run


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("stop", "stopping: radarr, sonarr; each has 30 s to end by itself"),
        ("restart", "restarting: radarr, sonarr; each has 30 s to end by itself"),
        ("down", "removing: radarr, sonarr; each has 30 s to end by itself"),
        ("start", "starting: radarr, sonarr"),
    ],
)
def test_what_it_does_is_said_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, said: str
) -> None:
    told: list[str] = []
    there = dict.fromkeys(("radarr", "sonarr"), "")
    monkeypatch.setattr(stack, "load", lambda _: SimpleNamespace(project="films"))
    monkeypatch.setattr(ours, "choose", lambda *_: tuple(there))
    monkeypatch.setattr(ours, "require_alone", lambda *_: None)
    monkeypatch.setattr(ours, "containers", lambda *_: there)
    monkeypatch.setattr(compose, "run", lambda *_, **__: told.append("it runs"))
    monkeypatch.setattr(console, "say", told.append)
    assert run(["--home", str(tmp_path), "services", verb]) == 0
    assert told[:2] == [said, "it runs"]
