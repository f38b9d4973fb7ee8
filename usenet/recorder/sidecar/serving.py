"""A recording over HTTP, whole or in part, read by threads: neither a slow client nor a slow drive holds others up."""

from __future__ import annotations

import asyncio
import logging
import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

from aiohttp import web

from usenet.recorder.errors import RecorderError

log = logging.getLogger("usenet.recorder.http")

PIECE = 256 << 10


class View(Protocol):
    """Something with a fixed length that can be read at any place; threads may call it, one at a time."""

    size: int
    tag: str

    def read(self, offset: int, length: int) -> bytes: ...

    def close(self) -> None: ...


class FileView:
    """A finished file. It stays readable when it is deleted meanwhile."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        about = os.fstat(self._handle)
        self.size, self.tag = about.st_size, f'"{about.st_mtime_ns:x}-{about.st_size:x}"'

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._handle, length, offset)

    def close(self) -> None:
        os.close(self._handle)


async def serve(request: web.Request, view: View, pool: Executor) -> web.StreamResponse:
    """The answer to GET and HEAD, with Range (one range) and If-Range. The view is closed when it ends."""
    loop = asyncio.get_running_loop()
    try:
        begin, end, partial = _range(request, view)
        headers = {"Accept-Ranges": "bytes", "ETag": view.tag, "Content-Type": "video/mp4"}
        if begin is None:
            return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{view.size}"})
        if partial:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{view.size}"
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        response.content_length = end - begin
        await response.prepare(request)
        if request.method != "HEAD":
            await _send(request, response, view, pool, range(begin, end))
        return response
    finally:
        await loop.run_in_executor(pool, view.close)


async def _send(request: web.Request, response: web.StreamResponse, view: View, pool: Executor, wanted: range) -> None:
    """The bytes in pieces. Where they can't be had the line is cut, so that the client sees that some are missing."""
    loop, at = asyncio.get_running_loop(), wanted.start
    try:
        while at < wanted.stop:
            piece = await loop.run_in_executor(pool, view.read, at, min(PIECE, wanted.stop - at))
            if not piece:
                raise OSError("the file is shorter than it was")
            await response.write(piece)
            at += len(piece)
    except (OSError, RecorderError) as error:
        if not isinstance(error, ConnectionError):  # who has seen enough hangs up
            log.warning(
                "a recording could not be sent", extra={"event": "cut", "path": request.path, "why": str(error)}
            )
        if request.transport:
            request.transport.abort()


def _range(request: web.Request, view: View) -> tuple[int | None, int, bool]:
    """Where to begin and to end, and whether that is a part; None for a range that the file does not have."""
    unchanged = request.headers.get("If-Range", view.tag) == view.tag
    if "Range" not in request.headers or not unchanged:
        return 0, view.size, False
    try:
        asked = request.http_range
    except ValueError:
        return 0, view.size, False  # several ranges, or none that can be read: the whole file is a right answer
    begin = asked.start if asked.start is not None else 0
    begin = max(0, view.size + begin) if begin < 0 else begin
    end = min(view.size, asked.stop if asked.stop is not None else view.size)
    return (begin, end, True) if begin < end else (None, 0, True)
