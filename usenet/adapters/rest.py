"""A service's JSON API: asked with a key, given time, asked again where that helps, and never followed elsewhere."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from usenet.domain.errors import ConfigError, UsenetError
from usenet.domain.secret import REDACTED, Secret

if TYPE_CHECKING:
    import httpx

LIMIT = 256 * 2**20  # Radarr tells all that it knows of every film at once
PATIENCE = 30.0  # seconds for an answer as a whole
PAUSES = (0.5, 1.0, 2.0)  # before it is asked again
LONGEST_PAUSE = 30.0
_KEY = re.compile(r"[!#-~]+")


class Failure(UsenetError):
    """What a service answered instead of doing it. `status` 0: nothing that makes sense.

    `unclear`: it may have been done all the same. `again`: worth asking again, after `after` seconds if it said so.
    """

    def __init__(
        self, message: str, *, hint: str = "", status: int = 0, unclear: bool = False, after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.unclear = unclear
        self.after = after

    @property
    def again(self) -> bool:
        """Whether the same question may get another answer soon."""
        return self.status == 429 or self.status >= 500


class Api:
    """One service at `base`. `field` is the header that holds a key; the next of `keys` is tried where one is refused.

    `form` puts a key into that header. At `ends`, by the clock that never goes back, it has to be over.
    """

    def __init__(
        self,
        name: str,
        base: str,
        keys: Sequence[Secret],
        *,
        field: str,
        form: str = "{}",
        pause: Callable[[float], None] = time.sleep,
        ends: float = math.inf,
    ) -> None:
        self.name = name
        self.base = base.rstrip("/")
        self._known = tuple(keys)
        # What is no key would stand in the words of whoever refuses it as a header.
        self._keys = [key for key in keys if _KEY.fullmatch(key.reveal())]
        self._field, self._form = field, form
        self._pause = pause
        self._ends = ends

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        done: Callable[[], Any] = lambda: None,
    ) -> Any:
        """The JSON of the answer; None where it has no body. Failure in words; ConfigError where no key is accepted.

        `done` is asked after an answer that leaves open whether a change was made: what it returns, if not None, is
        the answer, and the change is not asked for again.
        """
        for pause in (*PAUSES, None):
            try:
                return self._with_key(method, path, query, body)
            except Failure as failure:
                if failure.unclear and method != "GET" and (found := _quietly(done)) is not None:
                    return found
                if pause is None or not failure.again:
                    raise
                wait = pause if failure.after is None else failure.after
                if wait > LONGEST_PAUSE or time.monotonic() + wait > self._ends:
                    raise
                self._pause(wait)
        raise AssertionError("the last attempt returns or raises")

    def _with_key(self, method: str, path: str, query: Mapping[str, str] | None, body: object) -> Any:
        while self._keys:
            try:
                return self._once(method, path, query, body)
            except Failure as failure:
                if failure.status != 401:
                    raise
                self._keys.pop(0)
        raise ConfigError(
            f"no API key that is known here is one of {self.name}",
            hint=f"put the key from its settings into .env: {self.name.upper()}_API_KEY=…",
        )

    def _once(self, method: str, path: str, query: Mapping[str, str] | None, body: object) -> Any:
        import httpx

        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "usenet",
            self._field: self._form.format(self._keys[0].reveal()),
        }
        patience = min(PATIENCE, self._ends - time.monotonic())
        if patience <= 0:
            raise self._failure("no time was left to ask it")
        ends = time.monotonic() + patience
        try:
            # Nothing of the environment: a service of this machine is not asked through a proxy. Its certificate, if
            # it has one, is its own.
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=patience, verify=False) as client,  # noqa: S501
                client.stream(method, self.base + path, params=query, json=body, headers=headers) as answer,
            ):
                content = _content(answer, ends)
        except httpx.TimeoutException as late:
            raise self._failure("no answer in time", unclear=True) from late
        except (httpx.HTTPError, httpx.InvalidURL) as broken:
            unclear = not isinstance(broken, httpx.ConnectError)
            raise self._failure(self._plain(str(broken)) or "the connection broke", unclear=unclear) from None
        return self._judged(answer, content)

    def _judged(self, answer: httpx.Response, content: bytes) -> Any:
        status = answer.status_code
        if 300 <= status < 400:
            raise self._failure(
                "it sends us elsewhere, where we don't go",
                status=status,
                hint=f"look at its URL base: config/{self.name}",
            )
        if status >= 400:
            said = self._said(content)
            words = {403: "it forbids that", 404: "it knows no such thing"}.get(status, f"it answered {status}")
            raise self._failure(
                f"{words}: {said}" if said else words, status=status, unclear=status >= 500, after=_after(answer)
            )
        if not content.strip():
            return None
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "text/json"):
            raise self._failure(f"expected JSON, found {self._plain(kind) or 'something without a type'}", unclear=True)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise self._failure("its answer is cut off or is no JSON", unclear=True) from None

    def _failure(
        self, words: str, *, hint: str = "", status: int = 0, unclear: bool = False, after: float | None = None
    ) -> Failure:
        hint = hint or f"look at: usenet services logs {self.name}"
        return Failure(f"{self.name} at {self.base}: {words}", hint=hint, status=status, unclear=unclear, after=after)

    def _said(self, content: bytes) -> str:
        """The service's own words for a refusal, in one line."""
        try:
            told = json.loads(content)
        except (ValueError, RecursionError):
            return ""
        parts = told if isinstance(told, list) else [told]
        words = [one.get("errorMessage") or one.get("message") for one in parts if isinstance(one, dict)]
        return self._plain("; ".join(one for one in words if isinstance(one, str)))

    def _plain(self, text: str) -> str:
        for key in filter(None, self._known):
            text = text.replace(key.reveal(), REDACTED)
        return re.sub(r"[^ -~\u00a1-\uffff]+", " ", text).strip()[:200]


def _quietly(done: Callable[[], Any]) -> Any:
    """What `done` tells; None where the service does not answer that either."""
    try:
        return done()
    except UsenetError:
        return None


def _content(answer: httpx.Response, ends: float) -> bytes:
    """The whole body. httpx.ReadTimeout where it drips, httpx.ReadError where it has no end."""
    import httpx

    found = bytearray()
    for piece in answer.iter_bytes():
        found += piece
        if time.monotonic() > ends:
            raise httpx.ReadTimeout("too slow")
        if len(found) > LIMIT:
            raise httpx.ReadError("its answer has no end")
    return bytes(found)


def _after(answer: httpx.Response) -> float | None:
    """Seconds that the service asks us to wait; None where it doesn't say."""
    said = answer.headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
