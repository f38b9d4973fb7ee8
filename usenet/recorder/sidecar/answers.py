"""Errors as JSON: a code for programs, a message and a cure for people; and what a question may hold."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from usenet.recorder.errors import RecorderError
from usenet.recorder.sidecar.reading import is_number

log = logging.getLogger("usenet.recorder.http")

_LAST = datetime(9999, 12, 31, tzinfo=UTC)


class Refused(RecorderError):
    """A question that can't be answered as it was asked."""

    def __init__(self, status: int, name: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status, self.name = status, name


def told(status: int, code: str, message: str, hint: str = "") -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"code": code, "message": message, "hint": hint}, status=status, headers=headers)


@web.middleware
async def as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Whatever goes wrong is answered in this form; what nobody foresaw is logged with where it happened."""
    try:
        return await handler(request)
    except Refused as error:
        return told(error.status, error.name, error.message, error.hint)
    except RecorderError as error:
        return told(500, "failed", error.message, error.hint)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        hint = "see docs/recorder-sidecar.md" if error.status == 404 else ""
        return told(error.status, error.reason.lower().replace(" ", "_"), error.reason, hint)
    except OSError as error:
        return told(500, "drive", f"the drive answered: {error.strerror or error}", "look at the recorder's log")
    except Exception:
        log.exception("a question failed", extra={"event": "bug", "path": request.path})
        return told(500, "bug", "the recorder failed to answer", "look at its log, and report it")


async def body(request: web.Request) -> dict[str, object]:
    """The JSON object that came with a question; empty where nothing came."""
    text = await request.text()
    if not text.strip():
        return {}
    try:
        found = await request.json()
    except ValueError:
        raise Refused(400, "not_json", "the body is no JSON", hint='send an object: {"duration": 60}') from None
    if not isinstance(found, dict):
        raise Refused(400, "not_json", "the body is no JSON object", hint='send an object: {"duration": 60}')
    return found


def duration(told: dict[str, object]) -> float | None:
    """How many seconds to record, whole or not; None: until it is stopped."""
    if unknown := sorted(set(told) - {"duration"}):
        raise Refused(400, "unknown_key", f"{unknown[0]} means nothing here", hint="known is: duration, in seconds")
    found = told.get("duration")
    if found is None:
        return None
    if not is_number(found) or not 1 <= float(str(found)) <= 86400:
        raise Refused(400, "bad_duration", "duration is a number of seconds from 1 to 86400", hint="leave it out")
    return float(str(found))


def whole(request: web.Request, key: str, default: int, least: int, most: int) -> int:
    """A whole number of the query."""
    text = request.query.get(key, str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise Refused(400, "bad_query", f"{key} is a whole number from {least} to {most}", hint=f"leave {key} out")
    return int(text)


def time(request: web.Request, key: str) -> datetime | None:
    """A time of the query, ISO 8601; without a zone it is UTC."""
    text = request.query.get(key)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # in an address, an unquoted + is a space
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        return min(found, _LAST)
    except (ValueError, OverflowError):
        raise Refused(
            400, "bad_query", f"{key} is a time such as 2026-11-21T17:22:29Z", hint=f"leave {key} out"
        ) from None
