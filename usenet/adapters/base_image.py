"""The image that all others are made on: Debian's own, or one made here with debootstrap."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from usenet.adapters import engine, shell
from usenet.adapters.registries import pull_or_why
from usenet.domain.errors import SystemFailure

PUBLISHED = "debian:bookworm-slim"
MADE = "usenet/base:bookworm"
_SOURCES = """\
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""
# What a container never reads; packages installed later leave it out too.
_USELESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")


def base(report: Callable[[str], None]) -> str:
    """The reference of a base image in the engine's store: the one that is there, else pulled, else made here.

    Raises SystemFailure with the cure where it can be neither pulled nor made.
    """
    there = engine.images()
    for reference in (PUBLISHED, MADE):
        if reference in there:
            return reference
    refusal = pull_or_why(PUBLISHED)
    if refusal is None:
        return PUBLISHED
    report(f"{PUBLISHED} can't be pulled ({refusal.why}): making {MADE} with debootstrap, which takes a minute")
    make()
    return MADE


def likely() -> str:
    """What `base` would take, as far as that is known without pulling, and without an engine."""
    try:
        there = engine.images()
    except SystemFailure:
        return PUBLISHED
    return MADE if MADE in there and PUBLISHED not in there else PUBLISHED


def make() -> None:
    """Make the base image with debootstrap. Raises SystemFailure with the cure, without root or the program too."""
    if not shell.found("debootstrap"):
        raise SystemFailure(
            f"{PUBLISHED} can't be pulled, and debootstrap, which would make one like it, is not installed",
            hint="install it: sudo apt-get install debootstrap; or carry the images here: usenet images load FILE",
        )
    if os.geteuid() != 0:
        raise SystemFailure(
            f"{PUBLISHED} can't be pulled, and only root can make one like it",
            hint="make it once as root: sudo usenet images build; or carry the images here: usenet images load FILE",
        )
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="usenet-base-") as place:
        tree, archive = Path(place, "tree"), Path(place, "base.tar")
        # In a mount namespace of its own, so that nothing it mounts outlives it.
        shell.checked(["unshare", "--mount", "debootstrap", "--variant=minbase", "bookworm", str(tree)], timeout=1800)
        _prepare(tree)
        shell.checked(["tar", "-C", str(tree), *_left_out(), "-cf", str(archive), "."], timeout=600)
        shell.checked(["docker", "import", "--change", 'CMD ["bash"]', str(archive), MADE], timeout=600)


def _prepare(tree: Path) -> None:
    (tree / "etc/apt/sources.list").write_text(_SOURCES)
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\n# No service starts because its package is installed.\nexit 101\n")
    policy.chmod(0o755)
    (tree / "etc/dpkg/dpkg.cfg.d/usenet").write_text("".join(f"path-exclude=/{path}/*\n" for path in _USELESS))


def _left_out() -> list[str]:
    return [f"--exclude=./{path}/*" for path in (*_USELESS, "var/cache/apt", "var/lib/apt/lists")]
