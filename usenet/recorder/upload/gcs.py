"""Google Cloud Storage, by its XML API: S3's multipart upload with an HMAC key, at https://storage.googleapis.com.

Its JSON API is no help here: a resumable upload has one order, and the first part of a live segment comes last. Google
checks the MD5 of each part when it comes, and tells the CRC-32C of the object; that is compared. Never run against
Google: only against S3 servers behind a front that tells CRC-32C as Google's documentation says. The package
`google-crc32c` makes the checksum cheap; without it, it takes about a tenth of a second for each megabyte.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from .crc32c import joined
from .pace import Pace
from .s3 import S3, S3Place
from .storage import Found, Sums

ENDPOINT = "https://storage.googleapis.com"


class GCS(S3):
    """A bucket of Google's."""

    crc = True
    _head: ClassVar[dict[str, str]] = {}

    def __init__(self, name: str, place: S3Place, pace: Pace | None = None) -> None:
        super().__init__(name, replace(place, endpoint=place.endpoint or ENDPOINT, checksum="md5"), pace)

    def _checksums(self, head: Mapping[str, Any]) -> dict[str, str]:
        told = head["ResponseMetadata"]["HTTPHeaders"].get("x-goog-hash", "")
        return dict(each.strip().split("=", 1) for each in told.split(",") if "=" in each)

    def agrees(self, found: Found, parts: Sequence[Sums]) -> bool:
        """By the CRC-32C of the whole object."""
        whole = joined((part.crc or 0, part.size) for part in parts)
        told = base64.b64encode(whole.to_bytes(4, "big")).decode()
        return found.size == sum(part.size for part in parts) and found.checksums.get("crc32c") == told
