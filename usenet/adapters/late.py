"""An end to a question as a whole: the libraries' own time-outs are for each wait, and for no look-up of a name."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from http.client import HTTPConnection
from typing import TypeVar

_T = TypeVar("_T")


def within(seconds: float, link: HTTPConnection, ask: Callable[[], _T]) -> _T:
    """What `ask` gets over a connection that is its own, and closed after it; TimeoutError after so many seconds."""
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as failure:
            answer.set_exception(failure)
        finally:
            link.close()

    threading.Thread(target=run, daemon=True).start()
    if wait((answer,), seconds).not_done:
        open_: socket.socket | None = link.sock
        with suppress(OSError):
            if open_:
                open_.shutdown(socket.SHUT_RDWR)  # which ends the thread as well
        raise TimeoutError("timed out")
    return answer.result()
