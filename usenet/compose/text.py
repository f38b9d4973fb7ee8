"""YAML text for values of JSON's types: block style, stable bytes, every doubtful string quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

Value = None | bool | int | str | list["Value"] | tuple["Value", ...] | dict[str, "Value"]

# Words that no YAML reader takes for anything but a string; all others are quoted.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_TAKEN = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|nan|inf)", re.IGNORECASE)


def dump(value: Mapping[str, Value]) -> str:
    """The text of one mapping, keys in the order given and shorter than YAML's limit of 1,024 characters."""
    lines: list[str] = []
    _mapping(value, "", "", lines)
    return "\n".join(lines) + "\n"


def _mapping(value: Mapping[str, Value], indent: str, first: str, lines: list[str]) -> None:
    """`first` stands before the first key in place of the indent: the dash of a sequence's item."""
    before = first or indent
    for key, item in value.items():
        _entry(f"{before}{_scalar(key)}:", item, indent, lines)
        before = indent


def _entry(head: str, item: Value, indent: str, lines: list[str]) -> None:
    if isinstance(item, str):
        lines.append(f"{head} {_word(item)}")
    elif item and isinstance(item, dict):
        lines.append(head)
        _mapping(item, indent + "  ", "", lines)
    elif item and isinstance(item, list | tuple):
        lines.append(head)
        _sequence(item, indent + "  ", lines)
    else:
        lines.append(f"{head} {_scalar(item)}")


def _sequence(items: list[Value] | tuple[Value, ...], indent: str, lines: list[str]) -> None:
    for item in items:
        if item and isinstance(item, dict):
            _mapping(item, indent + "  ", indent + "- ", lines)
        else:
            _entry(f"{indent}-", item, indent, lines)


@lru_cache(maxsize=4096, typed=True)
def _word(value: str) -> str:
    return value if _PLAIN.fullmatch(value) and not _TAKEN.fullmatch(value) else _quoted(value)


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return json.dumps(value)


def _quoted(value: str) -> str:
    # Outside of printable ASCII, JSON's \u escapes mean the same in YAML; astral characters need \U.
    return re.sub(r"[^\x20-\x7e]", _escape, json.dumps(value, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
