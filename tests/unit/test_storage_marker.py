"""The marker on a drive: what was written is read, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usenet.domain.storage.marker import Marker, read, text

WORDS = st.text(st.characters(codec="utf-8"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=3),
    max_leaves=6,
)


@given(WORDS, WORDS, WORDS)
def test_what_was_written_is_read(stack: str, name: str, uuid: str) -> None:
    marker = Marker(stack=stack, name=name, uuid=uuid)
    assert read(text(marker).encode().decode()) == marker


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(content: bytes) -> None:
    assert read(content.decode("utf-8", "replace")) is None
    assert read(content.decode("utf-8", "surrogateescape")) is None


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("usenet", "stack", "drive", "uuid", "more"), JSON)) | JSON)
def test_no_json_breaks_the_reading(told: object) -> None:
    found = read(json.dumps(told))
    assert found is None or (isinstance(told, dict) and told["usenet"] == 1 and found.stack == told["stack"])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        '{"usenet": 1, "stack": "a", "drive": "b"}',
        '{"usenet": 1, "stack": "a", "drive": "b", "uuid": null}',
        '{"usenet": 2, "stack": "a", "drive": "b", "uuid": "c"}',
        '{"usenet": 1, "stack": "a", "drive": "b", "uuid": "c"',
        "9" * 10_000,
    ],
    ids=["empty", "deep", "short", "null", "newer", "cut off", "long number"],
)
def test_what_is_no_marker(content: str) -> None:
    assert read(content) is None


def test_a_marker_of_a_later_version_with_more_in_it_is_read() -> None:
    content = '{"usenet": 1, "stack": "a", "drive": "b", "uuid": "c", "since": 2031}'
    assert read(content) == Marker(stack="a", name="b", uuid="c")
