"""ffmpeg: on this machine, in an image that nothing else runs, or in a container that runs; asked and run."""

from __future__ import annotations

import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from usenet.adapters import shell, together
from usenet.adapters.together import Ran
from usenet.adapters.transcoders import Transcoder
from usenet.domain.errors import SystemFailure
from usenet.domain.hardware import measured
from usenet.domain.hardware.benchmark import Offers

HERE = "this machine"
INSIDE = "/clips"
_DRIVERS = ("LIBVA_", "NVIDIA_")  # of a service's variables, those that its card's driver reads
_ABSENT = (126, 127)  # what engines say when there is no such program
PATIENCE = 60.0  # an engine on a drive that is busy takes half a minute to start a program
STARTING = 5.0  # seconds that an engine may take to start a container
LATE = 124  # as timeout(1) says it
KILLED = (-9, 137)  # by us, as it did not hear Ctrl-C in time; by the engine


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """Where an ffmpeg is run. `image` is empty for this machine's own; `service`: whose image and devices they are.

    `options`: those of `docker run` that give it what the service was granted. `container`: one that runs, in which
    it is run instead, as `user` (empty: the container's own). `card`: the UUID of the one NVIDIA card that this
    machine's own is to see, by NVIDIA's CUDA programming guide; no two cards were there to try it. A container is
    given one.
    """

    program: str = "ffmpeg"
    image: str = ""
    service: str = ""
    options: tuple[str, ...] = ()
    container: str = ""
    user: str = ""
    card: str = ""
    made: list[str] = field(default_factory=list, compare=False)

    @property
    def where(self) -> str:
        return self.image or HERE

    def folder(self, clips: Path) -> str:
        """Where it finds what is in `clips`."""
        return INSIDE if self.image else str(clips)

    def command(self, arguments: Sequence[str], clips: Path | None = None) -> list[str]:
        """The whole command line; in an image each call is a container of its own, without network or rights."""
        if not self.image:
            alone = ("env", f"CUDA_VISIBLE_DEVICES={self.card}") if self.card else ()
            return [*alone, self.program, *arguments]
        if self.container:
            own = ("--user", self.user) if self.user else ()
            return ["docker", "exec", "--interactive", *own, self.container, self.program, *arguments]
        name = f"usenet-ffmpeg-{uuid.uuid4().hex[:12]}"
        self.made.append(name)
        bound = ("--volume", f"{clips}:{INSIDE}:z") if clips else ()
        return [
            *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", name, "--network", "none"),
            *("--user", f"{os.geteuid()}:{os.getegid()}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *(*self.options, *bound, "--entrypoint", self.program, self.image, *arguments),
        ]

    def remove_leftovers(self) -> None:
        """Remove containers that outlived their command; those that ended are gone by themselves. Never raises.

        An engine that does not answer has none to remove, or can't: that takes nobody what was found before.
        """
        if self.made:
            with suppress(SystemFailure):
                shell.run(["docker", "rm", "--force", *self.made], timeout=60)
            self.made.clear()


def in_container(one: Transcoder, program: str, container: str) -> Ffmpeg:
    """The ffmpeg in a service's container, run as the user as whom the service transcodes."""
    told = one.environment
    pairs = ((told.get(f"{start}UID", ""), told.get(f"{start}GID", "")) for start in ("P", "PLEX_"))
    user = one.user or next((f"{uid}:{gid}" for uid, gid in pairs if uid and gid), "")
    return Ffmpeg(program, one.image, one.service, container=container, user=user)


def of_service(one: Transcoder, program: str) -> Ffmpeg:
    """The ffmpeg in a service's image, with the devices, groups and cards that the service was granted."""
    options = [part for path in one.devices for part in ("--device", path)]
    options += [part for gid in one.groups for part in ("--group-add", str(gid))]
    told = {key: value for key, value in one.environment.items() if key.startswith(_DRIVERS)}
    options += [part for key, value in told.items() for part in ("--env", f"{key}={value}")]
    if one.gpus and one.gpus.driver == "cdi":
        options += [part for name in one.gpus.ids for part in ("--device", name)]
    elif one.gpus:
        options += ["--gpus", f'"device={",".join(one.gpus.ids)}","capabilities=gpu,video,compute,utility"']
    return Ffmpeg(program, one.image, one.service, tuple(options))


def offers(ffmpeg: Ffmpeg) -> Offers:
    """What it has, in two questions. SystemFailure where there is none, or it does not answer."""
    said = []
    for what in ("-encoders", "-filters"):
        done = shell.run(ffmpeg.command(["-nostdin", what]), timeout=PATIENCE)
        if done.code in _ABSENT:
            raise SystemFailure(f"there is no {ffmpeg.program} in {ffmpeg.where}")
        if not done.ok:
            raise SystemFailure(f"{ffmpeg.program} in {ffmpeg.where}: {measured.why(done.err or done.out)}")
        said.append(done)
    version = re.search(r"^ffmpeg version (\S+)", said[0].err, re.MULTILINE)
    return Offers(
        version=version[1] if version else "",
        encoders=frozenset(re.findall(r"^ [VASD][A-Z.]{5} (\w\S*) ", said[0].out, re.MULTILINE)),
        filters=frozenset(re.findall(r"^ [A-Z.]{2,3} (\S+) +\S+->", said[1].out, re.MULTILINE)),
    )


def measure(
    ffmpeg: Ffmpeg,
    lines: Sequence[Sequence[str]],
    clips: Path,
    *,
    window: float,
    tick: Callable[[], None],
    settled: int = 1,
) -> tuple[float, tuple[Ran, ...]]:
    """Run endless command lines at the same time; the time counts from when each has done `settled` pictures.

    As long again may pass until then, and twice as long for encoders to write what they hold back.
    """
    commands = [ffmpeg.command(arguments, clips) for arguments in lines]
    start = STARTING if ffmpeg.image else 0.0
    found = together.run(
        commands,
        begun=lambda out: measured.pictures(out) >= settled,
        patience=window + start,
        window=window,
        grace=2 * window + 1,
        tick=tick,
    )
    if all(ran.code not in KILLED for ran in found[1]):  # a killed client leaves its container
        ffmpeg.made.clear()
    return found


def converted(ffmpeg: Ffmpeg, arguments: Sequence[str], data: bytes = b"", *, seconds: float) -> tuple[int, bytes, str]:
    """Run one command line on `data`; its exit code, what it made and what it said. Too late is a failure as well."""
    try:
        return shell.piped(ffmpeg.command(arguments), data, timeout=seconds)
    except SystemFailure:
        return LATE, b"", f"it did not end within {seconds:g} s"


@contextmanager
def clips() -> Iterator[Path]:
    """A directory that only this user can read, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="usenet-clips-") as folder:
        yield Path(folder)
