"""Saved hosts: what `usenet hardware list --json` printed, read back to plan for that machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usenet.domain.errors import ConfigError
from usenet.domain.host import SCHEMA, Host

if TYPE_CHECKING:
    from pydantic import ValidationError

_HINT = "save one with: usenet hardware list --json > FILE"


def load(path: Path) -> Host:
    """The host in a file. ConfigError with the file and the place in it where it is none that this version reads."""
    from pydantic import TypeAdapter, ValidationError

    text = _text(path)
    _check_schema(text, path)
    try:
        host = TypeAdapter(Host).validate_json(text, strict=True)
    except ValidationError as wrong:
        raise _first(wrong, path) from wrong
    for place in _unknown(json.loads(text), dataclasses.asdict(host)):
        raise ConfigError("no such field", where=f"{path}: {place}", hint=_HINT)
    return host


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as failure:
        raise ConfigError(f"can't be read: {failure.strerror}", where=str(path), hint=_HINT) from failure
    except UnicodeDecodeError as failure:
        raise ConfigError("is not text", where=str(path), hint=_HINT) from failure


def _check_schema(text: str, path: Path) -> None:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as wrong:
        at = f"{path}:{wrong.lineno}" if isinstance(wrong, json.JSONDecodeError) else str(path)
        raise ConfigError(f"is no JSON: {wrong}", where=at, hint=_HINT) from wrong
    if not isinstance(raw, dict) or "schema" not in raw:
        raise ConfigError("is no saved host: it has no schema", where=str(path), hint=_HINT)
    if raw["schema"] != SCHEMA:
        hint = "save it again with the version of usenet that you run here"
        raise ConfigError(
            f"is a host of schema {raw['schema']}, this version reads {SCHEMA}", where=f"{path}: schema", hint=hint
        )


def _first(wrong: ValidationError, path: Path) -> ConfigError:
    problem = wrong.errors(include_url=False)[0]
    place = "/".join(map(str, problem["loc"]))
    message = problem["msg"].replace("Input should", "should")
    return ConfigError(message[0].lower() + message[1:], where=f"{path}: {place}", hint=_HINT)


def _unknown(raw: Any, known: Any, place: str = "") -> list[str]:
    """The places of keys that were given and not taken."""
    if isinstance(raw, dict) and isinstance(known, dict):
        inside = [(key, raw[key], known[key]) for key in raw if key in known]
        new = [f"{place}{key}" for key in raw if key not in known]
    elif isinstance(raw, list):
        inside = [(str(number), *pair) for number, pair in enumerate(zip(raw, known, strict=True))]
        new = []
    else:
        return []
    return new + [found for key, one, other in inside for found in _unknown(one, other, f"{place}{key}/")]
