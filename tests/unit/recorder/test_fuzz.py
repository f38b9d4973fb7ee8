"""A hundred thousand segments that no recorder wrote: recovery ends, and hands out no wrong byte."""

from __future__ import annotations

from functools import cache

import pytest

from tests.recorder_crash import fuzz

TRIED, AT_ONCE = 100_000, 5_000


@cache
def bases() -> list[fuzz.Base]:
    return fuzz.bases()


@pytest.mark.parametrize("first", range(0, TRIED, AT_ONCE))
def test_mutated_files_give_no_wrong_byte(first: int) -> None:
    found = fuzz.run(range(first, first + AT_ONCE), bases())
    assert found.breaches[:5] == []
    assert found.tried == AT_ONCE
    assert found.useful > AT_ONCE / 3  # most of them still hold something: the others would prove nothing


def test_what_is_mutated_is_seldom_what_it_was() -> None:
    rng = fuzz.random.Random(0)
    changed = sum(fuzz.mutated(one, bases(), rng) != one.files for one in bases() * 3)
    assert changed > 0.8 * 3 * len(bases())
