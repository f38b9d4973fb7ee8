"""The configuration as values: what is recorded, where, how much of it is kept, and who may ask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from usenet.recorder.policy import PRESETS, Flush, Recovery

if TYPE_CHECKING:
    from usenet.recorder.upload.targets import Target

MOST_CAMERAS = 32
CAMERA = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
Policy = Literal["refuse", "stop", "evict"]


@dataclass(frozen=True, slots=True)
class Marker:
    """A file on the drive that says which one it is. `id`: its whole text, or, in a JSON file, one of its values."""

    file: Path
    id: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where segments go, each camera's into a directory of its name; without a marker any drive is the right one."""

    directory: Path
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class Protect:
    """Every segment of this camera is protected when it is finished, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One source. Its address is in `url`, or, where it holds a password, in `url_file`: read anew at each start."""

    name: str
    url: str = field(default="", repr=False)
    url_file: Path | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    flush: Flush = PRESETS["default"]
    segment_seconds: int = 900
    segment_bytes: int = 4 << 30
    audio: bool = True
    enabled: bool = True
    protect: Protect | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much the recordings may take: bytes, a share of the drive, and what must stay free; all that are set hold.

    Over it: `refuse` begins no new segment, `stop` also finishes what is being recorded, `evict` deletes the oldest
    finished unprotected segments first; where all of them would not be enough it deletes none and refuses. With
    `uploaded_first`, only those whose copy elsewhere was verified.
    """

    max_bytes: int | None = None
    max_percent: float | None = None
    min_free: int = 256 << 20
    policy: Policy = "refuse"
    uploaded_first: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Uploading:
    """Storages that get a copy of every segment, below `prefix`."""

    targets: tuple[Target, ...] = ()
    prefix: str = ""

    @property
    def names(self) -> list[str]:
        return [target.name for target in self.targets]


@dataclass(frozen=True, slots=True)
class Recovering:
    """What is done with segments that were cut off: by which policy, and for how long before work is accepted."""

    policy: Recovery = "skip"
    seconds: float = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole of it. `fallback`: where segments go while `place` is away or its drive fails."""

    place: Place
    token_file: Path
    fallback: Place | None = None
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    budget: Budget = Budget()
    listen: Listen = Listen("127.0.0.1", 8095)
    recovering: Recovering = Recovering()
    uploading: Uploading = Uploading()
    grace_seconds: float = 25
    log: Literal["json", "text"] = "json"

    @property
    def places(self) -> tuple[Place, ...]:
        return (self.place, self.fallback) if self.fallback else (self.place,)
