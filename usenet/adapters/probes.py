"""Asks services for their health from the host side, many at once."""

from __future__ import annotations

from collections.abc import Mapping

from usenet.adapters import http
from usenet.domain.reach import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread


def ask(probe: Probe, timeout: float = 5) -> str:
    """Empty if the service is healthy, else what was wrong, in a few words. `running` has nothing to ask."""
    if probe.kind == "running":
        return ""
    if not probe.address:
        return "it has no address yet"
    if probe.kind == "tcp":
        return _knock(probe, timeout)
    try:
        return _judged(probe, _sent(probe, timeout))
    except http.NoAnswer as silence:
        return _silent(probe, silence)


def _sent(probe: Probe, timeout: float) -> http.Question:
    connect = http.tcp(probe.address, probe.port, tls=probe.scheme == "https")
    host = f"{probe.address}:{probe.port}"
    return http.send(connect, probe.path, host=host, timeout=timeout, method=probe.method)


def _judged(probe: Probe, question: http.Question) -> str:
    status = question.answer(whole=False).status
    wanted = status in probe.status if probe.status else status < 400
    return "" if wanted else f"http {probe.address}:{probe.port}{probe.path}: answered {status}"


def _silent(probe: Probe, silence: Exception) -> str:
    return f"{probe.kind} {probe.address}:{probe.port}{probe.path}: {silence}"


def _knock(probe: Probe, timeout: float) -> str:
    # The engine's port proxy accepts before it knows whether anybody is there: a peer that hangs up at once is not one.
    import socket  # 5 ms, which asking over HTTP does without

    try:
        with socket.create_connection((probe.address, probe.port), timeout) as peer:
            peer.settimeout(0.2)
            try:
                gone = peer.recv(1, socket.MSG_PEEK) == b""
            except TimeoutError:
                gone = False
    except OSError as silence:
        return _silent(probe, silence)
    return f"tcp {probe.address}:{probe.port}: hung up at once" if gone else ""


class Asked:
    """`ask` for every name at the same time, begun when it is made. `timeout` in seconds is for all together.

    A question to this machine's own ports is sent here and read in `answers`; what may take its time before the
    question is out (another address, TLS, knocking) has a short thread of its own.
    """

    def __init__(self, probes: Mapping[str, Probe], timeout: float = 5) -> None:
        self._answers: dict[str, str] = {}
        self._sent: dict[str, tuple[Probe, http.Question]] = {}
        slow = {name: probe for name, probe in probes.items() if not _at_once(probe)}
        self._threads = [self._begun(name, probe, timeout) for name, probe in slow.items()]
        for name in probes.keys() - slow.keys():
            self._send(name, probes[name], timeout)

    def _begun(self, name: str, probe: Probe, timeout: float) -> Thread:
        from threading import Thread  # most services are asked without one

        thread = Thread(target=self._ask, args=(name, probe, timeout), daemon=True)
        thread.start()
        return thread

    def _ask(self, name: str, probe: Probe, timeout: float) -> None:
        self._answers[name] = ask(probe, timeout)

    def _send(self, name: str, probe: Probe, timeout: float) -> None:
        try:
            self._sent[name] = probe, _sent(probe, timeout)
        except http.NoAnswer as silence:
            self._answers[name] = _silent(probe, silence)

    def answers(self) -> dict[str, str]:
        """Name → what `ask` tells."""
        while self._sent:
            name, (probe, question) = self._sent.popitem()
            try:
                self._answers[name] = _judged(probe, question)
            except http.NoAnswer as silence:
                self._answers[name] = _silent(probe, silence)
        for thread in self._threads:
            thread.join()
        return self._answers


def _at_once(probe: Probe) -> bool:
    return probe.kind == "http" and probe.scheme == "http" and probe.address == "127.0.0.1"
