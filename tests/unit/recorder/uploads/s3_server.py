"""A small S3 that is stricter than most: signatures, clocks, digests, sizes, order and ETags must all be right.

It is an imitation, made for these tests, in memory. The same tests run against a real server where there is one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import parse_qsl, quote, unquote, urlsplit

BUCKET, ACCESS, SECRET = "segments", "tester", "do-not-tell-anybody"
SMALLEST = 5 << 20
UNKNOWN = (
    "x-amz-checksum-sha",
    "x-amz-checksum-crc",
    "x-amz-checksum-algorithm",
    "x-amz-sdk-checksum",
    "x-amz-trailer",
)


class Failed(Exception):
    """An S3 error: a status and a code."""


@dataclass
class Upload:
    key: str
    sha256: bool
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Object:
    data: bytes
    etag: str
    sha256: str


class Store:
    """What the server has. `knows_sha256` false: as Backblaze, which refuses headers of newer checksums. `page`: parts
    in one answer. `wrote` counts how often each key was made: it may be once."""

    def __init__(self, *, knows_sha256: bool = True, page: int = 2) -> None:
        self.knows_sha256, self.page = knows_sha256, page
        self.uploads: dict[str, Upload] = {}
        self.objects: dict[str, Object] = {}
        self.wrote: dict[str, int] = {}
        self.lock = threading.Lock()
        self._ids = count(1)

    def begin(self, key: str, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        algorithm = headers.get("x-amz-checksum-algorithm")
        upload = f"up/load+{next(self._ids)}="
        self.uploads[upload] = Upload(key, algorithm == "SHA256")
        told = {"x-amz-checksum-algorithm": algorithm} if algorithm else {}
        return told, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"

    def part(self, upload: Upload, number: int, data: bytes, headers: dict[str, str]) -> dict[str, str]:
        if not 1 <= number <= 10_000:
            raise Failed(400, "InvalidArgument")
        told = headers.get("x-amz-checksum-sha256")
        if upload.sha256 and not told:
            raise Failed(400, "InvalidRequest")
        if told and told != b64(hashlib.sha256(data).digest()):
            raise Failed(400, "BadDigest")
        if not told and "content-md5" not in headers:
            raise Failed(400, "MissingContentMD5")
        if "content-md5" in headers and headers["content-md5"] != b64(hashlib.md5(data).digest()):
            raise Failed(400, "BadDigest")
        upload.parts[number] = data
        return {"ETag": etag(data)}

    def list(self, upload: Upload, marker: int) -> str:
        numbers = sorted(number for number in upload.parts if number > marker)
        shown = numbers[: self.page]
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag(upload.parts[number])}</ETag>"
            f"<Size>{len(upload.parts[number])}</Size></Part>"
            for number in shown
        )
        more = f"<IsTruncated>{str(len(numbers) > len(shown)).lower()}</IsTruncated>"
        after = f"<NextPartNumberMarker>{shown[-1] if shown else 0}</NextPartNumberMarker>"
        return f"<ListPartsResult>{more}{after}{parts}</ListPartsResult>"

    def complete(self, name: str, upload: Upload, body: bytes) -> str:
        listed = re.findall(r"<Part>(.*?)</Part>", body.decode(), re.DOTALL)
        numbers = [int(tag(part, "PartNumber")) for part in listed]
        if not numbers:
            raise Failed(400, "MalformedXML")
        if numbers != sorted(set(numbers)):
            raise Failed(400, "InvalidPartOrder")
        for number, part in zip(numbers, listed, strict=True):
            have = upload.parts.get(number)
            if have is None or tag(part, "ETag").replace("&quot;", '"') != etag(have):
                raise Failed(400, "InvalidPart")
            if upload.sha256 and tag(part, "ChecksumSHA256") != b64(hashlib.sha256(have).digest()):
                raise Failed(400, "InvalidPart")
        pieces = [upload.parts[number] for number in numbers]
        if any(len(piece) < SMALLEST for piece in pieces[:-1]):
            raise Failed(400, "EntityTooSmall")
        md5 = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in pieces)).hexdigest()
        sha256 = b64(hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces)).digest())
        made = Object(b"".join(pieces), f'"{md5}-{len(pieces)}"', f"{sha256}-{len(pieces)}" if upload.sha256 else "")
        self.objects[upload.key] = made
        self.wrote[upload.key] = self.wrote.get(upload.key, 0) + 1
        del self.uploads[name]
        return f"<CompleteMultipartUploadResult><ETag>{made.etag}</ETag></CompleteMultipartUploadResult>"

    def head(self, key: str, headers: dict[str, str]) -> dict[str, str]:
        if key not in self.objects:
            raise Failed(404, "NoSuchKey")
        found = self.objects[key]
        told = {"ETag": found.etag, "Content-Length": str(len(found.data))}
        if found.sha256 and headers.get("x-amz-checksum-mode") == "ENABLED":
            told["x-amz-checksum-sha256"] = found.sha256
        return told


class Handler(BaseHTTPRequestHandler):
    """One request: its signature, then what it asks for."""

    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *_: object) -> None: ...

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            authorised(self.command, self.path, headers, body)
            if not self.store.knows_sha256 and any(name.startswith(UNKNOWN) for name in headers):
                raise Failed(400, "InvalidArgument")
            with self.store.lock:
                told, text = self.answer(headers, body)
            self.tell(200 if self.command != "DELETE" else 204, told, text)
        except Failed as failed:
            status, code = failed.args
            self.tell(status, {}, "" if self.command == "HEAD" else f"<Error><Code>{code}</Code></Error>")

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve  # noqa: N815

    def answer(self, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], str]:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            raise Failed(404, "NoSuchBucket")
        if self.command == "HEAD":
            return self.store.head(key, headers), ""
        if self.command == "POST" and "uploads" in query:
            return self.store.begin(key, headers)
        upload = self.store.uploads.get(query.get("uploadId", ""))
        if upload is None or upload.key != key:
            raise Failed(404, "NoSuchUpload")
        if self.command == "PUT":
            return self.store.part(upload, int(query["partNumber"]), body, headers), ""
        if self.command == "GET":
            return {}, self.store.list(upload, int(query.get("part-number-marker", 0)))
        if self.command == "DELETE":
            del self.store.uploads[query["uploadId"]]
            return {}, ""
        return {}, self.store.complete(query["uploadId"], upload, body)

    def tell(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


def authorised(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
    """AWS Signature Version 4, from Amazon's description of it."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/s3/aws4_request), SignedHeaders=([^,]+), Signature=(\w{64})",
        headers.get("authorization", ""),
    )
    if not found or found[1] != ACCESS:
        raise Failed(403, "InvalidAccessKeyId")
    scope, signed, date = found[2], found[3].split(";"), headers["x-amz-date"]
    if abs((datetime.now(UTC) - datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)).total_seconds()) > 900:
        raise Failed(403, "RequestTimeTooSkewed")
    digest = headers["x-amz-content-sha256"]
    if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        raise Failed(400, "XAmzContentSHA256Mismatch")
    if "host" not in signed or any(name.startswith("x-amz-") and name not in signed for name in headers):
        raise Failed(403, "AccessDenied")
    url = urlsplit(path)
    pairs = sorted(pair.partition("=")[::2] for pair in url.query.split("&") if pair)
    query = "&".join(f"{quote(unquote(name), '')}={quote(unquote(value), '')}" for name, value in pairs)
    canonical = [method, url.path, query, *(f"{name}:{headers[name].strip()}" for name in signed), "", found[3], digest]
    key = f"AWS4{SECRET}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256("\n".join(canonical).encode()).hexdigest()])
    if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found[4]):
        raise Failed(403, "SignatureDoesNotMatch")


def serve(store: Store) -> ThreadingHTTPServer:
    """Answer on this machine until it is shut down."""
    handler = type("Bound", (Handler,), {"store": store})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def tag(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    return found[1] if found else ""
