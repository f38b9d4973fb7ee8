"""A film recorded, and what lies there while it is, when it is finished, and after a crash."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.integration.recorder_films.making import Row, Stream, film, samples, shelf
from tests.waiting import wait
from usenet.recorder.policy import Flush
from usenet.recorder.recorder import Recorder
from usenet.recorder.recovery import recover
from usenet.recorder.tracks import Movie, Sample, Track

BORN = 1_795_282_949_250_000_000  # 2026-11-21T17:42:29.25Z
FLUSH = Flush("time", 200, 100)
MOVIE = Movie(title="Gate, north", location="+48.1371+011.5754/", tags=(("camera", "north"), ("site", "Zürich")))


@dataclass(frozen=True)
class Recording:
    """What was given to a recorder, and the files that came of it."""

    streams: tuple[Stream, ...]
    offered: int  # samples, from the first key frame on
    live: Path
    sealed: Path
    recovered: Path
    without_index: Path


def record(tracks: Sequence[Track], given: Sequence[Sample], folder: Path, movie: Movie = MOVIE) -> Recording:
    """Records, and copies what lies there while it does: once all of it is durable, and before it is finished."""
    clock = iter(range(BORN, BORN + 10**15, 10**6))
    started: list[Path] = []
    recorder = Recorder(folder, tracks, movie=movie, flush=FLUSH, clock=lambda: next(clock), on_started=started.append)
    streams = {track.id: Stream(track) for track in tracks}
    main = next((track.id for track in tracks if track.kind == "video"), tracks[0].id)
    offered = len(given) - next(at for at, sample in enumerate(given) if sample.track == main and sample.sync)
    for sample in given:
        before = recorder.status.samples
        recorder.write(sample)
        if recorder.status.samples > before:
            streams[sample.track].add(sample)
    wait(lambda: recorder.status.durable_lag_s == 0)
    (name,) = started
    for crash in ("crash", "bare"):
        (folder / crash).mkdir()
        for end in (".part", ".index", ".commit"):
            shutil.copy(f"{name}{end}", folder / crash)
    live = Path(shutil.copy(f"{name}.part", folder / "live.mp4"))
    (sealed,) = recorder.close()
    (folder / "bare" / f"{name.name}.index").unlink()
    (folder / "bare" / f"{name.name}.commit").unlink()
    reports = [recover(folder / crash / name.name) for crash in ("crash", "bare")]
    assert [report.state for report in reports] == ["finished", "finished"], reports
    assert [report.index_used for report in reports] == [True, False]
    return Recording(
        tuple(streams.values()), offered, live, sealed, *(report.final for report in reports if report.final)
    )


@functools.cache
def recording(name: str) -> Recording:
    source = film(name)
    folder = shelf() / f"{source.stem}-recorded"
    folder.mkdir()
    return record(*samples(source), folder)


def moved(streams: Sequence[Stream], found: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """What was given, its times moved so that the first stream begins as it was found."""
    first = streams[0]
    by = (found[0][0].dts - first.rows[0].dts) / first.track.timescale
    return [
        [Row(row.dts + shift, row.pts + shift, row.key, row.size, row.sha) for row in stream.rows]
        for stream in streams
        for shift in [round(by * stream.track.timescale)]
    ]
