"""What is this stack's: the services that words mean, and the containers made from its directory by its name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from usenet.adapters import engine
from usenet.adapters.engine import Container
from usenet.adapters.home import Home
from usenet.adapters.stack import Rendered
from usenet.domain import meant
from usenet.domain.errors import ValidationError


def choose(home: Home, rendered: Rendered, names: Sequence[str], group: str = "") -> tuple[str, ...]:
    """The services meant: those named and those of a group, or all. ValidationError names what isn't in the stack."""

    def known() -> Iterable[str]:
        from usenet.adapters import catalog  # only for a name that is wrong

        return catalog.names(home.path)

    groups = {name: service.group for name, service in rendered.services.items()}
    return meant.services(names, group, groups, known)


def containers(home: Home, project: str, listing: engine.Listing | None = None) -> dict[str, Container]:
    """Service → its container, running or not; read from a `listing` that was asked for before, or asked for now."""
    here = os.path.realpath(f"{home.text}/stack")
    listed = (listing or engine.Listing(project)).containers()
    ours = {directory: os.path.realpath(directory) == here for directory in {c.directory for c in listed}}
    return {c.service: c for c in listed if ours[c.directory]}


def require_alone(home: Home, project: str) -> None:
    """ValidationError if a stack in another directory has this name, or if this one runs under another name."""
    for container in engine.containers():
        if container.project == project and not made_here(container, home):
            elsewhere = os.path.dirname(container.directory)  # noqa: PTH120 - pathlib costs more, and this is text
            raise ValidationError(
                f"containers named {project} belong to the stack in {elsewhere}",
                where="usenet.yaml: name",
                hint=f"give this stack another name: usenet config set name {project}-2",
            )
        if container.project != project and container.directory and made_here(container, home):
            old = container.project
            raise ValidationError(
                f"this stack has containers under its old name {old}",
                where="usenet.yaml: name",
                hint=f"remove them first (configuration and data stay): docker compose -p {old} down",
            )


def made_here(container: Container, home: Home) -> bool:
    """Whether Compose made it from this stack directory, whatever link led there."""
    return os.path.realpath(container.directory) == os.path.realpath(home.stack)
