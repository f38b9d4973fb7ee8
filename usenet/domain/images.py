"""Where each service's image comes from: the engine's store, a registry, or made here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from usenet.domain.plan import Observed

if TYPE_CHECKING:
    from usenet.domain.settings import ImageSource

_PULLED = "from its registry"


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """`reference` is empty when the image can't be had; `build` is set when it is made here."""

    reference: str
    build: str
    because: str


def registry(reference: str) -> str:
    """`lscr.io/a/b:1` → `lscr.io`; without a host: Docker Hub."""
    host = reference.split("/", 1)[0]
    return host if "/" in reference and ("." in host or ":" in host or host == "localhost") else "docker.io"


def made_here(reference: str) -> bool:
    """Whether the reference can only be made here, from templates/images."""
    return reference.startswith("usenet/")


def choose(name: str, reference: str, source: ImageSource, observed: Observed) -> ImageChoice:
    """The image of one service. With `auto`: what is there, else a registry that answers, else made here."""
    built = observed.buildable.get(name, "")
    if built and (source == "build" or made_here(reference)):
        return ImageChoice(
            built, name, "made from Debian's packages, as set" if source == "build" else "only made here"
        )
    if source == "build" or made_here(reference):
        return ImageChoice("", "", "there is no recipe to make its image here; it comes from a registry only")
    if reference in observed.images:
        return ImageChoice(reference, "", "in the engine's store")
    if source == "pull":
        why = absent(reference, observed)
        return ImageChoice("", "", f"{why}, and images are only pulled") if why else ImageChoice(reference, "", _PULLED)
    return _automatic(name, reference, built, observed)


def own(reference: str, observed: Observed) -> ImageChoice:
    """An image that a person set for one service: that one or none."""
    if why := absent(reference, observed):
        return ImageChoice("", "", f"{why}, and {reference} is set in usenet.yaml")
    return ImageChoice(reference, "", "set in usenet.yaml")


def absent(reference: str, observed: Observed) -> str:
    """Why no registry gives an image that is not in the engine's store; empty where one may."""
    if reference in observed.images:
        return ""
    where = registry(reference)
    return observed.refused.get(reference) or (
        "" if observed.reachable.get(where, True) else f"{where} does not answer"
    )


def _automatic(name: str, reference: str, built: str, observed: Observed) -> ImageChoice:
    if built in observed.images:
        return ImageChoice(built, name, "made here before, and in the engine's store")
    why = absent(reference, observed)
    if not why:
        return ImageChoice(reference, "", f"from {registry(reference)}")
    if built:
        return ImageChoice(built, name, f"made from Debian's packages: {why}")
    return ImageChoice("", "", f"{why}, and there is no recipe to make its image here")
