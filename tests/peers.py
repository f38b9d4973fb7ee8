"""Real peers for tests of what asks over sockets: each answers as it was told, on a port or path of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Behaviour = Callable[[socket.socket], None]


def answers(text: str | bytes) -> Behaviour:
    """Read the question, send `text`, hang up."""
    raw = text.encode() if isinstance(text, str) else text

    def behave(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(raw)

    return behave


def ok(body: bytes = b"", status: str = "200 OK") -> Behaviour:
    """A small HTTP answer."""
    return answers(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def silent(peer: socket.socket) -> None:
    """Take everything and say nothing, until the other side gives up."""
    with suppress(OSError):
        while peer.recv(65536):
            pass


def hang_up(peer: socket.socket) -> None:
    """Close at once."""


@contextmanager
def listening(behave: Behaviour, *, path: Path | None = None) -> Iterator[int]:
    """Serve every connection with `behave`, on a free port of this machine or on the socket `path`."""
    server = socket.socket(socket.AF_UNIX) if path else socket.socket()
    server.bind(str(path) if path else ("127.0.0.1", 0))
    server.listen(16)
    thread = threading.Thread(target=_serve, args=(server, behave), daemon=True)
    thread.start()
    try:
        yield 0 if path else server.getsockname()[1]
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def _serve(server: socket.socket, behave: Behaviour) -> None:
    with suppress(OSError):
        while True:
            peer, _ = server.accept()
            threading.Thread(target=_one, args=(peer, behave), daemon=True).start()


def _one(peer: socket.socket, behave: Behaviour) -> None:
    with peer, suppress(OSError):
        behave(peer)


@contextmanager
def nobody() -> Iterator[int]:
    """A port on which nobody listens, kept from others meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
