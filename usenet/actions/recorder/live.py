"""Recording one source into one file, and asking the stack's recorder how it goes."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usenet.actions.places import Home
from usenet.actions.recorder import a_new_file, files, needed, told
from usenet.actions.recorder.taking import Taking
from usenet.actions.services import EVERYWHERE
from usenet.adapters import stack
from usenet.adapters.rest import Api, Failure
from usenet.domain.errors import AS_ROOT, ConfigError, Interrupted, SystemFailure, UsageError, ValidationError
from usenet.domain.secret import Secret
from usenet.recorder.errors import RecorderError, Unreachable
from usenet.recorder.policy import PRESETS
from usenet.recorder.recorder import Recorder, RecorderStatus, Rotate
from usenet.recorder.sidecar import config as sidecar
from usenet.recorder.sources.address import Address
from usenet.recorder.sources.avsource import AvSource, Wishes
from usenet.recorder.sources.camera import Camera, CameraStatus, gathering
from usenet.recorder.tracks import Track

SERVICE = "recorder"
PORT = 8095
_LONGEST = 30 * 24 * 3600
_PLANNED = 3600  # seconds: a longer recording has its moov at the end
_TRIES = 3  # until something came for the first time
_TICK = 0.1
_LOOK = "see whether the camera is on, and whether its address is right"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is recorded and how. `seconds` None: until the source ends or somebody stops it."""

    url: str
    out: Path
    seconds: float | None = None
    preset: str = "default"
    transport: str = "tcp"


@dataclass(frozen=True, slots=True)
class Now:
    """How it goes: of the source, and of what is written."""

    camera: CameraStatus
    recorder: RecorderStatus | None


def record(wish: Wish, tell: Callable[[Now], None], finishing: Callable[[], None] = lambda: None) -> list[Path]:
    """Record until the end of the source, of the time, or Ctrl-C; the finished files, in order.

    `finishing` is called before they are finished, unless Ctrl-C asked for that.

    The first has the name that was asked for; others follow where the source changed its settings or was away for
    long. UsageError for a name that is taken; SystemFailure where nothing came. Interrupted by a second Ctrl-C: what
    is not finished is left as a kill would leave it, if nobody waits for the thread that finishes it.
    """
    check(wish)
    needed("av")
    with told():
        return _Recording(wish).run(tell, finishing)


def shown(url: str) -> str:
    """An address without what is secret in it."""
    return str(Address(url))


def check(wish: Wish) -> None:
    """UsageError where it can't be met, whatever the source says."""
    if wish.preset not in PRESETS:
        raise UsageError(f'there is no preset "{wish.preset}"', hint=f"there are: {', '.join(PRESETS)}")
    if wish.transport not in ("tcp", "udp"):
        raise UsageError(f'there is no transport "{wish.transport}"', hint="there are: tcp, udp")
    if wish.seconds is not None and wish.seconds <= 0:
        raise UsageError("--seconds must be more than 0", hint="leave it out to record until Ctrl-C")
    a_new_file(wish.out)
    if (part := Path(f"{wish.out}.part")).exists():
        if files.is_held(part):
            raise UsageError(f"{part} is being recorded", hint="name another file with --out")
        hint = f"finish it with: usenet recorder recover {wish.out}"
        raise UsageError(f"{part} is there already: a recording that was cut off", hint=hint)


class _Recording:
    """One camera, one recorder, one end."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._recorder: Recorder | None = None
        self._failure: RecorderError | None = None
        self._away: Unreachable | None = None
        self._files: list[Path] = []
        self._begun = 0.0
        self._camera = Camera(
            "record", self._source, self._begin, failed=self._failed, gather=gathering(PRESETS[wish.preset])
        )

    def _source(self) -> Taking:
        wishes = Wishes(transport="udp" if self._wish.transport == "udp" else "tcp")
        return Taking(AvSource(self._wish.url, wishes), self._wish.seconds, self._refused)

    def _begin(self, tracks: Sequence[Track]) -> Recorder:
        out = self._wish.out
        rotate = Rotate(_LONGEST, 1 << 62, self._wish.seconds or _PLANNED)
        self._recorder = Recorder(
            out.parent,
            tracks,
            flush=PRESETS[self._wish.preset],
            rotate=rotate,
            stem=lambda _: out.stem,
            on_started=self._files.append,
        )
        return self._recorder

    def _failed(self, error: RecorderError) -> bool:
        self._failure = error
        return False

    def _refused(self, error: RecorderError) -> bool:
        """One that may answer later, or was there once, is asked again, whatever it says now."""
        if isinstance(error, Unreachable):
            self._away = error
        elif self._recorder is None:
            self._failure = error
        return self._failure is error

    def run(self, tell: Callable[[Now], None], finishing: Callable[[], None]) -> list[Path]:
        try:
            files = self._recorded(tell, finishing)
        except KeyboardInterrupt:
            raise self._unfinished() from None
        if self._failure is not None:
            raise self._failure
        if not files:
            raise self._nothing()
        return files

    def _recorded(self, tell: Callable[[Now], None], finishing: Callable[[], None]) -> list[Path]:
        try:
            self._camera.start()
            # Nothing is joined here: Python 3.11 takes a thread for ended when Ctrl-C interrupts that.
            while (now := self._now()).camera.state != "stopped" and not self._is_over(now):
                tell(now)
                time.sleep(_TICK)
            finishing()
        except KeyboardInterrupt:
            pass  # the usual way to end a recording
        finally:
            self._camera.stop()
            files = self._recorder.close() if self._recorder else []
        return files

    def _unfinished(self) -> Interrupted:
        left = [str(file) for file in self._files if Path(f"{file}.part").exists()]
        if not left:
            return Interrupted("interrupted")
        parts = " and ".join(f"{file}.part" for file in left)
        cure = shlex.join(("usenet", "recorder", "recover", *left))
        hint = f"what was recorded plays in {parts}; finish it with: {cure}"
        return Interrupted(f"not finished yet: {' and '.join(left)}", hint=hint)

    def _nothing(self) -> SystemFailure:
        """Why nothing came, with the cure that the camera told, if it told one."""
        why = self._camera.status.last_error
        hint = self._away.hint if self._away and self._away.message == why else ""
        why = why or f"nothing that could be recorded came from {shown(self._wish.url)}"
        return SystemFailure(why, hint=hint or (_LOOK if Address(self._wish.url).live else ""))

    def _now(self) -> Now:
        return Now(self._camera.status, self._recorder.status if self._recorder else None)

    def _is_over(self, now: Now) -> bool:
        """The time is up; or nothing ever came, and will not."""
        if now.recorder is None or not now.recorder.samples:
            return now.camera.reconnects >= (_TRIES if Address(self._wish.url).live else 1)
        self._begun = self._begun or time.monotonic()
        return bool(self._wish.seconds) and time.monotonic() - self._begun >= (self._wish.seconds or 0)


def serve(config: str) -> int:
    """Record all cameras of a file until told to stop, as the container does; the exit code. Tells by its log."""
    from usenet.recorder.__main__ import main

    with told():
        found = sidecar.load(_file(config))
    s3 = any(target.kind != "azure" for target in found.uploading.targets)
    needed("av", "aiohttp", *(("boto3",) if s3 else ()))
    return main(("--config", config) if config else ())


@dataclass(frozen=True, slots=True)
class Right:
    """A file of cameras that is as it should be."""

    directory: Path
    cameras: tuple[str, ...]


def checked(config: str) -> Right:
    """What a file of cameras says. ConfigError where it is not right: where, what was expected, and the cure."""
    with told():
        found = sidecar.load(_file(config))
    return Right(found.place.directory, tuple(found.cameras))


def _file(config: str) -> Path | None:
    """The file that is meant; None where variables say it all."""
    named = config or os.environ.get(sidecar.VARIABLE, "")
    if not named and not os.environ.get("USENET_RECORDER_DIRECTORY"):
        raise UsageError("no file of cameras is named", hint=f"add: --config FILE, or set {sidecar.VARIABLE}")
    return Path(named) if named else None


def status(home: Home) -> Any:
    """What the stack's recorder says of itself. ValidationError where it isn't part of the stack; Failure in words."""
    rendered = stack.load(home)
    if SERVICE not in rendered.services:
        raise ValidationError("the recorder is not part of this stack", hint="usenet services enable recorder")
    port = next(port for port in rendered.services[SERVICE].ports if port.container == PORT)
    address = "127.0.0.1" if port.address == EVERYWHERE else port.address
    api = Api(SERVICE, f"http://{address}:{port.host}", (_token(home),), field="Authorization", form="Bearer {}")
    try:
        return api.ask("GET", "/status")
    except ConfigError:
        refused = f"the recorder does not take the token in {home.path / 'config' / SERVICE / 'token'}"
        raise ConfigError(refused, hint="it reads it when it starts: usenet services restart recorder") from None
    except Failure as failure:
        if not failure.status:
            failure.hint = "start it with: usenet services up recorder; if it ended: usenet services logs recorder"
        raise


def _token(home: Home) -> Secret:
    path = home.path / "config" / SERVICE / "token"
    try:
        return Secret(path.read_text(encoding="utf-8").strip())
    except PermissionError:
        raise SystemFailure(f"{path} can't be read", hint=AS_ROOT) from None
    except OSError:
        raise SystemFailure(
            f"{path} is not there: the recorder never ran", hint="usenet services up recorder"
        ) from None
