"""One small question over real sockets: every way in which it is answered, or not."""

from __future__ import annotations

import select
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import peers
from usenet.adapters import http
from usenet.adapters.http import NoAnswer


def ask(port: int, *, whole: bool = True, timeout: float = 30, tls: bool = False) -> http.Answer:
    return http.ask(http.tcp("127.0.0.1", port, tls=tls), "/a?b=c", timeout=timeout, whole=whole)


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "404 Not Found", "500 No", "599"])
def test_status_and_body(status: str) -> None:
    with peers.listening(peers.ok(b'{"a": 1}', status)) as port:
        answer = ask(port)
    assert (answer.status, answer.json()) == (int(status[:3]), {"a": 1})


def test_what_is_asked() -> None:
    heard: list[bytes] = []

    def listen(peer: socket.socket) -> None:
        heard.append(peer.recv(65536))
        peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    with peers.listening(listen) as port:
        assert ask(port).json() is None
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=c HTTP/1.0"
    assert "Host: localhost" in lines
    assert lines[-2:] == ["", ""]


def test_nobody_there() -> None:
    with peers.nobody() as port, pytest.raises(NoAnswer, match="connection refused"):
        ask(port)


def test_an_answer_that_is_cut_in_its_head_is_none() -> None:
    with peers.listening(peers.answers("HTTP/1.0 200 OK\r\nContent-Ty")) as port:
        with pytest.raises(NoAnswer, match="in the middle"):
            ask(port)
        assert ask(port, whole=False).status == 200


def test_too_late() -> None:
    with peers.listening(peers.silent) as port, pytest.raises(NoAnswer, match="no answer in time"):
        ask(port, timeout=0.2)


def test_what_came_before_it_was_read_is_not_too_late() -> None:
    past = time.monotonic() - 60
    with peers.listening(peers.ok(b"1")) as port, peers.listening(peers.silent) as mute:
        answered, other = (http.send(http.tcp("127.0.0.1", p), "/") for p in (port, mute))
        select.select([answered.peer], [], [], 30)
        assert answered._replace(deadline=past).answer().json() == 1
        with pytest.raises(NoAnswer, match="no answer in time"):
            other._replace(deadline=past).answer()


@pytest.mark.parametrize("whole", [True, False])
def test_letter_by_letter_without_end(*, whole: bool) -> None:
    def drip(peer: socket.socket) -> None:
        for _ in range(1000):
            peer.sendall(b"x")
            time.sleep(0.02)

    with peers.listening(drip) as port, pytest.raises(NoAnswer, match="no answer in time"):
        ask(port, timeout=0.3, whole=whole)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "closed without an answer"),
        (b"\r\n", "not HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"HTTP/1.1\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "not HTTP"),
        (b"200 OK", "not HTTP"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_not_http(said: bytes, words: str, *, whole: bool) -> None:
    with peers.listening(peers.answers(said)) as port, pytest.raises(NoAnswer, match=words):
        ask(port, whole=whole)


@given(st.binary(max_size=200).filter(lambda raw: not raw.startswith(b"HTTP/1.")))
def test_no_bytes_at_all_break_it(raw: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(raw)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(NoAnswer):
            http.ask(lambda timeout: ours, "/")


def test_the_status_is_enough_while_the_body_never_ends() -> None:
    def endless(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(b"x" * 65536)

    with peers.listening(endless) as port:
        assert ask(port, whole=False) == http.Answer(200)


def test_a_body_larger_than_the_limit_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LIMIT", 2**20)

    def huge(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2**23)

    with peers.listening(huge) as port:
        assert len(ask(port).body) <= 2**20 + 65536


def test_an_answer_in_pieces() -> None:
    def slowly(peer: socket.socket) -> None:
        peer.recv(65536)
        for piece in (b"HTT", b"P/1.1 2", b"00 OK\r", b"\n\r", b"\n[", b"1]"):
            peer.sendall(piece)

    with peers.listening(slowly) as port:
        assert ask(port).json() == [1]
        assert ask(port, whole=False).status == 200


def test_unix_socket(socket_path: Path) -> None:
    with peers.listening(peers.ok(b"3"), path=socket_path):
        assert http.ask(http.unix(str(socket_path)), "/").json() == 3
    socket_path.unlink()
    with pytest.raises(NoAnswer, match="No such file"):
        http.ask(http.unix(str(socket_path)), "/")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl, which makes the certificate, is not installed")
def test_a_certificate_that_a_container_made_for_itself(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "cert"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        [*made, "-subj", "/CN=nobody", "-days", "1", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def encrypted(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as safe:
            peers.ok(b"1")(safe)

    with peers.listening(encrypted) as port:
        assert ask(port, tls=True, whole=False).status == 200
        with pytest.raises(NoAnswer):
            ask(port)
    with peers.listening(peers.ok()) as port, pytest.raises(NoAnswer):
        ask(port, tls=True)


def test_tls_towards_somebody_who_says_nothing_ends() -> None:
    with peers.listening(peers.silent) as port, pytest.raises(NoAnswer, match="no answer in time"):
        ask(port, tls=True, timeout=0.3)


def test_a_port_that_is_none_is_not_asked() -> None:
    with pytest.raises(NoAnswer, match="0-65535"):
        http.ask(http.tcp("127.0.0.1", 65536), "/")
