"""One POST to an address of the user's own. The address is never said: it may be a secret as a whole."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from usenet.adapters import late
from usenet.adapters.http import NoAnswer

PATIENCE, LONGEST = 5.0, 15.0  # seconds for each wait, and for all of it


def post(address: str, told: Mapping[str, object]) -> None:
    """Send `told` as JSON. NoAnswer where nobody takes it in time; the text does not have the address in it."""
    try:
        status = _post(address, json.dumps(told).encode())
    except (OSError, ValueError, http.client.HTTPException) as failure:
        raise NoAnswer("no answer in time" if isinstance(failure, TimeoutError) else _plain(failure)) from None
    if status >= 300:
        raise NoAnswer(f"answered {status}")


def _post(address: str, body: bytes) -> int:
    parts = urlsplit(address)
    host = parts.hostname or ""
    link: http.client.HTTPConnection
    if parts.scheme == "https":
        link = http.client.HTTPSConnection(host, parts.port, timeout=PATIENCE, context=ssl.create_default_context())
    else:
        link = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def ask() -> int:
        link.request("POST", target, body, {"Content-Type": "application/json", "User-Agent": "usenet"})
        return link.getresponse().status

    return late.within(LONGEST, link, ask)


def _plain(failure: Exception) -> str:
    """The system's words; what Python's libraries say may repeat the address."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return "its certificate is not valid"
    return getattr(failure, "strerror", None) or type(failure).__name__
