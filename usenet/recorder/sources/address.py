"""The address of a source. Whoever prints it, logs it or looks at it in a debugger sees no password."""

from __future__ import annotations

import re
import socket
from urllib.parse import unquote, urlsplit

HIDDEN = "[redacted]"
_NAMED = re.compile(r"((?:pass|pwd|token|secret|key|auth|sig|user|login|streamid)\w*?=)[^&/_;?#]*", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/?#]*@")
_LOCAL = {"", "file"}


class Address:
    """A URL or the path of a file. `str` and `repr` hide the user, the password and every value of the query."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def reveal(self) -> str:
        return self._url

    @property
    def scheme(self) -> str:
        head, found, _ = self._url.partition("://")
        return head.lower() if found else ""

    @property
    def host(self) -> str:
        """The machine that is asked; empty where there is none, or none that can be told."""
        try:
            return unquote(urlsplit(self._url).hostname or "") if self.live else ""
        except ValueError:
            return ""

    def unknown(self) -> str:
        """Why this machine does not know who `host` is; empty if it does. As slow as its name servers are."""
        try:
            socket.getaddrinfo(self.host or None, 0)
        except UnicodeError:
            return f"no machine is known by the name {self.host}"
        except socket.gaierror as failure:
            if failure.errno == socket.EAI_AGAIN:
                return f"no name server says now who {self.host} is"
            return f"no machine is known by the name {self.host}"
        except OSError:
            return ""
        return ""

    @property
    def live(self) -> bool:
        """Whether it goes on without us: every network address does, as far as can be told from outside."""
        return self.scheme not in _LOCAL

    def __str__(self) -> str:
        if not self.live:
            return self._url
        bare, asked, _ = _USER.sub(f"{HIDDEN}@", self._url).partition("?")
        return _NAMED.sub(rf"\1{HIDDEN}", bare) + (f"?{HIDDEN}" if asked else "")

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def clean(self, text: str) -> str:
        """`text`, as another program wrote it, without this address's secrets."""
        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)
        return _USER.sub(f"{HIDDEN}@", text)

    def _secrets(self) -> list[str]:
        if not self.live:
            return []
        user = _USER.search(self._url)
        parts = user.group()[:-1].split(":", 1)[1:] if user else []
        parts += [pair.partition("=")[2] for pair in urlsplit(self._url).query.split("&")]
        parts += [found.group().partition("=")[2] for found in _NAMED.finditer(self._url)]
        both = {self._url, *parts, *map(unquote, parts)}
        return sorted((part for part in both if len(part) > 3), key=len, reverse=True)
