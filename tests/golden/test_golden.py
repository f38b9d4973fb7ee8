"""What every saved host and every service gets is as it was reviewed."""

from __future__ import annotations

from difflib import unified_diff
from functools import cache

import pytest

from tests import stacks
from tests.golden import written

UPDATE = "\nIf this is meant: run scripts/golden, read the change with git diff tests/golden, and commit it."


@cache
def wanted() -> dict[str, str]:
    return written.files()


@pytest.mark.parametrize("path", sorted(written.there()))
def test_as_reviewed(path: str) -> None:
    assert path in wanted(), f"tests/golden/{path} belongs to nothing any more.{UPDATE}"
    before, now = written.there()[path], wanted()[path]
    change = "\n".join(unified_diff(before.splitlines(), now.splitlines(), path, "decided now", lineterm="", n=2))
    assert before == now, f"{change}\n{UPDATE}"


def test_every_host_and_every_service_has_one() -> None:
    there = written.there()
    missing = sorted({*wanted()} - {*there})
    assert not missing, f"not reviewed yet: {', '.join(missing)}.{UPDATE}"
    assert {f"hosts/{name}.txt" for name in stacks.HOSTS} <= {*there}
    assert {f"services/{name}.yaml" for name in stacks.catalog()} <= {*there}
