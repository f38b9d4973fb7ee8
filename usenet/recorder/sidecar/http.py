"""The questions that the recorder answers over HTTP: each is put to the station by a thread, and waits for no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from aiohttp import web

from usenet.recorder.sidecar import answers, metrics, serving
from usenet.recorder.sidecar.answers import Refused
from usenet.recorder.sidecar.auth import Token
from usenet.recorder.sidecar.station import Station

_OPEN = {"/health/live", "/health/ready", "/metrics"}
_LONGEST_BODY = 64 << 10
_CAMERA, _NAME = "{camera:[a-z0-9_-]+}", r"{name:[0-9TZ.-]+\.mp4}"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Result = TypeVar("Result")


def application(station: Station, token: Token, *, control: Executor, reading: Executor) -> web.Application:
    """All routes. `control` has threads for what is done, `reading` those for files that are sent."""
    pages = _Pages(station, control, reading)
    app = web.Application(middlewares=[answers.as_json, _guard(token)], client_max_size=_LONGEST_BODY)
    recording = f"/recordings/{_CAMERA}/{_NAME}"
    app.add_routes(
        [
            web.get("/health/live", pages.live),
            web.get("/health/ready", pages.ready),
            web.get("/metrics", pages.metrics),
            web.get("/status", pages.status),
            web.get("/cameras", pages.cameras),
            web.post(f"/cameras/{_CAMERA}/start", pages.start),
            web.post(f"/cameras/{_CAMERA}/stop", pages.stop),
            web.post(f"/cameras/{_CAMERA}/rotate", pages.rotate),
            web.get("/recordings", pages.recordings),
            web.get(recording, pages.file),
            web.post(f"{recording}/protect", pages.protect),
            web.delete(f"{recording}/protect", pages.release),
        ]
    )
    return app


def _guard(token: Token) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _OPEN and not token.allows(request.headers.get("Authorization", "")):
            raise Refused(401, "unauthorized", "the token is missing or wrong", hint="send: Authorization: Bearer …")
        return await handler(request)

    return guard


class _Pages:
    def __init__(self, station: Station, control: Executor, reading: Executor) -> None:
        self._station, self._control, self._reading = station, control, reading

    async def live(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def ready(self, _: web.Request) -> web.Response:
        if not self._station.ready:
            return answers.told(503, "recovering", self._station.phase, "wait for it")
        return web.json_response({"status": "ready"})

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=metrics.text(self._station.figures()), headers={"Content-Type": metrics.FORM})

    async def status(self, _: web.Request) -> web.Response:
        return web.json_response(self._station.status())

    async def cameras(self, _: web.Request) -> web.Response:
        return web.json_response({"cameras": self._station.cameras()})

    async def start(self, request: web.Request) -> web.Response:
        seconds = answers.duration(await answers.body(request))
        return await self._told(self._station.start, request.match_info["camera"], seconds)

    async def stop(self, request: web.Request) -> web.Response:
        return await self._told(self._station.stop, request.match_info["camera"])

    async def rotate(self, request: web.Request) -> web.Response:
        return await self._told(self._station.rotate, request.match_info["camera"])

    async def recordings(self, request: web.Request) -> web.Response:
        return await self._told(
            self._station.recordings,
            request.query.get("camera"),
            answers.time(request, "since"),
            answers.time(request, "until"),
            answers.whole(request, "limit", 50, 1, 1000),
            answers.whole(request, "offset", 0, 0, 10**9),
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        at = answers.whole(request, "at", 0, 0, 1 << 62) if "at" in request.query else None
        view = await self._in(self._reading, self._station.view, *self._which(request), at)
        if isinstance(view, int):
            raise web.HTTPTemporaryRedirect(f"{request.path}?at={view}", headers={"Cache-Control": "no-store"})
        return await serving.serve(request, view, self._reading)

    async def protect(self, request: web.Request) -> web.Response:
        reason = (await answers.body(request)).get("reason", "")
        if not isinstance(reason, str) or not reason.strip() or len(reason) > 1000:
            raise Refused(400, "bad_reason", "say why it is kept", hint='send: {"reason": "the fence was cut"}')
        return await self._told(self._station.protect, *self._which(request), reason.strip())

    async def release(self, request: web.Request) -> web.Response:
        return await self._told(self._station.release, *self._which(request))

    def _which(self, request: web.Request) -> tuple[str, str]:
        return request.match_info["camera"], request.match_info["name"]

    async def _told(self, ask: Callable[..., object], *about: object) -> web.Response:
        return web.json_response(await self._in(self._control, ask, *about))

    async def _in(self, pool: Executor, ask: Callable[..., Result], *about: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool, ask, *about)
