"""NamedTuple as `typing` has it, without `typing`, whose import takes longer than a question to the engine.

For what `services status` loads (docs/decisions/0010). `TYPE_CHECKING` is a plain False there: type checkers know it.
"""

from __future__ import annotations

import sys
from collections import namedtuple

__all__ = ["NamedTuple"]

TYPE_CHECKING = False
if TYPE_CHECKING or sys.version_info >= (3, 14):  # from there on annotations are not in the namespace of a class
    from typing import NamedTuple
else:
    _OWN = frozenset(("__annotations__", "__module__", "__qualname__", "__orig_bases__"))

    class _Made(type):
        def __new__(cls, name, bases, space):  # type: ignore[no-untyped-def]
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = tuple(space.get("__annotations__", ()))
            given = {field: space[field] for field in fields if field in space}
            if (*given,) != fields[len(fields) - len(given) :]:
                raise TypeError(f"{name}: a field without a default behind one that has one")
            made = namedtuple(name, fields, defaults=given.values(), module=space["__module__"])
            made.__annotations__ = space.get("__annotations__", {})
            for key in space.keys() - _OWN - {*fields}:
                setattr(made, key, space[key])
            made.__qualname__ = space["__qualname__"]
            return made

    class NamedTuple(metaclass=_Made):
        """A base: the annotated names are the fields, in their order; what is assigned to one is its default."""
