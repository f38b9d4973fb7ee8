"""After a power cut or a kill: what is there, held against what was handed in and what was promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.recorder_crash.player import Playing, play
from usenet.recorder.recovery import recover_all

from . import media
from .takes import Camera, Take
from .witness import NEVER, Told, read


@dataclass
class Verdict:
    """`breaches` are sentences. `losses`, `allowed` (seconds) and `policies` are by camera.

    After a power cut it is the age of the oldest sample that is lost, after a kill how much is lost.
    """

    breaches: list[str] = field(default_factory=list)
    kept: dict[tuple[str, int], set[int]] = field(default_factory=dict)  # by camera and track
    losses: dict[str, float] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, float] = field(default_factory=dict)
    finished: int = 0
    recovered: int = 0
    during: list[str] = field(default_factory=list)
    recovery_ms: list[float] = field(default_factory=list)


def judge(take: Take, moment: int, *, power: bool, live: bool = True) -> Verdict:
    """`power`: only what was synced must be there, else all that was written. Recovers what it finds.

    `live`: the samples came as time went by, so the age of what is lost counts.
    """
    told, verdict = read(Path(take.log)), Verdict()
    verdict.during = told.during(moment)
    for camera in take.cameras:
        one = _Camera(camera, f"{take.seed} {camera.name}", told, moment, power, verdict)
        verdict.breaches += one.files()
        verdict.breaches += one.lost() if live else ()
    return verdict


@dataclass
class _Camera:
    """What one camera has left, before and after it is recovered."""

    camera: Camera
    seed: str
    told: Told
    moment: int
    power: bool
    verdict: Verdict

    def files(self) -> Iterator[str]:
        told, folder = self.told, Path(self.camera.directory)
        mine = [path for path in told.segments() if Path(path).parent == folder]
        due = {path: told.durable(path, self.moment) if self.power else told.written(path, NEVER) for path in mine}
        for path in mine:
            before = play(_content(path))
            yield from _promised(f"{path}, not recovered", before, due[path])
            yield from _true(f"{path}, not recovered", before, self.seed, torn=self.power)
            yield from self._complete(path, before)
        yield from self._recovered(folder)
        for path in mine:
            after = play(Path(path).read_bytes()) if Path(path).exists() else {}
            yield from _promised(f"{path}, recovered", after, due[path])
            yield from _true(f"{path}, recovered", after, self.seed)
            for track in media.TICKS:
                self.verdict.kept.setdefault((self.camera.name, track), set()).update(_numbers(after, track))
        left = {str(path) for path in folder.iterdir()} - set(mine)
        yield from [f"after recovery these are left: {sorted(left)}"] if left else []

    def _complete(self, path: str, before: Playing) -> Iterator[str]:
        """A file that was told to be finished is."""
        if self.told.finished.get(path, NEVER) < self.moment:
            self.verdict.finished += 1
            yield from _promised(f"{path}, finished", before, self.told.written(path, NEVER))
            yield from () if Path(path).exists() else [f"{path} was finished and is not there"]

    def _recovered(self, folder: Path) -> Iterator[str]:
        for report in recover_all(folder):
            self.verdict.recovered += report.state == "finished"
            self.verdict.recovery_ms.append(report.ms)
            if report.state == "kept":
                yield f"{report.path}: recovery gave up: {report.reason}"

    def lost(self) -> Iterator[str]:
        """What was handed in and is nowhere must be within what the policy allows."""
        name, most, oldest = self.camera.name, 0.0, self.moment
        for track in media.TICKS:
            kept = self.verdict.kept.get((name, track), set())
            handed = self.told.handed.get((name, track), [])
            lost = [when for number, when in enumerate(handed) if when < self.moment and number not in kept]
            oldest = min([oldest, *lost])
            most = max(most, (self.moment - oldest) / 1e9 if self.power else len(lost) / media.RATE[track])
        allowed = _allowed(self.camera, self.told, oldest, self.moment) if self.power else _chunk(self.camera)
        self.verdict.losses[name], self.verdict.allowed[name] = most, allowed
        self.verdict.policies[name] = "{cut}, chunk {chunk_ms} ms, sync {sync_ms} ms".format(**self.camera.flush)
        if most > allowed:
            yield f"{self.camera.directory}: {most:.3f} s were lost, the policy allows {allowed:.3f} s"


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


def _chunk(camera: Camera) -> float:
    """The longest unfinished chunk: it ends with the picture that fills it."""
    return camera.flush["chunk_ms"] / 1000 + 1 / media.RATE[media.VIDEO]


def _allowed(camera: Camera, told: Told, oldest: int, moment: int) -> float:
    """One sync interval and one chunk. What the machine itself took since the oldest loss comes on top.

    That is: calls of this camera, however many and slow, nobody scheduled, and standing still at the end.
    """
    calls = [call for call in told.calls.values() if call.begun < moment]
    seen = [when for handed in told.handed.values() for when in handed if when < moment]
    seen += [call.ended if call.ended < moment else call.begun for call in calls]
    spans = [(call.begun, call.ended) for call in calls if call.path.startswith(camera.directory)]
    spans += [*told.stalls, (max(seen, default=moment), moment)]
    return camera.flush["sync_ms"] / 1000 * told.stretch + _chunk(camera) + _covered(spans, oldest, moment) / 1e9


def _covered(spans: Iterable[tuple[int, int]], begun: int, ended: int) -> int:
    """How much of this time lies in one of the spans."""
    covered, upto = 0, begun
    for first, last in sorted(spans):
        more = min(last, ended) - max(first, upto)
        if more > 0:
            covered, upto = covered + more, min(last, ended)
    return covered
