"""Download clients that are halted and set going again: only what ran, whatever they answer, and never for ever."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests import peers
from usenet.adapters import download_clients as clients
from usenet.adapters.download_clients import SECRETS, WHOLE, Client, Refused
from usenet.adapters.http import NoAnswer
from usenet.domain.secret import Secret

KEY = "the-key"
Reply = tuple[int, Any, dict[str, str]]


class Peer:
    """A client that two things run in and one is halted; it refuses what the real one would.

    `busy` are looked through or moved, and nobody can tell whether they were halted before.
    """

    def __init__(self) -> None:
        self.halted = {"c"}
        self.busy: set[str] = set()
        self.whole = False
        self.known = {"a", "b", "c"}

    def change(self, names: list[str], *, halt: bool) -> None:
        known = self.known & set(names)
        self.halted = self.halted | known if halt else self.halted - known


class Sabnzbd(Peer):
    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        told = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if path != "/api" or told["output"] != "json":
            return 404, "", {}
        if told["apikey"] != KEY:
            return 200, {"status": False, "error": "API Key Incorrect"}, {}
        if told["mode"] == "queue":
            return 200, {"queue": {"paused": self.whole}}, {}
        self.whole = {"pause": True, "resume": False}[told["mode"]]
        return 200, {"status": True}, {}


def basic(user: str, headers: Any) -> bool:
    return headers["Authorization"] == "Basic " + base64.b64encode(f"{user}:{KEY}".encode()).decode()


class Nzbget(Peer):
    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        if not basic("nzbget", headers):
            return 401, "", {}
        told = json.loads(body)
        if told["method"] == "status":
            return 200, {"version": "1.1", "result": {"DownloadPaused": self.whole}}, {}
        self.whole = {"pausedownload": True, "resumedownload": False}[told["method"]]
        return 200, {"version": "1.1", "result": True}, {}


class Transmission(Peer):
    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        if not basic("transmission", headers):
            return 401, "", {}
        if headers["X-Transmission-Session-Id"] != "session":
            return 409, "", {"X-Transmission-Session-Id": "session"}
        told = json.loads(body)
        if told["method"] == "torrent-get":
            states = {**dict.fromkeys(self.known, 4), **dict.fromkeys(self.halted, 0), **dict.fromkeys(self.busy, 2)}
            found = [{"hashString": n, "status": states[n]} for n in sorted(self.known)]
            return 200, {"result": "success", "arguments": {"torrents": found}}, {}
        # As the real one: none named means all.
        ids = told["arguments"].get("ids") or sorted(self.known)
        self.change(ids, halt={"torrent-stop": True, "torrent-start": False}[told["method"]])
        return 200, {"result": "success", "arguments": {}}, {}


class Qbittorrent(Peer):
    words = {"stop": True, "start": False}
    state = "stoppedUP"

    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        told = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if not headers["Referer"].startswith("http://127.0.0.1:"):
            return 401, "", {}
        if path == "/api/v2/auth/login":
            right = told == {"username": "admin", "password": KEY}
            return 200, "Ok." if right else "Fails.", {"Set-Cookie": "SID=abc; HttpOnly"} if right else {}
        if headers["Cookie"] != "SID=abc":
            return 403, "", {}
        verb = path.removeprefix("/api/v2/torrents/")
        if verb == "info":
            states = {n: self.state if n in self.halted else "uploading" for n in self.known}
            states |= dict.fromkeys(self.busy, "checkingResumeData")
            return 200, [{"hash": n, "state": state} for n, state in states.items()], {}
        if verb not in self.words:
            return 404, "", {}
        self.change(told["hashes"].split("|"), halt=self.words[verb])
        return 200, "", {}


class OldQbittorrent(Qbittorrent):
    words = {"pause": True, "resume": False}
    state = "pausedDL"


class Aria2(Peer):
    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        told = json.loads(body)
        assert told["method"] == "system.multicall"
        (calls,) = told["params"]
        return 200, {"result": [self.call(one["methodName"], *one["params"]) for one in calls]}, {}

    def call(self, method: str, token: str, *words: Any) -> Any:
        if token != f"token:{KEY}":
            return {"code": 1, "message": "Unauthorized"}
        if method == "aria2.tellActive":
            return [[{"gid": "a"}] if "a" not in self.halted else []]
        if method == "aria2.tellWaiting":
            states = {n: "paused" if n in self.halted else "waiting" for n in "bc"}
            return [[{"gid": n, "status": state} for n, state in states.items()]]
        halt = {"aria2.forcePause": True, "aria2.unpause": False}[method]
        (gid,) = words
        if gid not in self.known or (gid in self.halted) == halt:
            return {"code": 1, "message": f"GID {gid} is not found, or it can't be done now"}
        self.change([gid], halt=halt)
        return [gid]


@pytest.fixture
def serve() -> Iterator[Callable[[Any, str, str], Client]]:
    servers: list[ThreadingHTTPServer] = []

    def begin(peer: Any, kind: str, key: str = KEY) -> Client:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, told, headers = peer.answer(self.path, self.headers, body)
                text = (told if isinstance(told, str) else json.dumps(told)).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Client(kind=kind, address="127.0.0.1", port=server.server_port, secret=Secret(key))

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


LISTS = [
    (Transmission, "transmission"),
    (Qbittorrent, "qbittorrent"),
    (OldQbittorrent, "qbittorrent"),
    (Aria2, "aria2"),
]
WHOLES = [(Sabnzbd, "sabnzbd"), (Nzbget, "nzbget")]


@pytest.mark.parametrize(("peer", "kind"), LISTS, ids=lambda one: getattr(one, "__name__", None))
def test_what_a_person_halted_stays_halted(peer, kind, serve) -> None:
    real = peer()
    client = serve(real, kind)
    going = clients.running(client)
    assert sorted(going) == ["a", "b"]
    clients.pause(client, going)
    assert real.halted == {"a", "b", "c"}
    assert clients.running(client) == []
    clients.resume(client, going)
    assert real.halted == {"c"}


@pytest.mark.parametrize(("peer", "kind"), LISTS, ids=lambda one: getattr(one, "__name__", None))
def test_what_is_gone_or_halted_already_stands_in_nobody_s_way(peer, kind, serve) -> None:
    real = peer()
    client = serve(real, kind)
    clients.pause(client, ["a", "b"])
    clients.pause(client, ["a", "b"])
    clients.resume(client, ["a"])
    clients.resume(client, ["gone", "a", "b"])
    assert real.halted == {"c"}


@pytest.mark.parametrize(("peer", "kind"), LISTS[:3], ids=lambda one: getattr(one, "__name__", None))
def test_what_is_looked_through_is_left_alone_until_it_shows_whether_a_person_halted_it(peer, kind, serve) -> None:
    real = peer()
    client = serve(real, kind)
    real.busy = {"a", "c"}
    assert clients.running(client) == ["b"]
    real.busy = set()
    assert sorted(clients.running(client)) == ["a", "b"]


@pytest.mark.parametrize(("peer", "kind"), LISTS, ids=lambda one: getattr(one, "__name__", None))
def test_nothing_named_is_nothing_done(peer, kind, serve) -> None:
    real = peer()
    client = serve(real, kind)
    clients.pause(client, [])
    clients.resume(client, [])
    assert real.halted == {"c"}


@pytest.mark.parametrize(("peer", "kind"), WHOLES, ids=lambda one: getattr(one, "__name__", None))
def test_a_client_that_halts_as_a_whole(peer, kind, serve) -> None:
    real = peer()
    client = serve(real, kind)
    assert clients.running(client) == [WHOLE]
    clients.pause(client, [WHOLE])
    assert real.whole
    assert clients.running(client) == []
    clients.resume(client, [WHOLE])
    assert not real.whole


@pytest.mark.parametrize(("peer", "kind"), LISTS + WHOLES, ids=lambda one: getattr(one, "__name__", None))
def test_a_wrong_key_is_said_without_it(peer, kind, serve) -> None:
    client = serve(peer(), kind, "wrong-secret")
    with pytest.raises(Refused) as refused:
        clients.running(client)
    with pytest.raises(Refused):
        clients.pause(client, ["a"])
    assert "wrong-secret" not in str(refused.value)


class Fixed:
    """Answers everything alike."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        self.reply = status, text, headers

    def answer(self, *_: object) -> Reply:
        return self.reply


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "peer",
    [
        Fixed(200, "<html>"),
        Fixed(200, ""),
        Fixed(200, "[]"),
        Fixed(200, "null"),
        Fixed(200, '{"result": null, "queue": 3, "arguments": []}'),
        Fixed(302, "", Location="http://127.0.0.1:1/"),
        Fixed(409, ""),
        Fixed(429, ""),
        Fixed(500, "{}"),
    ],
    ids=lambda peer: f"{peer.reply[0]}-{peer.reply[1][:8]}",
)
def test_nonsense_is_no_answer(kind, peer, serve) -> None:
    client = serve(peer, kind)
    if kind == "qbittorrent" and peer.reply[1] == "[]":
        assert clients.running(client) == [], "an empty list is what it says"
        return
    with pytest.raises(NoAnswer):
        clients.running(client)


@pytest.mark.parametrize("kind", SECRETS)
def test_who_hangs_or_is_gone_is_no_answer(kind, monkeypatch) -> None:
    monkeypatch.setattr(clients, "PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = Client(kind=kind, address="127.0.0.1", port=silent.getsockname()[1], secret=Secret(KEY))
        with pytest.raises(NoAnswer, match="timed out"):
            clients.running(client)
    with peers.nobody() as port, pytest.raises(NoAnswer, match="refused"):
        clients.pause(replace(client, port=port), ["a"])
