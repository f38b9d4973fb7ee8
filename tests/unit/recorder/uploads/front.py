"""A front before a storage's server that makes trouble: it resets, refuses, loses answers, changes what is told."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Trouble:
    """`reset_after`: read so many bytes of the request's body, then reset the connection. `status` and `code`: answer
    this, ask nobody. `lose_answer`: do it, then reset. `edit`: change the answer's headers."""

    reset_after: int | None = None
    status: int = 0
    code: str = ""
    lose_answer: bool = False
    edit: Callable[[str, dict[str, str]], dict[str, str]] | None = None


Plan = Callable[[str, str], Trouble | None]


class Front:
    """Stands before the server at `behind`. `plan` is asked with the method and the URL of every request."""

    def __init__(self, behind: int) -> None:
        self.behind, self.plan = behind, quiet
        self.asked: list[tuple[str, str]] = []
        handler = type("Bound", (_Handler,), {"front": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def quiet(method: str, url: str) -> Trouble | None:
    """No trouble."""
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def log_message(self, *_: object) -> None: ...

    def serve(self) -> None:
        self.front.asked.append((self.command, self.path))
        trouble = self.front.plan(self.command, self.path) or Trouble()
        length = int(self.headers.get("Content-Length") or 0)
        if trouble.reset_after is not None:
            self.rfile.read(min(trouble.reset_after, length))
            return self.reset()
        body = self.rfile.read(length)
        if trouble.status:
            text = f"<Error><Code>{trouble.code}</Code></Error>".encode()
            return self.tell(trouble.status, {"Content-Length": str(len(text)), "x-ms-error-code": trouble.code}, text)
        status, headers, text = self.ask(body)
        if trouble.lose_answer:
            return self.reset()
        return self.tell(status, trouble.edit(self.path, headers) if trouble.edit else headers, text)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve  # noqa: N815

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.front.behind, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            text = answer.read()
            headers = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "keep-alive")
            }
            if self.command != "HEAD":
                headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
                headers["Content-Length"] = str(len(text))
            return answer.status, headers, text
        except OSError:
            return 502, {"Content-Length": "0"}, b""
        finally:
            connection.close()

    def tell(self, status: int, headers: dict[str, str], text: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else text)

    def reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
