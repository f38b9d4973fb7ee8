"""The small file on a drive that says whose it is."""

from __future__ import annotations

import json
from dataclasses import dataclass

FILE = ".usenet-drive.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """`stack` is the random identity of a stack directory; `uuid` the filesystem's, or empty for a directory."""

    stack: str
    name: str
    uuid: str = ""

    @property
    def whose(self) -> tuple[str, str]:
        """What tells one drive from every other; it may be called something else by now."""
        return self.stack, self.uuid


def text(marker: Marker) -> str:
    """The bytes of the file."""
    told = {"usenet": 1, "stack": marker.stack, "drive": marker.name, "uuid": marker.uuid}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def read(content: str) -> Marker | None:
    """The marker in a file's text; None where it is none of ours, whatever it holds."""
    try:
        told = json.loads(content)
        if told["usenet"] != 1:
            return None
        stack, name, uuid = told["stack"], told["drive"], told["uuid"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(isinstance(one, str) for one in (stack, name, uuid)):
        return None
    return Marker(stack=stack, name=name, uuid=uuid)
