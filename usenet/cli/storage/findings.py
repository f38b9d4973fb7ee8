"""What stays wrong with the drives, told to a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from usenet.cli import console

if TYPE_CHECKING:
    from usenet.domain.storage.converge import Finding


def tell(findings: Iterable[Finding]) -> None:
    """One line each, with its cure: a problem, not the failure of the verb."""
    for one in findings:
        cure = f"; {one.cure}" if one.cure else ""
        console.problem(f"{one.drive}: {one.what}{cure}", mark="problem:")
