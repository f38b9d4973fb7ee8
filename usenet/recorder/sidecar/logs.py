"""One line for each event, JSON or text, on standard error. Nothing secret: addresses lose account and password."""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Literal

_ACCOUNT = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"([?&;]\w*(?:pass|pwd|token|secret|key)\w*=)[^&;\s\"']*", re.IGNORECASE)
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def plain(text: str) -> str:
    """A text without the account, password and keys of any address in it."""
    return _QUERY.sub(r"\1…", _ACCOUNT.sub("", text))


def begin(form: Literal["json", "text"], level: int = logging.INFO) -> None:
    """From here on what is logged goes out in this form; other libraries only where something is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("usenet.recorder").setLevel(level)


def _more(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _USUAL}


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        told |= {key: value if isinstance(value, int | float) else str(value) for key, value in _more(record).items()}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return plain(json.dumps(told, ensure_ascii=False))


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        more = "".join(f" {key}={value}" for key, value in _more(record).items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        line = f"{_time(record)} {record.levelname.lower()} {record.getMessage()}{more}".replace("\n", " ")
        return plain(line + trace)
