"""What the types of the settings expect at a path."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from usenet.domain.settings import Settings


def keys_at(keys: Sequence[int | str]) -> tuple[str, ...]:
    """The keys that the settings know below `keys`; empty where any name will do or nothing has keys."""
    kind = kind_at(keys)
    return tuple(kind.model_fields) if _is_model(kind) else ()


def wants_mapping(keys: Sequence[str]) -> bool:
    """Whether the value at `keys` has keys of its own."""
    kind = kind_at(keys)
    return _is_model(kind) or get_origin(kind) is dict


def wants_text(keys: Sequence[str]) -> bool:
    """Whether the value at `keys` is a text (a number or a truth value otherwise)."""
    kind = kind_at(keys)
    if get_origin(kind) is Literal:
        return isinstance(get_args(kind)[0], str)
    return kind not in (int, float, bool)


def kind_at(keys: Sequence[int | str]) -> Any:
    """The type at `keys`, without `| None` and annotations; None where the settings know no such place."""
    kind: Any = Settings
    for key in keys:
        if _is_model(kind):
            known = kind.model_fields.get(str(key))
            kind = _bare(known.annotation) if known else None
        else:
            kind = _bare(get_args(kind)[-1]) if get_origin(kind) is dict else None
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _bare(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(k for k in get_args(kind) if k is not type(None))
    return _bare(get_args(kind)[0]) if hasattr(kind, "__metadata__") else kind
