"""The proof of an edit: the new text says what was asked for, and nothing else of the old one is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from usenet.adapters.settings import text
from usenet.domain.errors import ConfigError


def proven(source: str, new: str, keys: list[str], value: object) -> str:
    """`new`, if it says what `source` says but for `keys`, with the same comments; else ConfigError."""
    try:
        said = text.read(new, "usenet.yaml").plain()
        same_comments = sorted(comments(unmarked(source)[0])) == sorted(comments(unmarked(new)[0]))
    except (ConfigError, yaml.YAMLError) as failure:
        raise by_hand(keys) from failure
    if _essence(said) != _essence(_changed(text.read(source, "usenet.yaml").plain(), keys, value)) or not same_comments:
        raise by_hand(keys)
    return new


def comments(source: str, start: int = 0, stop: int | None = None) -> list[str]:
    """The comments between two positions, in order."""
    found, before = [], 0
    for token in yaml.scan(source, Loader=text.LOADER):
        found += [(before, source[before : token.start_mark.index])]
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            header = source[token.start_mark.index :].splitlines()[0]
            found += [(token.start_mark.index, header)]
        before = token.end_mark.index
    found += [(before, source[before:])]
    every = [(at + m.start(), m[0].rstrip()) for at, gap in found for m in re.finditer(r"#[^\n]*", gap)]
    return [comment for at, comment in every if start <= at < (len(source) if stop is None else stop)]


def unmarked(source: str) -> tuple[str, str]:
    """The text without its byte order mark, and the mark."""
    return (source[1:], "\ufeff") if source.startswith("\ufeff") else (source, "")


def by_hand(keys: Sequence[str]) -> ConfigError:
    """The refusal to change what is at `keys`."""
    return ConfigError(
        "this place of the file can't be changed without changing something else",
        hint="edit usenet.yaml by hand, then check it with: usenet config validate",
        where="/".join(["usenet.yaml:", *keys]).replace(":/", ": "),
    )


def _changed(data: Any, keys: list[str], value: object) -> Any:
    data = dict(data) if isinstance(data, dict) else {}
    if keys[1:]:
        data[keys[0]] = _changed(data.get(keys[0]), keys[1:], value)
    else:
        data[keys[0]] = value
    return data


def _essence(data: Any) -> Any:
    """The same for no value, an empty mapping and a missing key."""
    if isinstance(data, dict):
        return {k: e for k, v in data.items() if (e := _essence(v)) is not None} or None
    return data
