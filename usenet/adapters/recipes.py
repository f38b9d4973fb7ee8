"""The recipes in templates/images: which there are, and the name that the image of each gets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from usenet.adapters import templates
from usenet.domain.errors import ValidationError

RELEASE = "bookworm"


def buildable() -> Mapping[str, str]:
    """Service → reference of the image that its recipe makes, sorted."""
    folder = templates.root() / "images"
    return {path.parent.name: reference(path.parent) for path in sorted(folder.glob("*/Dockerfile"))}


def built_reference(name: str) -> str:
    """The reference of one service's image. ValidationError where it has no recipe."""
    return reference(directory(name))


def directory(name: str) -> Path:
    """The build context of a service. ValidationError where it has no recipe."""
    folder = templates.root() / "images"
    if not (folder / name / "Dockerfile").is_file():
        known = ", ".join(buildable())
        raise ValidationError(f"there is no recipe to make an image of {name}", hint=f"there are: {known}")
    return folder / name


def reference(context: Path) -> str:
    """`usenet/<name>:bookworm-<digest>` of a build context.

    It follows from the files' paths, bytes and executable bits alone: a changed recipe is another image, and an
    unchanged one is never made twice. The other bits differ between a checkout and an installed package.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in context.rglob("*") if p.is_file()):
        content = path.read_bytes()
        executable = path.stat().st_mode & 0o111 != 0
        digest.update(f"{path.relative_to(context).as_posix()}\0{executable:d}\0{len(content)}\0".encode())
        digest.update(content)
    return f"usenet/{context.name}:{RELEASE}-{digest.hexdigest()[:12]}"
