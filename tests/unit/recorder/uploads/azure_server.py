"""As much of Azure's block blobs as an upload needs, strict: signatures, MD5 of blocks, names of one length.

It is an imitation, made for these tests, in memory. The same tests run against Azurite where it is installed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

ACCOUNT, KEY, CONTAINER = "tester", base64.b64encode(b"do not tell anybody at all").decode(), "segments"
MD5_HEADERS = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date")
IF_HEADERS = ("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")


class Failed(Exception):
    """A status and a code of Azure's."""


@dataclass
class Blob:
    committed: list[tuple[str, bytes]] | None = None
    uncommitted: dict[str, bytes] = field(default_factory=dict)


class Blobs:
    """What is there."""

    def __init__(self) -> None:
        self.blobs: dict[str, Blob] = {}
        self.lock = threading.Lock()

    def block(self, name: str, block: str, data: bytes, headers: dict[str, str]) -> None:
        if headers.get("content-md5") != base64.b64encode(hashlib.md5(data).digest()).decode():
            raise Failed(400, "Md5Mismatch")
        raw = base64.b64decode(block, validate=True)
        blob = self.blobs.setdefault(name, Blob())
        if len(raw) > 64 or any(len(block) != len(other) for other in blob.uncommitted):
            raise Failed(400, "InvalidBlobOrBlock")
        blob.uncommitted[block] = data

    def commit(self, name: str, body: bytes, headers: dict[str, str]) -> None:
        blob = self.blobs.get(name, Blob())
        if headers.get("if-none-match") != "*":
            raise Failed(400, "TheTestsWantThisCondition")
        if blob.committed is not None:
            raise Failed(409, "BlobAlreadyExists")
        names = re.findall(r"<Uncommitted>([^<]+)</Uncommitted>", body.decode())
        if not names or any(each not in blob.uncommitted for each in names):
            raise Failed(400, "InvalidBlockList")
        self.blobs[name] = Blob([(each, blob.uncommitted[each]) for each in names])

    def list(self, name: str, kind: str) -> tuple[dict[str, str], str]:
        blob = self.blobs.get(name)
        if blob is None:
            raise Failed(404, "BlobNotFound")
        blocks = blob.committed or [] if kind == "committed" else list(blob.uncommitted.items())
        size = sum(len(data) for _, data in blob.committed or [])
        text = "".join(f"<Block><Name>{block}</Name><Size>{len(data)}</Size></Block>" for block, data in blocks)
        return {"x-ms-blob-content-length": str(size)}, f"<BlockList>{text}</BlockList>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: Blobs

    def log_message(self, *_: object) -> None: ...

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            authorised(self.command, self.path, headers)
            with self.store.lock:
                told, text = self.answer(headers, body)
            self.tell(201 if self.command == "PUT" else 200, told, text)
        except Failed as failed:
            self.tell(failed.args[0], {"x-ms-error-code": failed.args[1]}, "")

    do_GET = do_PUT = serve  # noqa: N815

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], str]:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        account, container, name = unquote(url.path).lstrip("/").split("/", 2)
        assert account == ACCOUNT
        if container != CONTAINER:
            raise Failed(404, "ContainerNotFound")
        if self.command == "GET":
            return self.store.list(name, query["blocklisttype"])
        if query["comp"] == "block":
            self.store.block(name, query["blockid"], body, headers)
        else:
            self.store.commit(name, body, headers)
        return {}, ""

    def tell(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


def authorised(method: str, path: str, headers: dict[str, str]) -> None:
    """Shared Key, or an account's shared access signature, from Microsoft's description of both."""
    url, key = urlsplit(path), base64.b64decode(KEY)
    query = dict(parse_qsl(url.query))
    if "sig" in query:
        if query["sig"] != sas_signature(query, key):
            raise Failed(403, "AuthenticationFailed")
        return
    have = dict(headers)
    if have.get("content-length") == "0":
        del have["content-length"]
    lines = [method, *(have.get(name, "") for name in (*MD5_HEADERS, *IF_HEADERS))]
    lines += [f"{name}:{have[name]}" for name in sorted(have) if name.startswith("x-ms-")]
    lines += [f"/{ACCOUNT}{url.path}", *(f"{name}:{query[name]}" for name in sorted(query))]
    told = base64.b64encode(hmac.digest(key, "\n".join(lines).encode(), "sha256")).decode()
    if headers.get("authorization") != f"SharedKey {ACCOUNT}:{told}":
        raise Failed(403, "AuthenticationFailed")


def sas_signature(query: dict[str, str], key: bytes) -> str:
    names = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv")
    text = "\n".join([ACCOUNT, *(query.get(name, "") for name in names), ""])
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


def serve(store: Blobs, port: int = 0) -> ThreadingHTTPServer:
    """Answer on this machine until it is shut down."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"store": store}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
