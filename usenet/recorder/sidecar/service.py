"""The life of the process: answer, recover, record, and on SIGTERM finish everything before it goes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from usenet.recorder.errors import RecorderError
from usenet.recorder.sidecar import http
from usenet.recorder.sidecar.auth import Token
from usenet.recorder.sidecar.station import Station
from usenet.recorder.sidecar.wishes import MOST_CAMERAS, Config

log = logging.getLogger("usenet.recorder.service")

LOOK_EVERY = 5.0  # seconds
LEISURE = 50  # a look that takes long is taken seldom
_READERS = 64


def run(station: Station, token: Token, config: Config) -> int:
    """Until SIGTERM or SIGINT; 0 when everything was finished, 1 when not. A second signal ends it at once."""
    return asyncio.run(_Service(station, token, config).run())


class _Service:
    def __init__(self, station: Station, token: Token, config: Config) -> None:
        self._station, self._token, self._config = station, token, config
        self._control = ThreadPoolExecutor(4 * MOST_CAMERAS, "control")
        self._reading = ThreadPoolExecutor(_READERS, "reading")
        self._told = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signal, number)
        app = http.application(self._station, self._token, control=self._control, reading=self._reading)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            work, stopped = asyncio.create_task(self._work()), asyncio.create_task(self._told.wait())
            await asyncio.wait([stopped, work], return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()  # what stopped it
            return await self._close()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        listen = self._config.listen
        try:
            await web.TCPSite(runner, listen.host, listen.port).start()
        except OSError as error:
            raise RecorderError(
                f"{listen.host}:{listen.port} can't be listened at: {error.strerror or error}",
                hint="set listen to a free port of this machine",
                code=5,
            ) from error
        port = next(iter(runner.addresses))[1]
        log.info("listening", extra={"event": "listen", "address": listen.host, "port": port})

    async def _work(self) -> None:
        begun = time.monotonic()
        await self._in_thread(self._station.open)
        log.info("ready", extra={"event": "ready", "seconds": round(time.monotonic() - begun, 3)})
        # A drive that hangs holds this up, and no question, no camera and no signal.
        while not self._told.is_set():
            begun = time.monotonic()
            await self._in_thread(self._station.look)
            pause = max(LOOK_EVERY, LEISURE * (time.monotonic() - begun))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), pause)

    async def _close(self) -> int:
        log.info("stopping", extra={"event": "stopping"})
        begun = time.monotonic()
        closing = self._in_thread(self._station.close)
        try:
            failed = await asyncio.wait_for(asyncio.shield(closing), self._config.grace_seconds)
        except TimeoutError:
            left = ", ".join(post.camera.name for post in self._station.posts.values() if post.recording)
            log.error("not finished in time", extra={"event": "stopped", "cameras": left})
            logging.shutdown()
            os._exit(1)  # a thread that waits for a drive would hold the process up for ever
        log.info("stopped", extra={"event": "stopped", "seconds": round(time.monotonic() - begun, 3)})
        return 1 if failed else 0

    def _signal(self, number: int) -> None:
        if self._told.is_set():
            log.error("told twice, going at once", extra={"event": "stopped", "signal": number})
            logging.shutdown()
            os._exit(128 + number)
        self._told.set()

    def _in_thread(self, do: Callable[[], object]) -> asyncio.Future[object]:
        return asyncio.get_running_loop().run_in_executor(self._control, do)
