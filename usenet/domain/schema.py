"""The settings as a JSON Schema, for editors and other programs."""

from __future__ import annotations

from typing import Any

from usenet.domain.settings import Settings

_SIZE = {"type": "string", "pattern": r"^\d+\s*[KMGTkmgt]([iI])?[bB]?$"}
_WORD = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of usenet.yaml; loading is kinder than it with unquoted text."""
    made = Settings.model_json_schema()
    service = made["$defs"]["ServiceSettings"]["properties"]
    service["memory"]["anyOf"].append(_SIZE)
    # Nobody quotes PORT: 8080; the loader keeps the text as it was typed.
    service["environment"]["patternProperties"] = dict.fromkeys(service["environment"]["patternProperties"], _WORD)
    _close(service["environment"])
    _close(made["properties"]["services"])
    for name, entry in made["properties"]["services"]["patternProperties"].items():
        made["properties"]["services"]["patternProperties"][name] = {"anyOf": [entry, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_titles(made), "title": "usenet.yaml"}


def _close(mapping: dict[str, Any]) -> None:
    """Keys that fit no pattern are errors, as they are for the loader."""
    mapping["additionalProperties"] = False


def _without_titles(part: Any) -> Any:
    """Pydantic titles every field with its own name."""
    if isinstance(part, list):
        return [_without_titles(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    return {k: _without_titles(v) for k, v in part.items() if not (k == "title" and isinstance(v, str))}
