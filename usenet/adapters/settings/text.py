"""YAML as a person means it: every plain word stays the text that was typed, and every node knows its place.

`no`, `0755` and `22:22` are words here, and the types of the settings decide what they mean. So nothing is turned
into a number or a truth value behind the reader's back, as YAML 1.1 does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from usenet.domain.errors import ConfigError

LARGEST = 1 << 20
DEEPEST = 24
MOST = 50_000
_NOTHING = ("", "~", "null", "Null", "NULL")
_UTF8 = "save it again as UTF-8"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True, eq=False)
class Node:
    """A value in the text: `value` is text, None, a dict of nodes or a list of nodes.

    `start` and `end` count characters; `key_start` and `key_end` are those of its key. `size` counts the nodes
    below, aliases followed. `flow`: written with brackets. `block`: a `|` or `>` text.
    """

    value: Any
    line: int
    start: int
    end: int
    size: int = 1
    flow: bool = False
    block: bool = False
    alias: bool = False
    key_start: int = 0
    key_end: int = 0
    key_column: int = 0
    keys: dict[str, Node] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value in Python's types."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


def decode(raw: bytes, name: str) -> str:
    """The text of a settings file; ConfigError when it is too large, not UTF-8, or binary."""
    if len(raw) > LARGEST:
        raise ConfigError(
            f"expected a settings file of at most {LARGEST >> 20} MiB, found more",
            hint="is this the right file?",
            where=name,
        )
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("expected UTF-8, found UTF-16", hint=_UTF8, where=name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as failure:
        line = raw[: failure.start].count(b"\n") + 1
        raise ConfigError(
            f"expected UTF-8, found the byte 0x{raw[failure.start]:02x}",
            hint=_UTF8,
            where=f"{name}:{line}",
        ) from failure


def read(text: str, name: str) -> Node:
    """The one document in `text`, an empty one as an empty mapping. ConfigError with `name` and line otherwise."""
    reader = _Reader(name)
    try:
        events: Iterator[Any] = iter(yaml.parse(text.removeprefix("\ufeff"), Loader=LOADER))
        root = reader.document(events)
    except yaml.MarkedYAMLError as failure:
        raise _syntax(failure, text, name) from failure
    except UnicodeEncodeError as failure:
        raise ConfigError("expected text, found half a character", hint=_UTF8, where=name) from failure
    except yaml.reader.ReaderError as failure:
        line = text[: failure.position].count("\n") + 1
        character = failure.character if isinstance(failure.character, int) else ord(failure.character)
        raise ConfigError(
            f"expected text, found the control character U+{character:04X}", hint="delete it", where=f"{name}:{line}"
        ) from failure
    except yaml.YAMLError as failure:
        raise ConfigError(f"expected YAML: {failure}", where=name) from failure
    if root is None or (root.value is None):
        return Node({}, 1, 0, 0, flow=False) if root is None else Node({}, root.line, root.start, root.end)
    return root


class _Reader:
    """Builds nodes from parser events; depth and size are bounded before anything recursive sees the data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.anchors: dict[str, Node] = {}

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.wrong(event, "expected one document, found a second", "delete the second ---")
                root = self.node(next(events), events, 0)
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        if depth > DEEPEST:
            raise self.wrong(event, f"expected at most {DEEPEST} levels, found more", "is this the right file?")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if getattr(event, "tag", None) not in (None, "!", "tag:yaml.org,2002:str"):
            raise self.wrong(event, f"expected a plain value, found the tag {event.tag}", "remove the tag")
        made = Node(None, event.start_mark.line + 1, event.start_mark.index, event.end_mark.index)
        if isinstance(event, yaml.ScalarEvent):
            self.scalar(made, event)
        else:
            made.flow = bool(event.flow_style)
            fill = self.mapping if isinstance(event, yaml.MappingStartEvent) else self.sequence
            fill(made, events, depth)
            if made.size > MOST:
                raise self.wrong(event, f"expected at most {MOST} values, found {made.size}", "do without aliases")
        # Only now: an alias to a node that is still open would make a loop.
        if event.anchor:
            self.anchors[event.anchor] = made
        return made

    def scalar(self, made: Node, event: Any) -> None:
        made.block = event.style in ("|", ">")
        made.value = None if not event.style and event.value in _NOTHING and event.tag is None else event.value

    def alias(self, event: Any) -> Node:
        known = self.anchors.get(event.anchor)
        if known is None:
            raise self.wrong(event, f"expected a known anchor, found *{event.anchor}", "write the value itself")
        mark = event.start_mark
        return Node(known.value, mark.line + 1, mark.index, event.end_mark.index, known.size, alias=True)

    def mapping(self, made: Node, events: Iterator[Any], depth: int) -> None:
        made.value = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent) and event.end_mark:
                made.end = event.end_mark.index
                return
            key = self.node(event, events, depth + 1)
            if isinstance(key.value, dict | list) or key.alias:
                raise self.wrong(event, "expected a name before the colon, found something else", "use a plain word")
            word = event.value
            if word in made.value:
                first = made.value[word].line
                raise self.wrong(
                    event, f"expected each key once, found {word!r} again (first in line {first})", "delete one"
                )
            value = self.node(next(events), events, depth + 1)
            value.key_start, value.key_end = event.start_mark.index, event.end_mark.index
            value.key_column = event.start_mark.column
            value.line = event.start_mark.line + 1
            made.value[word] = value
            made.size += value.size

    def sequence(self, made: Node, events: Iterator[Any], depth: int) -> None:
        made.value = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent) and event.end_mark:
                made.end = event.end_mark.index
                return
            made.value.append(self.node(event, events, depth + 1))
            made.size += made.value[-1].size

    def wrong(self, event: Any, message: str, hint: str) -> ConfigError:
        return ConfigError(message, hint=hint, where=f"{self.name}:{event.start_mark.line + 1}")


_SENTENCES = (
    ("found character that cannot start any token", "expected a value, found a character that can't begin one", ""),
    (
        "mapping values are not allowed",
        "expected one `key: value`, found another colon",
        "check the indentation, or quote the value",
    ),
    ("unexpected end of stream", "expected a closing quote, found the end of the file", "close the quote"),
    (
        "did not find expected key",
        "expected `key: value`, found something else",
        "look at the line before, too",
    ),
    ("could not find expected ':'", "expected `key: value`, found no colon", "write: key: value"),
    ("did not find expected ',' or", "expected a comma or a closing bracket", "close the bracket"),
    ("did not find expected node content", "expected a value, found something else", "check the brackets"),
)


def _syntax(failure: yaml.MarkedYAMLError, text: str, name: str) -> ConfigError:
    mark = failure.problem_mark or failure.context_mark
    # The end of the file lies below its last line.
    where = f"{name}:{min(mark.line + 1, max(len(text.splitlines()), 1))}" if mark else name
    said = failure.problem or "expected YAML"
    if mark and "\t" in "".join(text.splitlines()[mark.line : mark.line + 1]):
        return ConfigError("expected spaces, found a tab", hint="replace the tabs in this line by spaces", where=where)
    for part, message, hint in _SENTENCES:
        if part in said:
            return ConfigError(message, hint=hint or "put the value in quotes", where=where)
    return ConfigError(f"expected YAML: {said}", hint="check the indentation, quotes and brackets", where=where)
