"""Stories of a recovery itself: a drive on which a chunk in the middle was lost is recovered, and the power fails."""

from __future__ import annotations

from dataclasses import replace

from usenet.recorder.policy import Recovery
from usenet.recorder.recovery import recover

from .invariants import media
from .memory import MemIO
from .states import Drive
from .workloads import DIRECTORY, Promise, Script, Story, play

SCRIPT = Script("again", chunks=6, per_sync=2, synced=2, audio=True, seal=False)
KINDS: dict[str, tuple[Recovery, int]] = {
    "again-strict": ("strict", 2048),
    "again-align": ("align", 2048),
    "again-skip": ("skip", 2048),
    "again-tail": ("skip", 96),
}
NAMES = tuple(KINDS)
PATH = f"{DIRECTORY}/0.mp4"


def story(name: str, *, sites: bool = False) -> Story:
    """Chunks 1 and 2 are durable, of 3 a sector was lost; 4 to 6 are whole. What a recovery makes of it is true."""
    policy, reserve = KINDS[name]
    told = play(replace(SCRIPT, reserve=reserve))
    files = _damaged(told)
    io = MemIO(files, sites=sites)
    recover(PATH + ".part", policy=policy, io=io)
    got = media(io.files(), told)[PATH]
    durable = {track: len(samples) // 3 for track, samples in told.submitted[PATH].items()}
    promises = [(0, PATH, Promise(durable))]
    made = Story(name, files, io.log, {PATH: got}, told.said, promises, {PATH: got}, policy)
    made.promises.append((len(io.log), PATH, Promise({track: len(samples) for track, samples in got.items()}, True)))
    return made


def _damaged(told: Story) -> dict[str, bytes]:
    """All that was written, but the last sector of the third chunk."""
    drive = Drive({}, 64)
    for op in told.log:
        drive.feed(op)
    files = drive.content(drive.kept())
    part = bytearray(files[PATH + ".part"])
    fourth = [at for at in range(len(part)) if part.startswith(b"moof", at)][3] - 4
    part[fourth - 64 : fourth] = bytes(64)
    return files | {PATH + ".part": bytes(part)}
