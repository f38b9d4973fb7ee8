"""Why an image could not be had, told from what engines and registries say."""

from __future__ import annotations

import re
from enum import StrEnum


class Why(StrEnum):
    """The kinds of failure that ask for different cures."""

    UNREACHABLE = "unreachable"
    NOT_FOUND = "not found"
    DENIED = "denied"
    LIMITED = "rate limited"
    DISK_FULL = "disk full"
    NO_ENGINE = "no engine"
    OTHER = "other"


# The order matters: a sentence with "denied" in it also says that the repository may not exist; nobody can tell which.
_SIGNS = (
    (Why.NO_ENGINE, r"cannot connect to the docker daemon|no container engine answers|docker\.sock"),
    (Why.DISK_FULL, r"no space left on device|disk quota exceeded"),
    (Why.LIMITED, r"toomanyrequests|too many requests|rate limit|\b429\b"),
    (Why.DENIED, r"unauthorized|access denied|\bdenied\b|authentication required|no basic auth credentials|forbidden"),
    (
        Why.NOT_FOUND,
        r"manifest unknown|name unknown|\bmanifest for \S+ not found|repository \S+ not found|does not exist"
        r"|no matching manifest|: not found\b",
    ),
    (
        Why.UNREACHABLE,
        r"no such host|connection refused|no route to host|network is unreachable|i/o timeout|deadline exceeded"
        r"|client\.timeout|awaiting headers|connection reset|server misbehaving|temporary failure in name resolution"
        r"|no answer in time|tls handshake|x509|certificate|\b50[234]\b|\bEOF\b|proxyconnect",
    ),
)
_HINTS = {
    Why.UNREACHABLE: "check the network, or make what can be made here: usenet deploy --images build --available",
    Why.NOT_FOUND: "set another image: usenet config set services.{service}.image NAME:TAG",
    Why.DENIED: "check its name; if it is right, log in: docker login {registry}",
    Why.LIMITED: "wait, or log in for a higher limit: docker login {registry}",
    Why.DISK_FULL: "make room where the engine keeps its images, then run the same again: docker system df",
    Why.NO_ENGINE: "start it: sudo systemctl start docker; or install one and start the stack: scripts/start",
    Why.OTHER: "try it by hand: docker pull {reference}",
}


def why(message: str) -> Why:
    """The kind of failure behind an engine's message on a pull."""
    return next((kind for kind, signs in _SIGNS if re.search(signs, message, re.IGNORECASE)), Why.OTHER)


def answered(message: str) -> bool:
    """Whether a registry stood behind this refusal: it knows no such image, or lets nobody in, but it is there."""
    return why(message) in (Why.NOT_FOUND, Why.DENIED, Why.LIMITED)


def hint(kind: Why, *, reference: str, registry: str, service: str = "SERVICE") -> str:
    """What a person can do about it."""
    return _HINTS[kind].format(reference=reference, registry=registry, service=service)
