"""A service file before it is understood: its name, its text and where it was found."""

from __future__ import annotations

from dataclasses import dataclass

SUFFIX = ".yaml.j2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFile:
    """`name` is the file's stem, `place` how messages call it, `directory` the folder that it lies in."""

    name: str
    text: str
    place: str
    directory: str
