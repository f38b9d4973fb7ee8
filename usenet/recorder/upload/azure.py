"""Azure Blob Storage: blocks, and the list that makes them a blob, by plain HTTPS; no package is needed.

A block's name holds its number and SHA-256, and Azure checks each block's MD5 when it comes. So the names and sizes of
the blocks that it has made the blob of, asked anew, are its checksum; the Content-MD5 of a blob would only be what we
told it. Run against Azurite, Microsoft's emulator; never against Azure itself. There is nothing to abort: Azure drops
blocks that are in no blob after a week.
"""

# ruff: noqa: ARG002 (Azure's uploads have no id: some of what a storage is told is of no use here)
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ..errors import RecorderError, Unreachable
from .credentials import Secret
from .pace import SLICE, Pace, Paced
from .storage import Found, Gone, Part, Sums, Wrong, failure

VERSION = "2021-08-06"
_WRONG = {"Md5Mismatch", "InvalidBlockList", "InvalidBlockId", "InvalidOperation"}  # the last is Azurite's for MD5
_THERE = {"BlobAlreadyExists", "ConditionNotMet"}
_BLOCK = re.compile(r"<Block>\s*<Name>([^<]+)</Name>\s*<Size>(\d+)</Size>\s*</Block>")
_SIGNED = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date")
_SIGNED_IF = ("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")


@dataclass(frozen=True, slots=True)
class AzurePlace:
    """Where, and as whom: with the account's key, or with a shared access signature (SAS)."""

    account: str
    container: str
    secrets: Callable[[], tuple[Secret | None, Secret | None]]  # the key, or the SAS, as they are now
    endpoint: str = ""


class _Answer(NamedTuple):
    headers: Mapping[str, str]
    text: str


class Azure:
    """A container of an account."""

    smallest, most, crc = 1, 50_000, False

    def __init__(self, name: str, place: AzurePlace, pace: Pace | None = None) -> None:
        self.name, self._place, self._pace = name, place, pace or Pace()
        self._at = urlsplit(place.endpoint or f"https://{place.account}.blob.core.windows.net")

    def __repr__(self) -> str:
        return f"Azure({self.name!r}, {self._place.container!r} at {self._at.hostname})"

    def begin(self, key: str) -> str:
        """Nothing is asked: an upload to Azure has no name of its own but the blob's."""
        return "blocks"

    def part(self, key: str, upload: str, number: int, data: bytes, told: Sums) -> str:
        token = _token(number, told)
        headers = {"Content-MD5": base64.b64encode(told.md5).decode()}
        self._ask("PUT", key, {"comp": "block", "blockid": token}, headers, data)
        return token

    def parts(self, key: str, upload: str) -> set[tuple[int, int, str]]:
        try:
            answer = self._ask("GET", key, {"comp": "blocklist", "blocklisttype": "uncommitted"})
        except Gone:
            return set()
        blocks = ((_number(token), int(size), token) for token, size in _BLOCK.findall(answer.text))
        return {(number, size, token) for number, size, token in blocks if number}

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Gone too if there is such a blob already: Azure itself keeps it from being overwritten."""
        names = "".join(f"<Uncommitted>{part.token}</Uncommitted>" for part in parts)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{names}</BlockList>'.encode()
        headers = {"If-None-Match": "*", "x-ms-blob-content-type": "video/mp4", "Content-Type": "application/xml"}
        self._ask("PUT", key, {"comp": "blocklist"}, headers, body)

    def abort(self, key: str, upload: str) -> None:
        """Nothing to do: see above."""

    def stat(self, key: str) -> Found | None:
        try:
            answer = self._ask("GET", key, {"comp": "blocklist", "blocklisttype": "committed"})
        except Gone:
            return None
        size, blocks = int(answer.headers.get("x-ms-blob-content-length", 0)), _BLOCK.findall(answer.text)
        return Found(size, {"blocks": _listed(blocks)}) if size or blocks else None

    def agrees(self, found: Found, parts: Sequence[Sums]) -> bool:
        """By the names and sizes of the blocks."""
        blocks = [(_token(number, part), str(part.size)) for number, part in enumerate(parts, 1)]
        return found.size == sum(part.size for part in parts) and found.checksums.get("blocks") == _listed(blocks)

    def _ask(
        self, method: str, blob: str, query: dict[str, str], headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> _Answer:
        what = f"{method} {query.get('comp', '')} {blob}"
        path = quote(f"{self._at.path.rstrip('/')}/{self._place.container}/{blob}".rstrip("/"))
        sent = {"x-ms-version": VERSION, "x-ms-date": formatdate(usegmt=True), **(headers or {})}
        if body:
            sent["Content-Length"] = str(len(body))
        key, sas = self._place.secrets()
        if key:
            sent["Authorization"] = f"SharedKey {self._place.account}:{self._signature(key, method, path, query, sent)}"
        elif sas:
            query = query | dict(parse_qsl(sas.reveal().lstrip("?")))
        try:
            response, text = self._send(method, f"{path}?{urlencode(query)}", sent, body)
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{self.name}: {what}: {type(error).__name__}") from None
        if response.status >= 300:
            raise _refusal(self.name, what, response.status, response.getheader("x-ms-error-code") or "")
        return _Answer({name.lower(): value for name, value in response.getheaders()}, text)

    def _send(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[HTTPResponse, str]:
        kind = HTTPSConnection if self._at.scheme == "https" else HTTPConnection
        connection = kind(self._at.hostname or "", self._at.port, timeout=60, blocksize=SLICE)
        try:
            connection.request(method, url, Paced(body, self._pace) if body else None, headers)
            response = connection.getresponse()
            return response, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def _signature(
        self, key: Secret, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> str:
        """Shared Key authorisation, as Azure's documentation lays it down."""
        have = {name.lower(): value for name, value in headers.items()}
        standard = [have.get(name, "") for name in (*_SIGNED, *_SIGNED_IF)]
        own = [f"{name}:{have[name]}" for name in sorted(have) if name.startswith("x-ms-")]
        resource = [f"/{self._place.account}{path}", *(f"{name}:{query[name]}" for name in sorted(query))]
        text = "\n".join([method, *standard, *own, *resource])
        return base64.b64encode(hmac.digest(base64.b64decode(key.reveal()), text.encode(), hashlib.sha256)).decode()


def _refusal(name: str, what: str, status: int, code: str) -> RecorderError:
    told = f"{name}: {what}: {status} {code}".rstrip()
    if code in _THERE or (status == 404 and code != "ContainerNotFound"):
        return Gone(told)
    return Wrong(told) if code in _WRONG else failure(name, what, status, code)


def _token(number: int, told: Sums) -> str:
    return base64.b64encode(b"%05d" % number + told.sha256).decode()


def _number(token: str) -> int:
    """The number of a block that was named here; 0 for one that was not."""
    try:
        raw = base64.b64decode(unquote(token), validate=True)
    except binascii.Error:
        return 0
    return int(raw[:5]) if len(raw) == 37 and raw[:5].isdigit() else 0


def _listed(blocks: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{name}:{size}" for name, size in blocks)
