"""The part of usenet.yaml that says who is told when drives come and go, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from usenet.domain.storage.events import Event

ADDRESS = r"^(https?://[^\s/]+[^\s]*|\$\{[A-Za-z_]\w*\})?$"
Webhook = Annotated[
    str,
    Field(
        pattern=ADDRESS,
        description="address that gets a POST when a drive comes or goes; ${NAME} is taken from .env",
    ),
]

_SENTENCES = {
    "added": "{drive} is there",
    "removed": "{drive} was unmounted, or left the stack",
    "lost": "{drive} is lost: it is gone, or does not answer",
    "returned": "{drive} is back",
}


def sentence(event: Event) -> str:
    """One line for a person."""
    return _SENTENCES[event.kind].format(drive=event.drive)


def message(event: Event, *, stack: str, path: str, uuid: str) -> dict[str, object]:
    """What the webhook gets. `text` and `content` are the words that chat programs look for."""
    words = f"{stack}: {sentence(event)}"
    drive = {"drive": event.drive, "path": path, "uuid": uuid}
    return {"event": event.kind, "stack": stack, "at": event.at, **drive, "text": words, "content": words}
