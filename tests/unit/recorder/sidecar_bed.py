"""Recordings that are really ours, cameras that say what a test wants, and a recorder's HTTP side without a process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from tests.unit.recorder.takes import TRACKS, takes
from usenet.recorder.recorder import Recorder, Rotate
from usenet.recorder.sidecar import http
from usenet.recorder.sidecar.asked import NAME, Asked
from usenet.recorder.sidecar.auth import Token
from usenet.recorder.sidecar.keeper import Keeper
from usenet.recorder.sidecar.post import Feed, Post, Report
from usenet.recorder.sidecar.recovery import Recovery
from usenet.recorder.sidecar.station import Station
from usenet.recorder.sidecar.wishes import Budget, Camera, Config, Place, Recovering
from usenet.recorder.tracks import Sample
from usenet.recorder.upload.uploader import Uploads

TOKEN = "a token of a test, long enough"
NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def samples(seconds: float) -> list[Sample]:
    return [Sample(take.track, take.data, take.dts, take.dts + take.cts, take.sync) for take in takes(seconds)]


def clock(at: datetime) -> Callable[[], int]:
    """A wall clock that stands still."""
    return lambda: int(at.timestamp() * 1_000_000_000)


def recorded(place: Path, camera: str, at: datetime = NOON, seconds: float = 2) -> Path:
    """A finished recording of a camera that began at this time."""
    directory = place / camera
    directory.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(directory, TRACKS, clock=clock(at))
    for sample in samples(seconds):
        recorder.write(sample)
    return recorder.close()[0]


def hours(many: float) -> datetime:
    return NOON + timedelta(hours=many)


@dataclass
class Scripted:
    """A feed that records as soon as it is told to, and at once."""

    camera: Camera
    directory: Path
    report: Report = field(default_factory=Report)
    rotated: int = 0
    _recorder: Recorder | None = None

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._recorder = Recorder(self.directory, TRACKS, rotate=Rotate(3600), clock=clock(NOON))
        for sample in samples(2):
            self._recorder.write(sample)
        segment = self._recorder.status.segment
        self.report = Report(connected=True, segment=segment.name if segment else "")

    def stop(self) -> list[Path]:
        assert self._recorder
        self.report = Report()
        return self._recorder.close()

    def rotate(self) -> None:
        self.rotated += 1


def station(
    directory: Path,
    *names: str,
    budget: Budget | None = None,
    feed: Callable[[Camera], Feed] | None = None,
    **more: Any,
) -> Station:
    """A station with these cameras, none of them begun."""
    place = Place(directory, more.pop("marker", None))
    cameras = {name: Camera(name=name, url="rtsp://camera/", enabled=False) for name in names}
    config = Config(place=place, token_file=directory / "token", cameras=cameras, budget=budget or Budget(), **more)
    opened = feed or (lambda camera: Scripted(camera, directory / camera.name))
    keeper = Keeper(place, config.budget, lambda _: False)
    recovery = Recovery((place,), Recovering(), frozenset)
    memory = Asked(config.token_file.with_name(NAME))
    posts = {name: Post(camera, opened, memory.forget) for name, camera in cameras.items()}
    return Station(config, posts, (keeper,), recovery, uploads=Uploads([]), asked=memory, fsync_p99_ms=lambda: 1.5)


def asked(of: Station, do: Callable[[TestClient[Any, Any]], Awaitable[None]], *, ready: bool = True) -> None:
    """Run questions against the HTTP side of a station."""

    async def run() -> None:
        with ThreadPoolExecutor(8) as control, ThreadPoolExecutor(8) as reading:
            app = http.application(of, Token(TOKEN), control=control, reading=reading)
            async with TestClient(TestServer(app), headers={"Authorization": f"Bearer {TOKEN}"}) as client:
                await do(client)

    of.ready = ready
    asyncio.run(run())
