"""The webhook: what it gets, and how one that hangs, drips or refuses is put into words that don't tell its address."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from usenet.adapters import download_clients, late
from usenet.adapters.download_clients import Client
from usenet.adapters.http import NoAnswer
from usenet.adapters.storage import webhook
from usenet.domain.secret import Secret


@contextmanager
def serving(do: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """A server on a port of its own that lets `do` answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            do(self)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_it_gets_json_at_the_path_and_query_of_its_address() -> None:
    got: list[Any] = []

    def hear(request: BaseHTTPRequestHandler) -> None:
        got.append((request.path, json.loads(request.rfile.read(int(request.headers["Content-Length"])))))
        request.send_response(204)
        request.end_headers()

    with serving(hear) as port:
        webhook.post(f"http://127.0.0.1:{port}/hooks/1?wait=true", {"text": "films is löst"})
    assert got == [("/hooks/1?wait=true", {"text": "films is löst"})]


@pytest.mark.parametrize("status", [301, 404, 500])
def test_one_that_refuses_is_told_by_its_status(status: int) -> None:
    def refuse(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()

    with serving(refuse) as port, pytest.raises(NoAnswer, match=f"^answered {status}$"):
        webhook.post(f"http://127.0.0.1:{port}/token", {})


@contextmanager
def dripping(over: threading.Event) -> Iterator[int]:
    """A server whose answer never ends and never lets anybody wait for long, until whoever asked hangs up."""

    def drip(request: BaseHTTPRequestHandler) -> None:
        try:
            request.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
            while not over.wait(0.02):
                request.wfile.write(b"x")
        except OSError:
            over.set()

    with serving(drip) as port:
        try:
            yield port
        finally:
            over.set()


def test_one_that_drips_is_given_up_and_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "LONGEST", 0.3)
    over = threading.Event()
    with dripping(over) as port:
        with pytest.raises(NoAnswer, match=r"^no answer in time$"):
            webhook.post(f"http://127.0.0.1:{port}/token", {})
        assert over.wait(30), "the connection is closed"


def test_a_download_client_that_drips_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_clients, "LONGEST", 0.3)
    with dripping(threading.Event()) as port, pytest.raises(NoAnswer, match="timed out"):
        download_clients.running(Client(kind="nzbget", address="127.0.0.1", port=port, secret=Secret("x")))


def test_a_name_that_nobody_resolves_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def resolve(*_: object, **__: object) -> list[Any]:
        over.wait()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(webhook, "LONGEST", 0.2)
    try:
        with pytest.raises(NoAnswer, match=r"^no answer in time$"):
            webhook.post("http://chat.example/token", {})
    finally:
        over.set()


@pytest.mark.parametrize(
    "address", ["http://to ken", "http://token:99999/", "http://[token", "https://127.0.0.1:1/token"]
)
def test_no_failure_tells_the_address(address: str) -> None:
    with pytest.raises(NoAnswer) as failure:
        webhook.post(address, {})
    assert "token" not in str(failure.value)
    assert "to ken" not in str(failure.value)


def test_what_is_asked_in_time_comes_back_as_it_is() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    link = HTTPConnection("127.0.0.1", 1)
    assert late.within(30, link, lambda: 5) == 5
    with pytest.raises(ValueError, match="wrong"):
        late.within(30, link, fail)
