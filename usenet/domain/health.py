"""How a service's health is asked: from the host by us, and inside the image by the engine."""

from __future__ import annotations

from collections.abc import Sequence

from usenet.domain.reach import Probe, Publication

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from usenet.domain.service import Family, Health, Service

    Verdict = Literal["healthy", "unhealthy", "starting", "running", "stopped"]
_TOOLS: dict[Family, str] = {"linuxserver": "curl", "hotio": "curl", "built": "busybox"}


def probe(service: Service, published: Sequence[Publication], network: str) -> Probe:
    """The question that the host asks; `running` where the service has no port to ask."""
    health = service.health
    if not (health.http or health.tcp):
        return Probe(kind="running", start_period=health.start_period)
    container = _port(service)
    found = next((p for p in published if p.container == container and p.protocol == "tcp"), None)
    address = "" if found is None else found.address
    if network == "host" or address == "0.0.0.0":  # noqa: S104 - everywhere includes this machine
        address = "127.0.0.1"
    return Probe(
        kind="http" if health.http else "tcp",
        address=address,
        port=found.host if found else container,
        path=health.http,
        method=health.method,
        scheme=health.scheme,
        status=health.status,
        start_period=health.start_period,
    )


def _port(service: Service) -> int:
    return service.health.port or next(p.container for p in service.ports if p.protocol == "tcp")


def check(service: Service, family: Family) -> tuple[str, ...]:
    """Compose's healthcheck `test` for this image; empty where the image has no tool to ask itself."""
    health = service.health
    if health.command and family != "built":
        return ("CMD", *health.command)
    tool = _TOOLS["built"] if family == "built" else health.check or _TOOLS.get(family, "none")
    if tool in ("none", "image") or not (health.http or health.tcp):
        return ()
    if health.tcp and not health.http:
        return ("CMD", "bash", "-c", f"</dev/tcp/127.0.0.1/{_port(service)}") if family in _TOOLS else ()
    if health.method != "GET":
        return _say(_port(service), health) if family in _TOOLS else ()
    return _ask(tool, f"{health.scheme}://127.0.0.1:{_port(service)}{health.http}", health)


def _ask(tool: str, url: str, health: Health) -> tuple[str, ...]:
    odd = [code for code in health.status if code >= 400]
    if tool == "curl":
        insecure = ("-k",) if health.scheme == "https" else ()
        if not odd:
            return ("CMD", "curl", "-fsS", *insecure, "-o", "/dev/null", "-m", "5", url)
        codes = "|".join(map(str, health.status))
        return ("CMD-SHELL", f"curl -s -m 5 -o /dev/null -w '%{{http_code}}' '{url}' | grep -Eq '{codes}'")
    # Debian 12's busybox has no -T and dies of it (SIGSEGV); the engine ends a check that takes too long.
    wget = ("busybox", "wget", "-q") if tool == "busybox" else ("wget", "-q", "-T", "5")
    if not odd:
        return ("CMD", *wget, "-O", "/dev/null", url)
    codes, words = "|".join(map(str, odd)), " ".join(wget)
    return ("CMD-SHELL", f"out=$({words} -O /dev/null '{url}' 2>&1) || echo \"$out\" | grep -Eq ' ({codes})'")


def _say(port: int, health: Health) -> tuple[str, ...]:
    """In bash's own words: Debian's busybox asks with GET and POST alone."""
    codes = "|".join(map(str, health.status or ("[23]..",)))
    asked = rf"{health.method} {health.http} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{asked}' >&3 && read -r -t 5 _ code _ <&3"
    return ("CMD", "bash", "-c", f"{script} && [[ $code =~ ^({codes})$ ]]")


def self_checking(service: Service, family: Family) -> bool:
    """Whether the engine will know this container's health, so that others may wait for it."""
    return bool(check(service, family)) or (service.health.check == "image" and family != "built")


def verdict(state: str, *, answers: bool | None, age: float, start_period: int) -> Verdict:
    """What to call a container. `answers`: what its probe found (None: nothing to ask); `age`: seconds it runs."""
    if state != "running":
        return "unhealthy" if state in ("restarting", "dead") else "stopped"
    if answers is None:
        return "running"
    if answers:
        return "healthy"
    return "starting" if age < start_period else "unhealthy"
