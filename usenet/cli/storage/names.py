"""The names of drives, completed by a shell."""

from __future__ import annotations

from usenet.cli.places import home


def complete(incomplete: str) -> list[str]:
    """The drives of the stack that begin so."""
    from usenet.actions.storage.shelf import names

    return [name for name in names(home()) if name.startswith(incomplete)]
