"""One small question over HTTP, answered or not: raw sockets, because importing an HTTP client takes 55 ms.

And those of `_socket`, on which `socket` builds: that one brings `enum` and `selectors`, which takes 5 ms.
"""

from __future__ import annotations

import _socket
import time
from collections.abc import Callable

from usenet.adapters import scanned
from usenet.domain.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Connect = Callable[[float], _socket.socket]
LIMIT = 64 * 2**20
HERE = "127.0.0.1"


class NoAnswer(Exception):
    """Refused, unreachable, too late, or not HTTP; the text says which."""


class Answer(NamedTuple):
    """A status and a body; the body is empty when only the status was asked for."""

    status: int
    body: bytes = b""

    def json(self) -> Any:
        return scanned.loads(self.body) if self.body.strip() else None


def unix(path: str) -> Connect:
    """Connect to a socket in the file system."""

    def connect(timeout: float) -> _socket.socket:
        made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        made.settimeout(timeout)
        try:
            made.connect(path)
        except OSError:
            made.close()
            raise
        return made

    return connect


def tcp(address: str, port: int, *, tls: bool = False) -> Connect:
    """Connect to a port; with `tls` without checking the certificate, which a container made for itself."""

    def connect(timeout: float) -> _socket.socket:
        if address == HERE and not tls:
            return _here(port, timeout)
        import socket

        made = socket.create_connection((address, port), timeout)
        if not tls:
            return made
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(made, server_hostname=address)

    return connect


def _here(port: int, timeout: float) -> _socket.socket:
    """Without asking the resolver what 127.0.0.1 means, each time."""
    made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    made.settimeout(timeout)
    try:
        made.connect((HERE, port))
    except OSError:
        made.close()
        raise
    return made


def ask(
    connect: Connect,
    path: str,
    *,
    host: str = "localhost",
    timeout: float = 5,
    whole: bool = True,
    method: str = "GET",
) -> Answer:
    """Ask for `path`, with no body, and read the answer; without `whole` only the status line. Raises NoAnswer.

    HTTP/1.0: the peer closes at the end and sends no chunks. `timeout` in seconds is for each wait, and for the status
    line as a whole.
    """
    return send(connect, path, host=host, timeout=timeout, method=method).answer(whole=whole)


def send(connect: Connect, path: str, *, host: str = "localhost", timeout: float = 5, method: str = "GET") -> Question:
    """The first half of `ask`, so that many can be asked before the first answer is read. Raises NoAnswer."""
    fields = ("Accept: */*", "User-Agent: usenet", "Connection: close", *(["Content-Length: 0"] * (method != "GET")))
    head = "\r\n".join((f"{method} {path} HTTP/1.0", f"Host: {host}", *fields, "", ""))
    deadline = time.monotonic() + timeout
    try:
        peer = connect(timeout)
        try:
            peer.sendall(head.encode())
        except BaseException:
            peer.close()
            raise
    except (OSError, ValueError, OverflowError) as failure:  # the last: a port that is none
        raise NoAnswer(reason(failure)) from failure
    return Question(peer, timeout, deadline)


class Question(NamedTuple):
    """What was sent and not answered yet."""

    peer: _socket.socket
    timeout: float
    deadline: float

    def answer(self, *, whole: bool = True) -> Answer:
        """The second half of `ask`; what came before it was read is not too late. Raises NoAnswer."""
        try:
            return _answer(self.peer, self, whole=whole)
        except (OSError, ValueError) as failure:
            raise NoAnswer(reason(failure)) from failure
        finally:
            self.peer.close()


def _answer(peer: _socket.socket, asked: Question, *, whole: bool) -> Answer:
    got = bytearray()
    peer.settimeout(max(asked.deadline - time.monotonic(), 0.01))
    while chunk := peer.recv(65536):
        got += chunk
        if b"\n" not in got and time.monotonic() > asked.deadline:
            raise TimeoutError
        peer.settimeout(asked.timeout)
        if (not whole and b"\r\n" in got) or len(got) > LIMIT:
            break
    head, end, body = bytes(got).partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("what came back is not HTTP" if got else "the connection was closed without an answer")
    if whole and not end:
        raise ValueError("the connection was closed in the middle of an answer")
    return Answer(int(words[1]), body if whole else b"")


def reason(failure: Exception) -> str:
    """A failure to get an answer, in a few words."""
    if isinstance(failure, TimeoutError):
        return "no answer in time"
    if isinstance(failure, ConnectionRefusedError):
        return "connection refused"
    return getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
