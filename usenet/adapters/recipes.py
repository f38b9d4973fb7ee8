"""The recipes in templates/images: which there are, and the name that the image of each gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from usenet.adapters import templates
from usenet.domain.errors import ValidationError

RELEASE = "bookworm"
# Recipes of our own programs: what they are built from is the room of the package, and only the recipe lies here.
_ROOMS = ("recorder",)
_PACKAGE = Path(__file__).resolve().parents[1]


def buildable() -> Mapping[str, str]:
    """Service → reference of the image that its recipe makes, sorted."""
    folder = templates.root() / "images"
    return {path.parent.name: _reference_of(path.parent) for path in sorted(folder.glob("*/Dockerfile"))}


def built_reference(name: str) -> str:
    """The reference of one service's image. ValidationError where it has no recipe."""
    return _reference_of(directory(name))


def context(name: str) -> Path:
    """What the image of a service is built from. ValidationError where it has no recipe."""
    return _PACKAGE / name if name in _ROOMS else directory(name)


def directory(name: str) -> Path:
    """The recipe of a service. ValidationError where it has none."""
    folder = templates.root() / "images"
    if not (folder / name / "Dockerfile").is_file():
        known = ", ".join(buildable())
        raise ValidationError(f"there is no recipe to make an image of {name}", hint=f"there are: {known}")
    return folder / name


def reference(recipe: Path, *more: Path) -> str:
    """`usenet/<name>:bookworm-<digest>` of a recipe and what else goes into the image.

    It follows from the files' paths, bytes and executable bits alone: a changed recipe is another image, and an
    unchanged one is never made twice. The other bits differ between a checkout and an installed package; compiled
    files differ from machine to machine, and go into no image.
    """
    digest = hashlib.sha256()
    for folder in (recipe, *more):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            content = path.read_bytes()
            executable = path.stat().st_mode & 0o111 != 0
            digest.update(f"{path.relative_to(folder).as_posix()}\0{executable:d}\0{len(content)}\0".encode())
            digest.update(content)
    return f"usenet/{recipe.name}:{RELEASE}-{digest.hexdigest()[:12]}"


def _reference_of(recipe: Path) -> str:
    return reference(recipe, *(_PACKAGE / name for name in _ROOMS if name == recipe.name))
