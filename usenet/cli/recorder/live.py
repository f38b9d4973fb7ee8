"""usenet recorder run, record: recording now."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from usenet.cli import console
from usenet.cli.flags import FLAGS
from usenet.cli.recorder import app
from usenet.domain.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from usenet.actions.recorder.live import Now

_PAUSE = 10.0  # seconds


@app.command()
def run(
    config: Annotated[str, typer.Option("--config", help="Its YAML file. Default: $USENET_RECORDER_CONFIG.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Only say whether the file is right.")] = False,
) -> None:
    """Record all cameras of a file until told to stop; it is what the recorder's container does."""
    from usenet.actions.recorder import live

    if check or FLAGS.dry_run:
        right = live.checked(config)
        cameras = ", ".join(right.cameras) or "no camera"
        console.show(right, lambda: console.line(f"the file is right: into {right.directory} goes {cameras}"))
        return
    raise typer.Exit(live.serve(config))


@app.command()
def record(
    url: Annotated[str, typer.Argument(help="rtsp://, rtmp://, http:// … or a file.")],
    out: Annotated[str, typer.Option("--out", "-o", help="The MP4 file to write.")] = "",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Only so much of it. Default: until it ends or Ctrl-C.")
    ] = None,
    flush: Annotated[str, typer.Option("--flush", help="evidence, default, hdd or archive.")] = "default",
    transport: Annotated[str, typer.Option("--transport", help="tcp or udp, for RTSP.")] = "tcp",
) -> None:
    """Record one source into one file until it ends or Ctrl-C. What was written survives a crash."""
    from usenet.actions.recorder import live

    if not out:
        raise UsageError("where to is missing", hint="add: --out FILE.mp4")
    wish = live.Wish(url, Path(out), seconds, flush, transport)
    live.check(wish)
    if FLAGS.dry_run:
        would = {"source": live.shown(url), "out": out}
        console.show(would, lambda: console.line(f"record {would['source']} into {out}"))
        return
    with _ended() as finishing:
        try:
            with _progress() as tell:
                files = live.record(wish, tell, finishing)
        except Interrupted as stop:
            _leave(stop)
    console.show(files, lambda: _files(files))


def _files(files: Sequence[Path]) -> None:
    for file in files:
        console.line(f"{file}: {console.human_bytes(file.stat().st_size)}")


@contextmanager
def _ended() -> Iterator[Callable[[], None]]:
    """A service that is stopped and a terminal that is closed end it as Ctrl-C does: the file is finished.

    Then only a second Ctrl-C is heard, and nothing after it: a terminal that is closed says so more than once. What
    was to be ignored, as with nohup, still is. It gives what to call when the file is being finished anyway: from then
    on the first end changes nothing.
    """
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {ending: old for ending in endings if callable(old := signal.getsignal(ending)) or old == signal.SIG_DFL}
    heard = over = False

    def end(*_: object) -> None:
        nonlocal heard
        again, heard = heard, True
        for ending in before:
            if again or ending != signal.SIGINT:
                signal.signal(ending, signal.SIG_IGN)
        if again or not over:
            raise KeyboardInterrupt

    def finishing() -> None:
        nonlocal over
        over = True

    try:
        for ending in before:
            signal.signal(ending, end)
        yield finishing
    finally:
        for ending, old in before.items():
            signal.signal(ending, old)


def _leave(stop: Interrupted) -> NoReturn:
    """Say it and end, without Python's own tidying: that waits for the thread that still finishes the file."""
    with suppress(OSError):  # where it can't be told, it is as little waited for
        console.error(stop)
        console.flush()
    os._exit(stop.code)


@contextmanager
def _progress() -> Iterator[Callable[[Now], None]]:
    """How it goes: on a terminal one line that changes, else a line at each new state and every ten seconds."""
    if console.on_terminal() and not FLAGS.quiet:
        with console.live() as shown:
            yield lambda now: shown.update(_now(now), refresh=True)
        return
    told, when = "", 0.0

    def tell(now: Now) -> None:
        nonlocal told, when
        state = now.camera.state
        if state != told or time.monotonic() - when > _PAUSE:
            console.say(_now(now))
            told, when = state, time.monotonic()

    yield tell


def _now(now: Now) -> str:
    camera, recorder = now.camera, now.recorder
    if recorder is None or not recorder.samples:
        return f"{camera.state}{': ' if camera.last_error else ''}{camera.last_error}"
    return f"{camera.state}: {console.human_bytes(recorder.bytes)}, {camera.fps:.0f} frames a second"
