"""S3 and what speaks like it (MinIO, Garage, Ceph, versitygw, Backblaze B2, Wasabi), by boto3.

Run against two real servers, versitygw 1.8 (with and without TLS) and MinIO of February 2026, and against an imitation
made for the tests. Never against Amazon, Backblaze, Wasabi, Ceph or Garage; what they do differently is taken from
their documentation: one without SHA-256 checksums is asked for MD5 instead.

An upload that was opened in the instant before a kill, and is in no journal, stays open: it has no parts and costs
nothing. A lifecycle rule of the bucket (AbortIncompleteMultipartUpload) clears such away.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, ClassVar

from ..errors import RecorderError, Unreachable
from .credentials import Secret
from .pace import Pace, Paced
from .storage import Found, Gone, Part, Refused, Sums, Wrong, failure

_WRONG = {"BadDigest", "InvalidPart", "InvalidPartOrder", "IncompleteBody", "XAmzContentChecksumMismatch"}
_BUSY = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling"}


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where, and as whom. `checksum`: sha256, md5, or auto: sha256 where the storage says that it knows it."""

    bucket: str
    keys: Callable[[], tuple[Secret, Secret]]  # access key and secret key, as they are now
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    checksum: str = "auto"
    ca: str = ""  # a file of certificates to trust instead of the system's


class S3:
    """A bucket. One connection, no tries of its own: the queue decides when to try again."""

    smallest, most, crc = 5 << 20, 10_000, False

    def __init__(self, name: str, place: S3Place, pace: Pace | None = None) -> None:
        self.name, self._place, self._pace = name, place, pace or Pace()
        self._made: Any = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._place.bucket!r} at {self._place.endpoint or 'Amazon'})"

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = _client(self._place, self._slowly)
        return self._made

    def begin(self, key: str) -> str:
        """`sha256:` or `md5:` and the upload's id: by which checksums its parts are sent and compared."""
        if self._place.checksum != "md5":
            try:
                told = self._ask("create_multipart_upload", key, ChecksumAlgorithm="SHA256")
            except Refused:
                if self._place.checksum == "sha256":
                    raise
            else:
                knows = told.get("ChecksumAlgorithm") == "SHA256" or self._place.checksum == "sha256"
                return f"{'sha256' if knows else 'md5'}:{told['UploadId']}"
        return f"md5:{self._ask('create_multipart_upload', key)['UploadId']}"

    def part(self, key: str, upload: str, number: int, data: bytes, told: Sums) -> str:
        kind, _, upload_id = upload.partition(":")
        digest = {"ChecksumSHA256": _b64(told.sha256)} if kind == "sha256" else {"ContentMD5": _b64(told.md5)}
        answer = self._ask("upload_part", key, UploadId=upload_id, PartNumber=number, Body=data, **digest)
        return str(answer.get("ETag", ""))

    def parts(self, key: str, upload: str) -> set[tuple[int, int, str]]:
        found: set[tuple[int, int, str]] = set()
        marker = 0
        while True:
            page = self._ask("list_parts", key, UploadId=upload.partition(":")[2], PartNumberMarker=marker)
            found |= {(part["PartNumber"], part["Size"], part["ETag"]) for part in page.get("Parts", ())}
            if not page.get("IsTruncated"):
                return found
            marker = page["NextPartNumberMarker"]

    def complete(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        kind, _, upload_id = upload.partition(":")
        listed = [
            {"PartNumber": part.number, "ETag": part.token}
            | ({"ChecksumSHA256": _b64(part.sums.sha256)} if kind == "sha256" else {})
            for part in parts
        ]
        self._ask("complete_multipart_upload", key, UploadId=upload_id, MultipartUpload={"Parts": listed})

    def abort(self, key: str, upload: str) -> None:
        with suppress(Gone):
            self._ask("abort_multipart_upload", key, UploadId=upload.partition(":")[2])

    def stat(self, key: str) -> Found | None:
        try:
            head = self._ask("head_object", key, **self._head)
        except Gone:
            return None
        return Found(head["ContentLength"], self._checksums(head))

    _head: ClassVar[dict[str, str]] = {"ChecksumMode": "ENABLED"}

    def _checksums(self, head: Mapping[str, Any]) -> dict[str, str]:
        found = {"md5": head.get("ETag", "").strip('"')}
        return found | ({"sha256": head["ChecksumSHA256"]} if "ChecksumSHA256" in head else {})

    def agrees(self, found: Found, parts: Sequence[Sums]) -> bool:
        """By the checksum of the parts' SHA-256 if the storage tells it, else by that of their MD5, its ETag."""
        if found.size != sum(part.size for part in parts):
            return False
        if "sha256" in found.checksums:
            whole = _b64(hashlib.sha256(b"".join(part.sha256 for part in parts)).digest())
            return found.checksums["sha256"] in (whole, f"{whole}-{len(parts)}")
        whole = hashlib.md5(b"".join(part.md5 for part in parts), usedforsecurity=False).hexdigest()
        return found.checksums["md5"] == f"{whole}-{len(parts)}"

    def _ask(self, operation: str, key: str, **words: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"{operation} {key}"
        try:
            return getattr(self._client, operation)(Bucket=self._place.bucket, Key=key, **words)
        except ClientError as error:
            refusal = _refusal(self.name, what, error.response)
            if isinstance(refusal, Refused):
                self._made = None  # the next try reads the keys again
            raise refusal from None
        except (BotoCoreError, OSError, HTTPException) as error:
            raise Unreachable(f"{self.name}: {what}: {type(error).__name__}") from None

    def _slowly(self, request: Any, **_: Any) -> None:
        """Boto3 is about to send this: from here on its body is read as fast as the pace allows."""
        data = request.body.read() if hasattr(request.body, "read") else request.body
        if data:
            request.body = Paced(data, self._pace)


def _refusal(name: str, what: str, response: Mapping[str, Any]) -> RecorderError:
    status, code = response["ResponseMetadata"]["HTTPStatusCode"], response.get("Error", {}).get("Code", "")
    code = "" if code == str(status) else code  # an answer without a body
    if code == "NoSuchUpload" or (what.startswith("head_object") and status == 404):
        return Gone(f"{name}: {what}: {code}")
    if code in _WRONG:
        return Wrong(f"{name}: {what}: {code}")
    if code in _BUSY:
        return Unreachable(f"{name}: {what}: {code}")
    return failure(name, what, status, code)


def _client(place: S3Place, before_send: Callable[..., None]) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path" if place.path_style else "virtual", "payload_signing_enabled": False},
        # Checksums that boto3 would add by itself are unknown to Backblaze and others; ours are given with each part.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    access, secret = place.keys()
    session = boto3.session.Session(access.reveal(), secret.reveal(), region_name=place.region)
    client = session.client("s3", endpoint_url=place.endpoint or None, config=config, verify=place.ca or None)
    client.meta.events.register("before-send.s3", before_send)
    return client


def _b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
