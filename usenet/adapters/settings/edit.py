"""Edits of a settings text that change what was asked for and nothing else: every comment, blank line and quote stays.

An edit replaces the characters of one value, or adds or takes out its lines. Afterwards the new text is read again:
when it does not say exactly what was asked for, or lost a comment, the edit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from usenet.adapters.settings import text
from usenet.adapters.settings.proof import by_hand, comments, proven, unmarked
from usenet.adapters.settings.schema import wants_mapping, wants_text
from usenet.adapters.settings.text import Node
from usenet.domain.errors import ValidationError

Value = str | int | float | bool | Mapping[str, Any]
_BARE = re.compile(r"[\w+-][\w.+-]*")
_WIDTH = 1 << 20


def keys_of(path: str) -> list[str]:
    """`services.sonarr.port` (or with slashes, as in errors) → its keys; ValidationError for an empty one."""
    keys = re.split(r"[./]", path)
    if not all(keys):
        raise ValidationError(f'expected a path such as services.sonarr.port, found "{path}"')
    return keys


def with_value(source: str, path: str, value: Value) -> str:
    """The text in which `path` has `value`; a mapping is taken key by key. ConfigError where a person must do it."""
    return _with(source, keys_of(path), value)


def without(source: str, path: str) -> str:
    """The text without `path`; the same text if it is not there."""
    keys = keys_of(path)
    found = _walk(text.read(source, "usenet.yaml"), keys)
    if len(found) <= len(keys):
        return source
    bare, mark = unmarked(source)
    new = mark + _cut(bare, found[-2], found[-1])
    return proven(source, new, keys, None)


def enabled(source: str, names: Sequence[str]) -> str:
    """The text in which each service of `names` is on."""
    for name in names:
        found = _walk(text.read(source, "usenet.yaml"), ["services", name])
        source = (
            without(source, f"services.{name}.enabled") if len(found) == 3 else _with(source, ["services", name], {})
        )
    return source


def disabled(source: str, names: Sequence[str]) -> str:
    """The text in which each service of `names` is off: taken out if nothing is set for it, else marked."""
    for name in names:
        found = _walk(text.read(source, "usenet.yaml"), ["services", name])
        own = found[2].value if len(found) == 3 else {}
        if not own or set(own) == {"enabled"}:
            source = without(source, f"services.{name}")
        else:
            source = _with(source, ["services", name, "enabled"], False)
    return source


def _with(source: str, keys: list[str], value: Value) -> str:
    if isinstance(value, str) and wants_mapping(keys):
        value = _mapping(value, keys)
    if isinstance(value, Mapping):
        source = _put(without(source, ".".join(keys)), keys, {})
        for key, inner in value.items():
            source = _with(source, [*keys, str(key)], inner)
        return source
    return _put(source, keys, str(value).lower() if isinstance(value, bool) else str(value))


def _mapping(value: str, keys: Sequence[str]) -> Mapping[str, Any]:
    where = "/".join(keys)
    read = text.read(value, where)
    if not isinstance(read.value, dict):
        raise ValidationError(f'expected keys with values such as {{A: b}}, found "{value}"', where=where)
    return dict(read.plain())


def _put(source: str, keys: list[str], value: str | dict[str, Any]) -> str:
    bare, mark = unmarked(source)
    nodes = _walk(text.read(bare, "usenet.yaml"), keys)
    node, rest = nodes[-1], keys[len(nodes) - 1 :]
    if any(n.alias for n in nodes):
        raise by_hand(keys)
    if not rest:
        new = _replaced(bare, nodes, keys, value)
    elif isinstance(node.value, dict) and (node.value or node.flow):
        new = _added(bare, node, keys, rest, value)
    elif node.value in (None, {}):
        new = _begun(bare, nodes, keys, rest, value)
    else:
        raise by_hand(keys)
    return proven(source, mark + new, keys, value)


def _replaced(source: str, nodes: list[Node], keys: list[str], value: str | dict[str, Any]) -> str:
    node = nodes[-1]
    if node.value == value:
        return source
    if node.block or isinstance(node.value, dict | list):
        return _put(_cut(source, nodes[-2], node), keys, value)
    space = " " if node.start == node.end else ""
    return source[: node.start] + space + _written(keys, value, nodes[-2].flow) + source[node.end :]


def _added(source: str, node: Node, keys: list[str], rest: list[str], value: str | dict[str, Any]) -> str:
    """A new entry after the last one of a mapping."""
    if node.flow:
        entry = _flow_entry(keys, rest, value)
        if not node.value:
            inside = source[node.start + 1 :]
            return source[: node.start + 1] + entry + (" " if inside.startswith("#") else "") + inside
        end = _end(list(node.value.values())[-1])
        return f"{source[:end]}, {entry}{source[end:]}"
    last = list(node.value.values())[-1]
    return _after_line(source, _end_of_text(source, last), _lines(source, last.key_column, keys, rest, value))


def _begun(source: str, nodes: list[Node], keys: list[str], rest: list[str], value: str | dict[str, Any]) -> str:
    """The first entry of a mapping that is empty: the document itself, or a key without a value."""
    node = nodes[-1]
    if len(nodes) == 1:
        return _after_line(source, len(source), _lines(source, 0, keys, rest, value))
    if node.start != node.end or nodes[-2].flow:
        space = " " if node.start == node.end else ""
        return f"{source[: node.start]}{space}{{{_flow_entry(keys, rest, value)}}}{source[node.end :]}"
    return _after_line(source, node.end, _lines(source, node.key_column + 2, keys, rest, value))


def _lines(source: str, column: int, keys: list[str], rest: list[str], value: str | dict[str, Any]) -> str:
    lines = [" " * (column + 2 * depth) + _word(key) + ":" for depth, key in enumerate(rest)]
    lines[-1] += " " + _written(keys, value, False)
    return _newline(source).join(lines)


def _flow_entry(keys: list[str], rest: list[str], value: str | dict[str, Any]) -> str:
    entry = f"{_word(rest[-1])}: {_written(keys, value, True)}"
    for key in reversed(rest[:-1]):
        entry = f"{_word(key)}: {{{entry}}}"
    return entry


def _after_line(source: str, position: int, lines: str) -> str:
    newline = _newline(source)
    end = source.find("\n", position)
    if end >= 0:
        return source[: end + 1] + lines + newline + source[end + 1 :]
    gap = newline if source and not source.endswith("\n") else ""
    return source + gap + lines + newline


def _newline(source: str) -> str:
    return "\r\n" if "\r\n" in source else "\n"


def _cut(source: str, parent: Node, node: Node) -> str:
    """Take an entry out of a mapping; comments inside it stay."""
    if node.alias or parent.alias:
        raise by_hand([])
    if parent.flow:
        return _cut_from_flow(source, parent, node)
    start = source.rfind("\n", 0, node.key_start) + 1
    stop = source.find("\n", _end_of_text(source, node))
    stop = len(source) if stop < 0 else stop + 1
    indent = source[start : node.key_start]
    kept = [indent + comment + _newline(source) for comment in comments(source, start, stop)]
    return source[:start] + "".join(kept) + source[stop:]


def _cut_from_flow(source: str, parent: Node, node: Node) -> str:
    entries = list(parent.value.values())
    index = next(i for i, entry in enumerate(entries) if entry is node)
    if index > 0:
        start, stop = _end(entries[index - 1]), _end(node)
    else:
        start, stop = node.key_start, entries[1].key_start if len(entries) > 1 else _end(node)
    kept = "".join(f" {comment}{_newline(source)}" for comment in comments(source, start, stop))
    return source[:start] + kept + source[stop:]


def _end(node: Node) -> int:
    """Where the value ends, without the blank lines and comments that follow a block."""
    if isinstance(node.value, dict | list) and not node.flow and not node.alias and node.value:
        inner = list(node.value.values()) if isinstance(node.value, dict) else node.value
        return _end(inner[-1])
    return max(node.end, node.key_end)


def _end_of_text(source: str, node: Node) -> int:
    end = _end(node)
    return len(source[:end].rstrip()) if end and source[end - 1].isspace() else end


def _walk(root: Node, keys: Sequence[str]) -> list[Node]:
    """The nodes on the way as far as it exists, the root first."""
    nodes = [root]
    for key in keys:
        inner = nodes[-1].value
        if not isinstance(inner, dict) or key not in inner:
            break
        nodes.append(inner[key])
    return nodes


def _written(keys: Sequence[str], value: str | dict[str, Any], flow: bool) -> str:
    if isinstance(value, dict):
        return "{}"
    return _word(value, flow=flow) if wants_text(keys) or not _BARE.fullmatch(value) else value


def _word(value: str, *, flow: bool = True) -> str:
    """A text as YAML of any version reads it back: quoted where it could be taken for something else."""
    style = None if value.isprintable() else '"'
    wrapped: Any = [value] if flow else {"k": value}
    options: dict[str, Any] = {
        "default_flow_style": flow,
        "allow_unicode": True,
        "width": _WIDTH,
        "default_style": style,
    }
    dumped = str(yaml.safe_dump(wrapped, **options)).rstrip("\n")
    return dumped[1:-1] if flow else dumped.partition(": ")[2]
