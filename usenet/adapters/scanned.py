"""JSON read by the scanner in C that `json` uses too, without `json`, whose import brings `re` and takes 5 ms."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Rules:
    """What the scanner asks for, as json.loads tells it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def loads(data: bytes) -> Any:
    """What a JSON document says, as json.loads does; it is asked for what the scanner does not take, and for errors."""
    try:
        from _json import make_scanner

        rules: Any = _Rules
        text = data.decode().strip(" \t\n\r")
        value, end = make_scanner(rules)(text, 0)
        if end == len(text):
            return value
    except Exception:  # noqa: S110 - the scanner alone can't say what is wrong
        pass
    import json

    return json.loads(data)


def quoted(text: str) -> str:
    """A text in JSON, as json.dumps writes it."""
    try:
        from _json import encode_basestring_ascii
    except ImportError:
        import json

        return json.dumps(text)
    return encode_basestring_ascii(text)
