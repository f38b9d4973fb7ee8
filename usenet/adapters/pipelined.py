"""Many questions to one server on one connection, all sent before the first answer is read (RFC 9112, 9.3.2).

A connection for each costs more than the answer where thirty are asked.
"""

from __future__ import annotations

import _socket
from collections.abc import Iterator, Sequence

from usenet.adapters import http
from usenet.adapters.http import Answer, NoAnswer

PIECE = 1 << 17
MOST = 64  # so that neither side waits for the other with its buffers full


class Questions:
    """GET of each of `paths`, sent when this is made; no more than MOST. Raises NoAnswer as `http.send` does."""

    def __init__(self, connect: http.Connect, paths: Sequence[str], *, host: str, timeout: float) -> None:
        if len(paths) > MOST:
            raise ValueError(f"{len(paths)} questions at once")
        head = f"HTTP/1.1\r\nHost: {host}\r\nUser-Agent: usenet\r\n"
        self._count = len(paths)
        try:
            self._peer = connect(timeout)
            try:
                self._peer.sendall("".join(f"GET {path} {head}\r\n" for path in paths).encode())
            except BaseException:
                self._peer.close()
                raise
        except (OSError, ValueError) as failure:
            raise NoAnswer(http.reason(failure)) from failure

    def answers(self) -> Iterator[Answer]:
        """In the order of the paths. Raises NoAnswer where one does not come; those behind it are lost with it."""
        stream = _Stream(self._peer)
        try:
            for _ in range(self._count):
                try:
                    answer = _read(stream)
                except (OSError, ValueError) as failure:
                    raise NoAnswer(http.reason(failure)) from failure
                yield answer
        finally:
            self._peer.close()


class _Stream:
    """What a peer sends, in lines and in pieces of a length; shorter where the connection ends, or at the limit."""

    def __init__(self, peer: _socket.socket) -> None:
        self._peer, self._held = peer, bytearray()

    def readline(self) -> bytes:
        seen = 0
        while not (end := self._held.find(b"\n", seen) + 1):
            seen = len(self._held)
            if not self._more():
                break
        return self._taken(end or len(self._held))

    def read(self, size: int) -> bytes:
        while len(self._held) < size and self._more():
            pass
        return self._taken(size)

    def _more(self) -> bool:
        got = self._peer.recv(PIECE) if len(self._held) < http.LIMIT else b""
        self._held += got
        return bool(got)

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken


def _read(stream: _Stream) -> Answer:
    words = stream.readline().split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ValueError("what came back is not HTTP" if words else "the connection was closed without an answer")
    length, chunked = -1, False
    while line := _line(stream):
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        chunked = chunked or (name == b"transfer-encoding" and value.strip() == b"chunked")
    if chunked:
        return Answer(int(words[1]), b"".join(_chunks(stream)))
    return Answer(int(words[1]), stream.read(http.LIMIT) if length < 0 else _exactly(stream, length))


def _chunks(stream: _Stream) -> Iterator[bytes]:
    while size := int(stream.readline().split(b";")[0], 16):
        yield _exactly(stream, size)
        stream.readline()
    while _line(stream):  # trailers
        pass


def _line(stream: _Stream) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError("the connection was closed in the middle of an answer")
    return line.strip()


def _exactly(stream: _Stream, size: int) -> bytes:
    if not 0 <= size <= http.LIMIT:
        raise ValueError("what came back is not HTTP")
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("the connection was closed in the middle of an answer")
    return data
