"""Where the shipped templates lie: in the installed package, or in the checkout that it runs from."""

from __future__ import annotations

from pathlib import Path

from usenet.domain.errors import SystemFailure

_PACKAGE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The directory that holds `compose/` and `images/`. SystemFailure when the installation lacks it."""
    for candidate in (_PACKAGE / "share" / "templates", _PACKAGE.parent / "templates"):
        if (candidate / "compose" / "services").is_dir():
            return candidate
    raise SystemFailure(
        f"the templates of usenet are not beside its package in {_PACKAGE}", hint="install usenet again"
    )
