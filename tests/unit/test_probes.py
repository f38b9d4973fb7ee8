"""Healthy means that the service itself answered, and nothing else does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import peers
from usenet.adapters import probes
from usenet.domain.reach import Probe


def http(port: int, **changes: Any) -> Probe:
    return Probe(kind="http", address="127.0.0.1", port=port, path="/ping")._replace(**changes)


@pytest.mark.parametrize(
    ("status", "wanted", "healthy"),
    [
        ("200 OK", (), True),
        ("302 Found", (), True),
        ("399 Odd", (), True),
        ("400 Bad", (), False),
        ("401 Who", (), False),
        ("503 Later", (), False),
        ("409 Conflict", (200, 401, 409), True),
        ("404 Gone", (200, 401, 409), False),
        ("302 Found", (200,), False),
    ],
)
def test_http(status: str, wanted: tuple[int, ...], *, healthy: bool) -> None:
    with peers.listening(peers.ok(b"x", status)) as port:
        told = probes.ask(http(port, status=wanted))
        assert told == ("" if healthy else f"http 127.0.0.1:{port}/ping: answered {status[:3]}")


def test_a_service_that_counts_log_ins_is_asked_otherwise() -> None:
    def picky(peer: socket.socket) -> None:
        asked = peer.recv(4096)
        peer.sendall(b"HTTP/1.1 501 No\r\n\r\n" if asked.startswith(b"OPTIONS /ping ") else b"HTTP/1.1 401 Who\r\n\r\n")

    with peers.listening(picky) as port:
        assert probes.ask(http(port, method="OPTIONS", status=(501,))) == ""


def test_http_that_does_not_answer_says_why() -> None:
    with peers.nobody() as port:
        assert probes.ask(http(port)) == f"http 127.0.0.1:{port}/ping: connection refused"
    with peers.listening(peers.silent) as port:
        assert probes.ask(http(port), timeout=0.2) == f"http 127.0.0.1:{port}/ping: no answer in time"
    with peers.listening(peers.answers("SSH-2.0\r\n")) as port:
        assert "not HTTP" in probes.ask(http(port))


def test_tcp() -> None:
    with peers.listening(peers.silent) as port:
        assert probes.ask(Probe(kind="tcp", port=port)) == ""
    with peers.listening(lambda peer: peer.sendall(b"220 hello\r\n")) as port:
        assert probes.ask(Probe(kind="tcp", port=port)) == ""
    with peers.nobody() as port:
        told = probes.ask(Probe(kind="tcp", port=port))
        assert told.startswith(f"tcp 127.0.0.1:{port}")
        assert "refused" in told


@contextlib.contextmanager
def gone_at_once(monkeypatch: pytest.MonkeyPatch, before: peers.Behaviour = peers.hang_up) -> Iterator[int]:
    """A port where the other side has hung up by the time that connecting to it returns, however busy the machine."""
    gone, connect = threading.Semaphore(0), socket.create_connection

    def behave(peer: socket.socket) -> None:
        before(peer)
        peer.close()
        gone.release()

    def connected(*place: Any) -> socket.socket:
        made = connect(*place)
        assert gone.acquire(timeout=30)
        return made

    monkeypatch.setattr(socket, "create_connection", connected)
    with peers.listening(behave) as port:
        yield port


def test_a_port_proxy_with_nobody_behind_it_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    with gone_at_once(monkeypatch) as port:
        assert probes.ask(Probe(kind="tcp", port=port)) == f"tcp 127.0.0.1:{port}: hung up at once"
        assert probes.ask(http(port)).startswith(f"http 127.0.0.1:{port}/ping: ")


def test_a_peer_that_resets_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with gone_at_once(monkeypatch, reset) as port:
        assert probes.ask(Probe(kind="tcp", port=port)).startswith("tcp 127.0.0.1")


def test_nothing_to_ask_and_nowhere_to_ask() -> None:
    assert probes.ask(Probe(kind="running")) == ""
    assert probes.ask(Probe(kind="tcp", address="", port=1)) == "it has no address yet"


def test_many_at_the_same_time_each_get_their_own_answer() -> None:
    everybody = threading.Barrier(22)  # nobody answers before all are asked

    def together(then: peers.Behaviour) -> peers.Behaviour:
        def behave(peer: socket.socket) -> None:
            everybody.wait(60)
            then(peer)

        return behave

    with contextlib.ExitStack() as stack:
        good = {f"good{n}": stack.enter_context(peers.listening(together(peers.ok()))) for n in range(20)}
        bad = stack.enter_context(peers.listening(together(peers.ok(status="500 No"))))
        rude = stack.enter_context(peers.listening(together(peers.hang_up)))
        asked = {name: http(port) for name, port in good.items()} | {"bad": http(bad), "rude": http(rude)}
        told = probes.Asked(asked, timeout=120).answers()
    assert {name for name, text in told.items() if not text} == {*good}
    assert set(told) == set(asked)
    assert probes.Asked({}).answers() == {}
