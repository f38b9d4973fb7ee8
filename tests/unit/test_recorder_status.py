"""`usenet recorder status`: the screen that is made of what the recorder really answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.unit.recorder import sidecar_bed
from tests.unit.recorder.sidecar_bed import asked, hours, recorded, station
from tests.unit.test_recorder_cli import anew
from usenet.actions.recorder import live
from usenet.adapters import stack
from usenet.recorder.sidecar.post import Report
from usenet.recorder.sidecar.station import Station

FILE = "20261121T120000.000Z.mp4"
FAR = timedelta(hours=2, minutes=5)


class Told:
    """A feed that says of itself what a test wants."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def start(self) -> None: ...

    def stop(self) -> list[Path]:
        return []

    def rotate(self) -> None: ...


def answer(of: Station, *, ready: bool = True) -> Any:
    """What the recorder's /status says."""
    told: list[Any] = []

    async def do(client: TestClient[Any, Any]) -> None:
        told.append(await (await client.get("/status")).json())

    asked(of, do, ready=ready)
    return told[0]


def screen(told: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setattr(live, "status", lambda _: told)
    assert anew("status") == 0
    return capsys.readouterr().out.splitlines()


def test_each_camera_is_a_row_and_what_is_wrong_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    well = Report(connected=True, segment=FILE, durable_lag_s=0.84, gaps=2, gap_s=95.0)
    feeds = {
        "door": Told(well),
        "garden": Told(replace(well, gaps=0, problem="garden: Connection refused", segment="")),
        "gate": Told(replace(well, held="the drive is full", drops=7)),
        "yard": Told(well),
    }
    made = station(tmp_path, *feeds, feed=lambda camera: feeds[camera.name])
    made.ready = True
    for name in ("door", "garden", "gate"):
        made.start(name, 600 if name == "gate" else None)
    recorded(tmp_path, "door", hours(-1))
    made.look()
    told = answer(made)
    told["cameras"][0]["since"] = (datetime.now(UTC) - FAR).isoformat()
    head, door, garden, gate, yard, *notes = screen(told, monkeypatch, capsys)
    assert head.split("  ")[0] == "camera"
    assert door.split() == ["door", "recording", "2h", "5m", FILE, "0.8", "s", "2,", "1m", "35s", "in", "all"]
    assert garden.split() == ["garden", "away", "0s", "none"]
    assert "held, until " in gate
    assert yard.split() == ["yard", "idle", "none"]
    assert "garden: Connection refused" in notes
    assert "gate: the drive is full" in notes
    assert any(note.startswith("gate: 7 samples") for note in notes)
    assert any(note.startswith(str(tmp_path)) and "(1)" in note for note in notes)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """A stack directory whose recorder is at a port."""

    def at(port: int) -> Path:
        (token := tmp_path / "config" / "recorder" / "token").parent.mkdir(parents=True)
        token.write_text("a-token-as-it-is-made\n")
        ports = (SimpleNamespace(container=live.PORT, address="127.0.0.1", host=port),)
        written = SimpleNamespace(services={live.SERVICE: SimpleNamespace(ports=ports)})
        monkeypatch.setattr(stack, "load", lambda _: written)
        return tmp_path

    return at


@pytest.mark.parametrize(("token", "code"), [("a-token-as-it-is-made", 0), ("another", 4)])
def test_the_recorder_is_asked_with_its_token(
    token: str,
    code: int,
    tmp_path: Path,
    home: Callable[[int], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sidecar_bed, "TOKEN", token)

    async def do(client: TestClient[Any, Any]) -> None:
        words = ("--home", str(home(client.port or 0)))
        assert await asyncio.to_thread(anew, "status", *words) == code

    asked(station(tmp_path, "door"), do)
    out, err = capsys.readouterr()
    assert ("door" in out) == (code == 0)
    assert ("usenet services restart recorder" in err) == (code != 0)


def test_a_recorder_that_is_off_is_told_with_how_to_start_it(
    home: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        assert anew("status", "--home", str(home(nobody.getsockname()[1]))) == 1
    assert "usenet services up recorder" in capsys.readouterr().err


def test_a_recorder_that_is_not_ready_and_a_drive_that_is_away_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(station(tmp_path), ready=False)
    told["places"][0]["error"] = "the drive is not there"
    told["recovery"]["pending"] = 3
    lines = screen(told, monkeypatch, capsys)
    assert lines[0].startswith("not ready: recovering")
    assert "no camera is set up" in lines[1]
    assert f"{tmp_path}: the drive is not there" in lines
    assert any(line.startswith("3 that were cut off") for line in lines)
