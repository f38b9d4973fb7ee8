"""Asks services for their health from the host side, many at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

from usenet.adapters import http
from usenet.domain.reach import Probe


def ask(probe: Probe, timeout: float = 5) -> str:
    """Empty if the service is healthy, else what was wrong, in a few words. `running` has nothing to ask."""
    if probe.kind == "running":
        return ""
    where = f"{probe.address}:{probe.port}"
    if not probe.address:
        return "it has no address yet"
    try:
        if probe.kind == "tcp":
            return _knock(probe, timeout)
        connect = http.tcp(probe.address, probe.port, tls=probe.scheme == "https")
        answer = http.ask(connect, probe.path, host=where, timeout=timeout, whole=False)
    except (http.NoAnswer, OSError) as silence:
        return f"{probe.kind} {where}{probe.path}: {silence}"
    wanted = answer.status in probe.status if probe.status else answer.status < 400
    return "" if wanted else f"http {where}{probe.path}: answered {answer.status}"


def _knock(probe: Probe, timeout: float) -> str:
    # The engine's port proxy accepts before it knows whether anybody is there: a peer that hangs up at once is not one.
    with socket.create_connection((probe.address, probe.port), timeout) as peer:
        peer.settimeout(0.2)
        try:
            gone = peer.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            gone = False
    return f"tcp {probe.address}:{probe.port}: hung up at once" if gone else ""


def ask_all(probes: Mapping[str, Probe], timeout: float = 5) -> dict[str, str]:
    """`ask` for every name at the same time, one short thread each."""
    answers: dict[str, str] = {}

    def one(name: str, probe: Probe) -> None:
        answers[name] = ask(probe, timeout)

    threads = [threading.Thread(target=one, args=item, daemon=True) for item in probes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
