"""After a power cut or a kill: what is there, held against what was handed in and what was promised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.recorder_crash.player import Playing, play
from usenet.recorder.recover import Report, recover_all

from . import media
from .takes import Camera, Take
from .witness import NEVER, Told, read


@dataclass
class Verdict:
    """`breaches` are sentences. `losses`: by camera, how old the oldest sample was that is lost, in seconds."""

    breaches: list[str] = field(default_factory=list)
    losses: dict[str, float] = field(default_factory=dict)
    allowed: dict[str, float] = field(default_factory=dict)
    finished: int = 0
    recovered: int = 0
    during: list[str] = field(default_factory=list)
    recovery_ms: list[float] = field(default_factory=list)


def judge(take: Take, moment: int, *, power: bool) -> Verdict:
    """`power`: only what was synced must be there, else all that was written. Recovers what it finds."""
    told, verdict = read(Path(take.log)), Verdict()
    verdict.during = told.during(moment)
    for camera in take.cameras:
        verdict.breaches += _files(take, camera, told, moment, power, verdict)
    return verdict


def _files(take: Take, camera: Camera, told: Told, moment: int, power: bool, verdict: Verdict) -> Iterator[str]:
    mine = [path for path in told.segments() if Path(path).parent == Path(camera.directory)]
    due = {path: told.durable(path, moment) if power else told.written(path, NEVER) for path in mine}
    before = {path: play(_content(path)) for path in mine}
    for path in mine:
        yield from _promised(f"{path}, not recovered", before[path], due[path])
        if told.finished.get(path, NEVER) < moment:
            verdict.finished += 1
            complete = told.written(path, NEVER)
            yield from _promised(f"{path}, finished", before[path], complete)
            yield from () if Path(path).exists() else [f"{path} was finished and is not there"]
    reports = recover_all(camera.directory)
    verdict.recovered += sum(report.state == "finished" for report in reports)
    verdict.recovery_ms += [report.ms for report in reports]
    yield from _reported(reports)
    after = {path: play(Path(path).read_bytes()) if Path(path).exists() else {} for path in mine}
    for path in mine:
        yield from _promised(f"{path}, recovered", after[path], due[path])
        yield from _true(f"{path}, recovered", after[path], f"{take.seed} {camera.name}")
        yield from _true(f"{path}, not recovered", before[path], f"{take.seed} {camera.name}", torn=power)
    yield from _strangers(camera, mine)
    yield from _lost(camera, told, after, moment, power, verdict)


def _content(path: str) -> bytes:
    for name in (path, f"{path}.part"):
        if Path(name).exists():
            return Path(name).read_bytes()
    return b""


def _numbers(playing: Playing, track: int) -> list[int]:
    return [media.number_of(shown.data, track) for shown in playing.get(track, [])]


def _promised(where: str, playing: Playing, due: dict[int, int]) -> Iterator[str]:
    for track, last in due.items():
        there = _numbers(playing, track)
        first = there[0] if there else 0
        wanted = set(range(first, last + 1))
        if missing := wanted - set(there):
            yield f"{where}: of track {track} {len(missing)} promised samples are missing, {min(missing)} first"


def _true(where: str, playing: Playing, seed: str, *, torn: bool = False) -> Iterator[str]:
    """Nothing but what was handed in, in its order, at its time. A torn file may end in anything."""
    for track, samples in playing.items():
        last = None
        for shown in samples:
            number = media.number_of(shown.data, track)
            if number < 0 or shown.data != media.data(seed, track, number):
                if not torn:
                    yield f"{where}: track {track} shows bytes that nobody handed in"
                break
            here = shown.dts - number * media.TICKS[track][1]
            if last is not None and (number <= last[0] or here != last[1]):
                yield f"{where}: track {track}: sample {number} after {last[0]} is {here - last[1]} ticks off"
                break
            if shown.sync != media.sample(seed, track, number).sync:
                yield f"{where}: track {track}: sample {number} is no key frame where it was one, or is one"
            last = (number, here)


def _reported(reports: list[Report]) -> Iterator[str]:
    for report in reports:
        if report.state == "kept":
            yield f"{report.path}: recovery gave up: {report.reason}"


def _strangers(camera: Camera, mine: list[str]) -> Iterator[str]:
    left = {str(path) for path in Path(camera.directory).iterdir()} - set(mine)
    if left:
        yield f"after recovery these are left: {sorted(left)}"


def _lost(
    camera: Camera, told: Told, after: dict[str, Playing], moment: int, power: bool, verdict: Verdict
) -> Iterator[str]:
    """The oldest sample that was handed in and is nowhere: its age must be within what the policy allows."""
    age = 0
    for track in media.TICKS:
        kept = {number for playing in after.values() for number in _numbers(playing, track)}
        handed = told.handed.get((camera.name, track), [])
        lost = [when for number, when in enumerate(handed) if when < moment and number not in kept]
        age = max(age, moment - min(lost, default=moment))
    verdict.losses[camera.name] = age / 1e9
    allowed = _allowed(camera, told, moment, power)
    verdict.allowed[camera.name] = allowed
    if age / 1e9 > allowed:
        yield f"{camera.directory}: {age / 1e9:.3f} s were lost, the policy allows {allowed:.3f} s"


def _allowed(camera: Camera, told: Told, moment: int, power: bool) -> float:
    """One chunk; after a power cut one sync interval too. What this machine was late with comes on top."""
    chunk = camera.flush["chunk_ms"] / 1000 + 1 / media.RATE[media.VIDEO]
    stalls = [length for at, length in told.stalls if moment - at < 10**10]
    late = max([0, *stalls]) / 1e9
    if not power:
        return chunk + late
    took = [min(call.ended, moment) - call.begun for call in told.calls.values() if call.begun < moment]
    slow = max((length for length in took), default=0) / 1e9
    return camera.flush["sync_ms"] / 1000 * told.stretch + chunk + late + 2 * slow
