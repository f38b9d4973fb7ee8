"""Download clients halted and set going again by their own interfaces.

What a person halted stays halted: each is asked first what runs, and only that is halted and later resumed. Some do
what they are told a second or two later. Every function raises NoAnswer, and nothing else, where a client does not
answer, refuses, or makes no sense.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from usenet.adapters import late
from usenet.adapters.http import NoAnswer
from usenet.domain.secret import Secret

PATIENCE, LONGEST = 5.0, 15.0  # seconds for each wait, and for an answer as a whole
LARGEST = 64 * 2**20
WHOLE = "downloads"  # stands for everything, in clients that halt as a whole
# What is looked through or moved does not tell whether a person halted it; it does once that is over.
_HALTED = ("paused", "stopped", "checking", "moving")  # how qBittorrent's words for it begin
_GOING = frozenset({3, 4, 5, 6})  # Transmission's numbers: downloads and uploads, and those that wait for their turn


class Refused(NoAnswer):
    """Our key or password is not the client's. Asked again and again, qBittorrent shuts out this whole machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client on this machine; `secret` is its key or password."""

    kind: str
    address: str
    port: int
    secret: Secret


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Ids = Sequence[str]


@dataclass(frozen=True, slots=True)
class _Interface:
    running: Callable[[Client], list[str]]
    halt: Callable[[Client, Ids, bool], None]


def running(client: Client) -> list[str]:
    """What of the client is going now, in its own names; empty where nothing is."""
    with _in_words():
        return _INTERFACES[client.kind].running(client)


def pause(client: Client, ids: Ids) -> None:
    """Halt these; what is halted or gone already is left as it is."""
    with _in_words():
        _INTERFACES[client.kind].halt(client, ids, True)


def resume(client: Client, ids: Ids) -> None:
    """Set these going again; those that are gone are left out."""
    with _in_words():
        _INTERFACES[client.kind].halt(client, ids, False)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as failure:
        raise NoAnswer(getattr(failure, "strerror", None) or str(failure) or type(failure).__name__) from failure
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as nonsense:
        raise NoAnswer("its answer makes no sense") from nonsense


def _send(client: Client, path: str, body: bytes, **headers: str) -> _Reply:
    """One POST; NoAnswer where the client refuses. 409 is given back: it is how Transmission says hello."""
    link = http.client.HTTPConnection(client.address, client.port, timeout=PATIENCE)

    def ask() -> _Reply:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        link.request("POST", path, body, names)
        answer = link.getresponse()
        return _Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read(LARGEST))

    reply = late.within(LONGEST, link, ask)
    if reply.status in (401, 403):
        raise Refused("it refuses our password")
    if reply.status >= 300 and reply.status not in (404, 409):
        raise NoAnswer(f"it answered {reply.status}")
    return reply


def _form(client: Client, path: str, fields: Mapping[str, str], **headers: str) -> _Reply:
    kind = "application/x-www-form-urlencoded"
    return _send(client, path, urlencode(fields).encode(), Content_Type=kind, **headers)


def _json(client: Client, path: str, told: object, **headers: str) -> _Reply:
    return _send(client, path, json.dumps(told).encode(), Content_Type="application/json", **headers)


def _basic(user: str, client: Client) -> str:
    return "Basic " + base64.b64encode(f"{user}:{client.secret.reveal()}".encode()).decode()


def _sabnzbd(client: Client, mode: str, **more: str) -> Any:
    fields = {"mode": mode, "output": "json", "apikey": client.secret.reveal(), **more}
    told = _form(client, "/api", fields).json()
    if told.get("status") is False:
        raise Refused("it refuses our key") if "key" in str(told.get("error", "")).lower() else NoAnswer("it refuses")
    return told


def _sabnzbd_running(client: Client) -> list[str]:
    return [] if _sabnzbd(client, "queue", limit="1")["queue"]["paused"] else [WHOLE]


def _sabnzbd_halt(client: Client, _: Ids, stop: bool) -> None:
    _sabnzbd(client, "pause" if stop else "resume")


def _nzbget(client: Client, method: str) -> Any:
    told = _json(client, "/jsonrpc", {"method": method, "params": []}, Authorization=_basic("nzbget", client)).json()
    return told["result"]


def _nzbget_running(client: Client) -> list[str]:
    return [] if _nzbget(client, "status")["DownloadPaused"] else [WHOLE]


def _nzbget_halt(client: Client, _: Ids, stop: bool) -> None:
    if not _nzbget(client, "pausedownload" if stop else "resumedownload"):
        raise NoAnswer("it refuses")


def _transmission(client: Client, method: str, **arguments: Any) -> Any:
    told = {"method": method, "arguments": arguments}
    who = _basic("transmission", client)
    reply = _json(client, "/transmission/rpc", told, Authorization=who)
    if reply.status == 409:
        session = reply.headers["x-transmission-session-id"]
        reply = _json(client, "/transmission/rpc", told, Authorization=who, X_Transmission_Session_Id=session)
    answer = reply.json()
    if answer["result"] != "success":
        raise NoAnswer("it refuses")
    return answer["arguments"]


def _transmission_running(client: Client) -> list[str]:
    found = _transmission(client, "torrent-get", fields=["hashString", "status"])["torrents"]
    return [one["hashString"] for one in found if one["status"] in _GOING]


def _transmission_halt(client: Client, ids: Ids, stop: bool) -> None:
    # Without any id it would be all of them.
    if ids:
        _transmission(client, "torrent-stop" if stop else "torrent-start", ids=list(ids))


def _qbittorrent(client: Client, path: str, fields: Mapping[str, str]) -> _Reply:
    own = f"http://{client.address}:{client.port}"
    login = {"username": "admin", "password": client.secret.reveal()}
    answer = _form(client, "/api/v2/auth/login", login, Referer=own)
    if answer.body.strip() == b"Fails.":
        raise Refused("it refuses our password")
    cookie = answer.headers.get("set-cookie", "").split(";")[0]
    return _form(client, f"/api/v2/{path}", fields, Referer=own, Cookie=cookie)


def _qbittorrent_running(client: Client) -> list[str]:
    found = _qbittorrent(client, "torrents/info", {}).json()
    return [one["hash"] for one in found if not one["state"].startswith(_HALTED)]


def _qbittorrent_halt(client: Client, ids: Ids, stop: bool) -> None:
    # Version 5 has other words for it than version 4.
    for word in ("stop", "pause") if stop else ("start", "resume"):
        if ids and _qbittorrent(client, f"torrents/{word}", {"hashes": "|".join(ids)}).status != 404:
            return
    if ids:
        raise NoAnswer("it has no word for it")


def _aria2(client: Client, *calls: tuple[Any, ...]) -> list[Any]:
    """The answer to each call: a list of one result, or an error."""
    token = f"token:{client.secret.reveal()}"
    asked = [{"methodName": f"aria2.{name}", "params": [token, *more]} for name, *more in calls]
    told = {"jsonrpc": "2.0", "id": "usenet", "method": "system.multicall", "params": [asked]}
    answers: list[Any] = _json(client, "/jsonrpc", told).json()["result"]
    if any(isinstance(one, dict) and one["message"] == "Unauthorized" for one in answers):
        raise Refused("it refuses our key")
    return answers


def _aria2_running(client: Client) -> list[str]:
    calls = ("tellActive", ["gid"]), ("tellWaiting", 0, 10000, ["gid", "status"])
    active, waiting = (one[0] for one in _aria2(client, *calls))
    return [one["gid"] for one in (*active, *waiting) if one.get("status") != "paused"]


def _aria2_halt(client: Client, ids: Ids, stop: bool) -> None:
    # One that is gone or halted already answers with an error, which is as good.
    _aria2(client, *(("forcePause" if stop else "unpause", gid) for gid in ids))


_INTERFACES = {
    "sabnzbd": _Interface(_sabnzbd_running, _sabnzbd_halt),
    "nzbget": _Interface(_nzbget_running, _nzbget_halt),
    "transmission": _Interface(_transmission_running, _transmission_halt),
    "qbittorrent": _Interface(_qbittorrent_running, _qbittorrent_halt),
    "aria2": _Interface(_aria2_running, _aria2_halt),
}
# Client → the variable of .env that holds its key or password.
SECRETS = {
    "sabnzbd": "SABNZBD_API_KEY",
    "nzbget": "NZBGET_PASSWORD",
    "transmission": "TRANSMISSION_PASSWORD",
    "qbittorrent": "QBITTORRENT_PASSWORD",
    "aria2": "ARIA2_SECRET",
}
